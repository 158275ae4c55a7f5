package replica

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// script is a replica of node 1 and what stands around it.
type script struct {
	t       *testing.T
	r       *Replica
	minISR  int
	epoch   kafka.LeaderEpoch
	now     kafka.Instant
	members registered
	settles bool // what the controller says with each registration
	out     strings.Builder
}

func run(t *testing.T, text string) string {
	s := script{t: t, r: New(1, 0, 0, 0), minISR: 1, members: registered{1: 1, 2: 1, 3: 1}}
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue // an outcome, written anew below
		}
		fmt.Fprintln(&s.out, line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if !s.leader(words) && !s.follower(words) && !s.both(words) {
			t.Fatalf("no command %q", words[0])
		}
		rules, r := "sync", s.r
		if r.Rules() == Cached {
			rules = "cache"
		}
		fmt.Fprintf(&s.out, "  end %d durable %d high %d acknowledged %d by the rules of %s", r.end, r.durable, r.HighWatermark(), r.Acknowledged(), rules)
		if w, ok := r.Leading().Wish(); ok {
			fmt.Fprintf(&s.out, ", wishes for")
			for _, m := range w.ISR {
				fmt.Fprintf(&s.out, " %d@%d", m.Node, m.BrokerEpoch)
			}
			fmt.Fprintf(&s.out, " at %d", w.PartitionEpoch)
			if w.Settled {
				fmt.Fprint(&s.out, ", settled")
			}
		}
		fmt.Fprintln(&s.out)
	}
	return s.out.String()
}

// both runs what leaders and followers have in common.
func (s *script) both(words []string) bool {
	r := s.r
	switch words[0] {
	case "cache", "sync":
		mode := Synced
		if words[0] == "cache" {
			mode = Cached
		}
		r.Configure(s.minISR, mode)
	case "min.insync.replicas":
		s.minISR = int(number(s.t, words[1]))
		r.Configure(s.minISR, r.wanted)
	case "lead": // with this ISR, in a new epoch
		s.epoch++
		s.register(1, words[1:])
	case "follow":
		s.epoch++
		s.register(2, words[1:])
	case "isr":
		s.register(1, words[1:])
	case "settles", "settled": // the controller holds the partition to the rules of the page cache, or no longer
		s.settles = words[0] == "settles"
		reg := r.reg
		reg.PartitionEpoch, reg.Settling = reg.PartitionEpoch+1, s.settles
		r.Register(s.now, reg)
	case "append":
		r.Appended(r.end + number(s.t, words[1]))
	case "flushed":
		r.Flushed(number(s.t, words[1]))
	case "truncated":
		r.Truncated(number(s.t, words[1]))
	case "after": // ms
		s.now = s.now.Add(time.Duration(number(s.t, words[1])) * time.Millisecond)
	default:
		return false
	}
	return true
}

// leader runs what only a leader hears.
func (s *script) leader(words []string) bool {
	r := s.r
	switch words[0] {
	case "fetched": // node, end, durable, and where it is not 1 the broker's epoch
		p := Progress{Node: kafka.NodeID(number(s.t, words[1])), BrokerEpoch: 1, End: number(s.t, words[2]), Durable: number(s.t, words[3])}
		if len(words) > 4 {
			p.BrokerEpoch = kafka.BrokerEpoch(number(s.t, words[4]))
		}
		if code := r.Leading().Admit(p.Node, p.BrokerEpoch, s.epoch); code != kafka.ErrNone {
			fmt.Fprintf(&s.out, "  %v\n", code)
			return true
		}
		r.Leading().Fetched(s.now, p, s.members)
	case "admit": // node, broker epoch, leader epoch
		fmt.Fprintf(&s.out, "  %v\n", r.Leading().Admit(kafka.NodeID(number(s.t, words[1])), kafka.BrokerEpoch(number(s.t, words[2])), kafka.LeaderEpoch(number(s.t, words[3]))))
	case "broker": // node, epoch; 0 is fenced
		s.members[kafka.NodeID(number(s.t, words[1]))] = kafka.BrokerEpoch(number(s.t, words[2]))
	case "consider": // with this replica.lag.time.max.ms
		r.Leading().Consider(s.now, time.Duration(number(s.t, words[1]))*time.Millisecond, s.members)
	case "explain":
		for _, x := range r.Leading().Explain(s.now, s.members, nil) {
			fmt.Fprintf(&s.out, "  %d waits for %v, behind %v, heard %v ago\n", x.Node, x.Waits, x.Behind, x.Heard)
		}
	case "answer": // code, and for NONE the partition epoch
		epoch := kafka.PartitionEpoch(0)
		if len(words) > 2 {
			epoch = kafka.PartitionEpoch(number(s.t, words[2]))
		}
		w, _ := r.Leading().Wish()
		if again, _ := r.Leading().Answered(s.now, w, OutcomeOf(kafka.ErrorCode(number(s.t, words[1]))), epoch); again {
			fmt.Fprintln(&s.out, "  to be sent again")
		}
	default:
		return false
	}
	return true
}

// follower runs what only a follower hears. Its last epoch comes first, and the position asked for is where it stands unless
// an offset and an epoch say otherwise.
func (s *script) follower(words []string) bool {
	r := s.r
	order := func(o Order, ok bool) {
		switch {
		case !ok:
			fmt.Fprintln(&s.out, "  nothing to do")
		case o.Anew:
			fmt.Fprintf(&s.out, "  begin anew at %d\n", o.At)
			r.Following().Restarted(o.At, o.At)
		default:
			fmt.Fprintf(&s.out, "  truncate to %d, alarm: %v\n", o.At, o.Alarm)
			r.Truncated(o.At)
		}
	}
	n := func(i int) kafka.Offset { return number(s.t, words[i]) }
	switch words[0] {
	case "diverged": // last epoch, their epoch and end, our epoch and end, and perhaps the offset and leader epoch asked from
		last := kafka.LeaderEpoch(n(1))
		asked, _ := r.Following().Position(last)
		if len(words) > 6 {
			asked.Offset, asked.LeaderEpoch = n(6), kafka.LeaderEpoch(n(7))
		}
		order(r.Following().Diverged(asked, last, EpochEnd{kafka.LeaderEpoch(n(2)), n(3)}, EpochEnd{kafka.LeaderEpoch(n(4)), n(5)}))
	case "out-of-range": // the leader's start and end
		asked, _ := r.Following().Position(0)
		order(r.Following().OutOfRange(asked, 0, n(1), n(2)))
	case "told":
		r.Following().Told(n(1))
	default:
		return false
	}
	return true
}

func (s *script) register(leader kafka.NodeID, isr []string) {
	s.r.Register(s.now, Registration{
		Leader: leader, LeaderEpoch: s.epoch, PartitionEpoch: s.r.reg.PartitionEpoch + 1, Replicas: []kafka.NodeID{1, 2, 3}, ISR: nodes(s.t, isr), Settling: s.settles,
	})
}

func nodes(t *testing.T, words []string) (out []kafka.NodeID) {
	for _, n := range words {
		out = append(out, kafka.NodeID(number(t, n)))
	}
	return out
}

func number(t *testing.T, word string) kafka.Offset {
	var n int64
	if _, err := fmt.Sscan(word, &n); err != nil {
		t.Fatalf("%q is no number", word)
	}
	return kafka.Offset(n)
}
