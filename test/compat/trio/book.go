package trio

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/milena-io/milena/test/compat/broker"
)

// book holds the answers that are expected.
type book struct {
	golden string // what the names of its files begin with
	system string
	write  bool
	kafka  map[string]string
	ours   map[string]string // where they differ
	why    map[string]string
	seen   []string
	got    map[string]string
	failed map[string]bool // no answer came that they wait for
}

func openBook(golden, system string) (*book, error) {
	b := &book{golden: golden, system: system, write: os.Getenv("GOLDEN") == "write", why: map[string]string{}, got: map[string]string{}, failed: map[string]bool{}}
	var err error
	if b.kafka, err = b.load("kafka"); err != nil {
		return nil, err
	}
	b.ours, err = b.load("milena")
	return b, err
}

func (b *book) path(name string) string {
	return filepath.Join(broker.Home(), "trio", "golden", b.golden+name+".txt")
}

// heading begins an answer in a golden file; reason a line that says why ours is another.
const (
	heading = "=== "
	reason  = "--- "
)

func (b *book) load(name string) (map[string]string, error) {
	text, err := os.ReadFile(b.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	out := map[string]string{}
	for _, one := range strings.Split("\n"+string(text), "\n"+heading)[1:] {
		title, body, _ := strings.Cut(one, "\n")
		if why, rest, ok := strings.Cut(body, "\n"); ok && strings.HasPrefix(why, reason) {
			b.why[title], body = why, rest
		}
		out[title] = strings.TrimRight(body, "\n") + "\n"
	}
	return out, err
}

// waits reports whether a step waits for the answer that Apache Kafka comes to: ours that differ may never.
func (b *book) waits(name string) bool {
	_, differs := b.ours[name]
	return b.write || b.system != "milena" || !differs
}

// check holds an answer to what is expected of it.
func (b *book) check(name, got string) error {
	if slices.Contains(b.seen, name) {
		return fmt.Errorf("two steps are called %q", name)
	}
	b.seen, b.got[name] = append(b.seen, name), got
	if b.write {
		return nil
	}
	want, ok := b.kafka[name]
	if own, differs := b.ours[name]; differs && b.system == "milena" {
		if own == "\n" {
			return nil // what we answer is chance, for the reason that stands there
		}
		if got == want {
			return fmt.Errorf("this is Apache Kafka's answer: take it out of golden/%smilena.txt\n%s", b.golden, got)
		}
		want = own
	}
	if !ok {
		return fmt.Errorf("no answer of Apache Kafka is known; ours is\n%s", got)
	}
	if got != want {
		return fmt.Errorf("got\n%s\nwant\n%s", got, want)
	}
	return nil
}

// close writes down what was seen, where that is wanted, and names what is known and was not seen.
func (b *book) close() error {
	if !b.write {
		for _, name := range slices.Sorted(maps.Keys(b.kafka)) {
			if !slices.Contains(b.seen, name) && !b.failed[name] {
				return fmt.Errorf("golden/%skafka.txt has an answer to %q, which is not in the script", b.golden, name)
			}
		}
		return nil
	}
	var text strings.Builder
	for _, name := range b.seen {
		got := b.got[name]
		if b.system == "milena" && (got == b.kafka[name] || b.ours[name] == "\n") {
			continue
		}
		fmt.Fprintf(&text, "%s%s\n", heading, name)
		if b.system == "milena" {
			why := b.why[name]
			if why == "" {
				why = reason + "not looked into"
			}
			fmt.Fprintf(&text, "%s\n", why)
		}
		fmt.Fprintf(&text, "%s\n", got)
	}
	if err := os.MkdirAll(filepath.Dir(b.path("kafka")), 0o755); err != nil {
		return err
	}
	return os.WriteFile(b.path(b.system), []byte(text.String()), 0o644)
}
