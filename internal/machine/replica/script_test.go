package replica

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outcomes in testdata")

// TestScripts runs testdata: each line is a command to node 1's replica, the indented line under it is where that stands.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text := string(must.Get(os.ReadFile(name)))
			got := run(t, text)
			if *rewrite {
				must.OK(os.WriteFile(name, []byte(got), 0o644))
			} else if got != text {
				t.Fatalf("the script says\n%s\nit went\n%s", text, got)
			}
		})
	}
}

func run(t *testing.T, text string) string {
	r := New(1, 0, 0, 0)
	minISR, epoch := 1, kafka.LeaderEpoch(0)
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue // an outcome, written anew below
		}
		fmt.Fprintln(&out, line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		switch words[0] {
		case "cache", "sync":
			mode := Synced
			if words[0] == "cache" {
				mode = Cached
			}
			r.Configure(minISR, mode)
		case "min.insync.replicas":
			minISR = int(number(t, words[1]))
			r.Configure(minISR, r.wanted)
		case "lead": // with this ISR, in a new epoch
			epoch++
			register(t, r, 1, epoch, words[1:])
		case "follow":
			epoch++
			register(t, r, 2, epoch, words[1:])
		case "isr":
			register(t, r, 1, epoch, words[1:])
		case "append":
			r.Appended(r.end + number(t, words[1]))
		case "flushed":
			r.Flushed(number(t, words[1]))
		case "fetched": // node, end, durable
			r.Fetched(kafka.NodeID(number(t, words[1])), number(t, words[2]), number(t, words[3]))
		case "truncated":
			r.Truncated(number(t, words[1]))
		default:
			t.Fatalf("no command %q", words[0])
		}
		rules := "sync"
		if r.Rules() == Cached {
			rules = "cache"
		}
		fmt.Fprintf(&out, "  end %d durable %d high %d acknowledged %d by the rules of %s\n", r.end, r.durable, r.HighWatermark(), r.Acknowledged(), rules)
	}
	return out.String()
}

func register(t *testing.T, r *Replica, leader kafka.NodeID, epoch kafka.LeaderEpoch, isr []string) {
	reg := Registration{Leader: leader, LeaderEpoch: epoch, PartitionEpoch: r.reg.PartitionEpoch + 1, Replicas: []kafka.NodeID{1, 2, 3}}
	for _, n := range isr {
		reg.ISR = append(reg.ISR, kafka.NodeID(number(t, n)))
	}
	r.Register(reg)
}

func number(t *testing.T, word string) kafka.Offset {
	var n int64
	if _, err := fmt.Sscan(word, &n); err != nil {
		t.Fatalf("%q is no number", word)
	}
	return kafka.Offset(n)
}
