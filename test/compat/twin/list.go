package twin

import (
	"fmt"
	"regexp"
	"strings"
)

// listed is one reviewed line.
type listed struct {
	pattern string
	expr    *regexp.Regexp
	met     bool
}

func (l *listed) matches(key string) bool { return l.expr.MatchString(key) }

func parseList(text string) ([]*listed, error) {
	var all []*listed
	for n, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, reason, ok := strings.Cut(line, " -- ")
		if !ok || strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("differences.txt:%d: no reason", n+1)
		}
		pattern = strings.TrimSpace(pattern)
		expr := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
		all = append(all, &listed{pattern: pattern, expr: regexp.MustCompile("^" + expr + "$")})
	}
	return all, nil
}
