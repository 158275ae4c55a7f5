package inflight

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outcomes in testdata")

var verdicts = map[Verdict]string{
	Admitted: "admitted", Waits: "waits", Full: "full", Unread: "unread", Muted: "muted", Closing: "closing", Refused: "refused",
}

// TestScripts runs testdata: each line is a command, the indented lines under it are what came of it.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, string(text))
			if *rewrite {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(text) {
				t.Fatalf("the script says\n%s\nit went\n%s", text, got)
			}
		})
	}
}

type script struct {
	c   *Connection[string]
	now kafka.Instant
	n   int // admitted so far

	share int64
}

func run(t *testing.T, text string) string {
	s := &script{}
	start := func(login bool) {
		s.c = New[string](Limits{Requests: 4, ReplicaFetches: 2, Bytes: 1000, Output: 300}, login)
	}
	start(false)
	var out strings.Builder
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if words[0] == "login" {
			start(true)
			continue
		}
		for _, effect := range s.command(t, words) {
			out.WriteString("\t" + effect + "\n")
		}
	}
	return out.String()
}

func (s *script) command(t *testing.T, words []string) (effects []string) {
	switch words[0] {
	case "admit":
		effects = append(effects, s.admit(t, words))
	case "answer":
		id, a := parseAnswer(t, words)
		s.c.Answer(s.now, id, a)
	case "written":
		s.c.Written(int64(number(t, words[1])))
	case "tick":
		d, err := time.ParseDuration(words[1])
		if err != nil {
			t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case "share":
		s.share = int64(number(t, words[1]))
	case "drain":
		s.c.Drain()
	case "authenticated":
		s.c.Authenticated()
	default:
		t.Fatalf("unknown command %q", words)
	}
	for {
		ready := s.c.Ready()
		item, ok := s.c.Next()
		if ready != ok {
			t.Fatalf("Ready says %v, Next %v after %q", ready, ok, words)
		}
		if !ok {
			break
		}
		effects = append(effects, "sends "+item)
	}
	if s.c.Done() {
		effects = append(effects, "closes")
	}
	return effects
}

func (s *script) admit(t *testing.T, words []string) string {
	a := Arrival{Bytes: int64(number(t, words[2])), Share: s.share}
	switch words[1] {
	case "produce":
		a.Class = Produce
	case "noreply":
		a.Class, a.NoReply = Produce, true
	case "replica":
		a.Class = ReplicaFetch
	case "login":
		a.Login = true
	case "barrier":
	default:
		t.Fatalf("unknown class %q", words[1])
	}
	id, v := s.c.Admit(s.now, a, strconv.Itoa(s.n))
	if v != Admitted {
		return verdicts[v]
	}
	if id != ID(s.n) {
		t.Fatalf("request %d got id %d", s.n, id)
	}
	s.n++
	return fmt.Sprintf("admitted as %d", id)
}

func parseAnswer(t *testing.T, words []string) (ID, Answer) {
	var a Answer
	for i := 2; i < len(words); i++ {
		switch words[i] {
		case "none":
			a.None = true
		case "close":
			a.Close = true
		case "throttle":
			i++
			d, err := time.ParseDuration(words[i])
			if err != nil {
				t.Fatal(err)
			}
			a.Throttle = d
		default:
			a.Bytes = int64(number(t, words[i]))
		}
	}
	return ID(number(t, words[1])), a
}

func number(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRandomWalk drives a connection with chance and holds the package's invariants at every step.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := New[int](Limits{Requests: 5, ReplicaFetches: 2, Bytes: 1000, Output: 500}, false)
		type open struct {
			arrival Arrival
			id      ID
		}
		var underWay []open
		var expected []int // ids of admitted requests that get an answer, in order
		var unwritten []int64
		sizes := map[int]int64{}
		now := kafka.Instant{}
		for range 400 {
			now = now.Add(time.Duration(rng.IntN(10)) * time.Millisecond)
			switch rng.IntN(4) {
			case 0, 1:
				a := Arrival{Class: Class(rng.IntN(3)), Bytes: int64(rng.IntN(600))}
				a.NoReply = a.Class == Produce && rng.IntN(4) == 0
				id, v := c.Admit(now, a, int(c.head)+len(c.slots))
				if v != Admitted {
					break
				}
				for _, o := range underWay {
					if o.arrival.Class != a.Class || a.Class == Barrier {
						t.Fatalf("seed %d: class %d admitted beside %d", seed, a.Class, o.arrival.Class)
					}
				}
				underWay = append(underWay, open{a, id})
				if !a.NoReply {
					expected = append(expected, int(id))
				}
			case 2:
				if len(underWay) == 0 {
					break
				}
				i := rng.IntN(len(underWay))
				o := underWay[i]
				underWay = append(underWay[:i], underWay[i+1:]...)
				a := Answer{Bytes: int64(rng.IntN(100)), Throttle: time.Duration(rng.IntN(3)) * time.Millisecond}
				sizes[int(o.id)] = a.Bytes
				c.Answer(now, o.id, a)
			case 3:
				if item, ok := c.Next(); ok {
					if len(expected) == 0 || item != expected[0] {
						t.Fatalf("seed %d: answer %d left, expected %v", seed, item, expected)
					}
					expected = expected[1:]
					unwritten = append(unwritten, sizes[item])
				} else if len(unwritten) > 0 {
					c.Written(unwritten[0])
					unwritten = unwritten[1:]
				}
			}
			var bytes int64
			for _, o := range underWay {
				bytes += o.arrival.Bytes
			}
			if n, b := c.UnderWay(); n != len(underWay) || b != bytes || n > 5 {
				t.Fatalf("seed %d: %d requests of %d bytes under way, the machine says %d of %d", seed, len(underWay), bytes, n, b)
			}
		}
	}
}
