package house

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/config"
)

// onlyChecked are keys that the controller compares with one another and nobody acts on yet.
var onlyChecked = []string{"remote.log.delete.on.disable", "remote.storage.enable"}

// TestImplementedKeysAreThoseWeRead: the table says of a key that it is acted on exactly when some code names it, or names
// the topic key that it is the default of.
func TestImplementedKeysAreThoseWeRead(t *testing.T) {
	read := map[string]bool{}
	for _, f := range load(t).Files {
		table := strings.HasPrefix(f.Path, "internal/config/table_")
		if f.Test || table || strings.HasPrefix(f.Path, "internal/cli/") {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil {
					read[s] = true
				}
			}
			return true
		})
	}
	for _, k := range config.Keys(config.Topic) {
		if read[k.Name] && !slices.Contains(onlyChecked, k.Name) {
			for _, s := range k.Synonyms {
				read[s] = true
			}
		}
	}
	for _, scope := range []config.Scope{config.Broker, config.Topic} {
		for _, k := range config.Keys(scope) {
			if slices.Contains(onlyChecked, k.Name) {
				continue
			}
			if done := k.Status == config.Implemented; done && !read[k.Name] {
				t.Errorf("%s is said to be acted on, and nothing reads it", k.Name)
			} else if !done && read[k.Name] && strings.Contains(k.Name, ".") {
				t.Errorf("%s is read, and its row says that it has no effect", k.Name)
			}
		}
	}
}
