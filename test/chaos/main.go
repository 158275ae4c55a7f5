// Chaos runs a cluster of real processes on machines of their own and hurts it, under producers and a group that record what they see.
//
//	cd test/chaos && go run . [-seed n] [-slice] [-leaders 200] [-controllers 50] [-pauses 50] [-cuts 50] [-powercuts 20] [...]
//
// Faults come in an order that follows from the seed, in rounds with a topic and a history each; after a round the checkers of
// internal/history judge, and the replicas are compared byte for byte. It prints what was done, how long partitions were not writable,
// and what was found, and ends with status 1 when anything was found. Histories, logs and disks' contents of a round that failed are
// kept. The report is written down after each round: with the same flags, seed and -dir a run that was broken off goes on. It needs Linux and root; where it can't run it says why and ends with 0, or with 1 when -must is set.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/milena-io/milena/test/chaos/lab"
	"github.com/milena-io/milena/test/compat/broker"
)

func main() { os.Exit(run()) }

// settings are the flags.
type settings struct {
	seed   uint64
	counts map[kind]*int
	round  int
	rate   int
	dir    string
	images string
	binary string
	keep   bool
	must   bool
	nice   int
	acks   int64
	apart  bool
	slice  bool
	guests string
}

// plan is what the faults, and whom they meet, follow from.
func (s *settings) plan() string {
	text := fmt.Sprintf("seed %d, rounds of %d, apart %v, slice %v:", s.seed, s.round, s.apart, s.slice)
	for k := range kinds {
		text += fmt.Sprintf(" %v %d", kind(k), *s.counts[kind(k)])
	}
	return text
}

// roles are of all nodes: three of which each is all, or three controllers and three brokers.
func (s *settings) roles() []lab.Role {
	if s.apart {
		return append(slices.Repeat([]lab.Role{lab.Controller}, 3), slices.Repeat([]lab.Role{lab.Broker}, 3)...)
	}
	return slices.Repeat([]lab.Role{lab.Both}, 3)
}

func parse() *settings {
	s := &settings{counts: map[kind]*int{}}
	flag.Uint64Var(&s.seed, "seed", uint64(time.Now().UnixNano()), "of the order of faults, of whom they meet and how long they last")
	for k, f := range kinds {
		s.counts[kind(k)] = flag.Int(f.flag, f.usual, "times "+f.about)
	}
	flag.IntVar(&s.round, "round", 20, "faults in a round")
	flag.IntVar(&s.rate, "rate", 2000, "records a second")
	flag.Int64Var(&s.acks, "acks", 1000, "acknowledgements between two faults, at least")
	flag.StringVar(&s.dir, "dir", "", "working folder; by default a temporary one")
	flag.StringVar(&s.images, "images", "", "folder of the disks' images, which is removed; by default in memory, where no other program's disk is in the way")
	flag.StringVar(&s.binary, "binary", "", "milena; by default it is built from this checkout")
	flag.BoolVar(&s.keep, "keep", false, "keep the working folder, also of a run without findings")
	flag.BoolVar(&s.must, "must", false, "a machine on which this can't run is a failure")
	flag.IntVar(&s.nice, "nice", 0, "of the nodes' processes")
	flag.BoolVar(&s.apart, "apart", false, "three controllers and three brokers, instead of three nodes that are both")
	flag.StringVar(&s.guests, "guests", "java,confluent-py", "clients of other libraries, beside franz-go's, in processes of their own; \"\" for none")
	only := flag.Bool("only", false, "faults that are not named by a flag come not at all")
	flag.BoolVar(&s.slice, "slice", false, "faults that are not named by a flag come a few times and last a quarter: a minute instead of an hour, and no guests unless they are named")
	flag.Parse()
	named := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { named[f.Name] = true })
	if s.slice && !named["guests"] {
		s.guests = ""
	}
	for k, f := range kinds {
		switch {
		case named[f.flag]:
		case *only:
			*s.counts[kind(k)] = 0
		case s.slice:
			*s.counts[kind(k)] = f.slice
		}
	}
	return s
}

func run() int {
	s := parse()
	if err := lab.Missing(); err != nil {
		return s.skip(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := s.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	r, err := openReport(s.dir, s.plan())
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 2
	}
	visitors, err := guests(s.guests, s.dir)
	if err != nil {
		return s.skip(fmt.Errorf("a client of another library is missing, -guests says which there are to be: %w", err))
	}
	l, err := lab.Open(lab.Options{
		Dir: s.dir, Images: s.images, Binary: s.binary, Roles: s.roles(), VolumeBytes: 1 << 30, Nice: s.nice, Overrides: overrides(),
	})
	if err != nil {
		return s.skip(fmt.Errorf("this machine can't have the network and the disks: %w", err))
	}
	fmt.Printf("chaos: seed %d, in %s\n", s.seed, s.dir)
	c := newCampaign(s, l, visitors, r)
	found := c.run(ctx)
	if err := l.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos: left behind:", err)
		found = true
	}
	c.report.print(os.Stdout)
	switch {
	case ctx.Err() != nil:
		fmt.Printf("interrupted; the same flags with -seed %d -dir %s go on with round %d\n", s.seed, s.dir, r.Rounds)
	case found || s.keep:
		fmt.Printf("kept: %s\n", s.dir)
	default:
		if err := os.RemoveAll(s.dir); err != nil {
			fmt.Fprintln(os.Stderr, "chaos:", err)
		}
	}
	if found || ctx.Err() != nil {
		return 1
	}
	return 0
}

// prepare makes the folder and the binary.
func (s *settings) prepare() (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "milena-chaos-"); err != nil {
			return err
		}
	} else if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	if s.images == "" {
		memory := "/dev/shm"
		if _, err := os.Stat(memory); err != nil {
			memory = s.dir
		}
		if s.images, err = os.MkdirTemp(memory, "milena-chaos-images-"); err != nil {
			return err
		}
	}
	if s.binary == "" {
		s.binary, err = broker.Build()
	}
	return err
}

func (s *settings) skip(why error) int {
	fmt.Printf("chaos: skipped: %v\n", why)
	if s.must {
		return 1
	}
	return 0
}
