// Command run simulates new seeds until its time is over, one process per core, and tells what they reached and what is wrong.
//
// `make sim` runs it; the binary that is shipped has nothing of it. The seeds begin where the clock says, and the first is
// printed, so that any may be repeated. A seed that fails is shrunk before it is told, and kept in a file when -keep names a
// folder. A process runs one simulation at a time, since Raft's chance is the process's.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/milena-io/milena/internal/history/faults"
	"github.com/milena-io/milena/internal/sim"
)

var (
	length  = flag.Duration("for", 10*time.Minute, "how long to simulate new seeds")
	seed    = flag.Uint64("seed", 0, "run this seed alone, and tell its events")
	vary    = flag.String("vary", "", "the variety of every seed, as JSON, instead of the one that it draws")
	first   = flag.Uint64("first", 0, "the first seed; 0 takes the clock")
	workers = flag.Int("workers", runtime.NumCPU(), "processes")
	tries   = flag.Int("tries", 300, "runs that shrinking a failed seed may take")
	keep    = flag.String("keep", "", "a folder for seeds that fail")
	score   = flag.String("score", "internal/sim/testdata/score.txt", "the file that says how many seeded bugs were found last")
	stride  = flag.Uint64("stride", 0, "of one of several processes: it simulates every so many seeds")
)

func main() {
	flag.Parse()
	switch {
	case *seed != 0:
		os.Exit(one(*seed))
	case *stride != 0:
		work()
	default:
		os.Exit(all())
	}
}

// one runs one seed.
func one(s uint64) int {
	r := sim.Run(s, sim.Options{Variety: variety(), Tell: func(line string) { fmt.Println(line) }})
	fmt.Println(&r)
	if r.Failed() {
		return 1
	}
	return 0
}

// variety is what every seed is to have, nil for what it draws.
func variety() *faults.Variety {
	if *vary == "" {
		return nil
	}
	var v faults.Variety
	if err := json.Unmarshal([]byte(*vary), &v); err != nil {
		fmt.Fprintf(os.Stderr, "-vary takes an object such as {\"Apart\": true}: %v\n", err)
		os.Exit(2)
	}
	return &v
}

// news is what a worker says of a seed.
type news struct {
	Reached sim.Reached
	Failed  string    `json:",omitempty"`
	Told    string    `json:",omitempty"` // after it was shrunk
	Kept    *sim.Kept `json:",omitempty"`
}

// work is one process of several: it writes a line for each seed.
func work() {
	out := json.NewEncoder(os.Stdout)
	end := time.Now().Add(*length)
	o := sim.Options{Variety: variety()}
	for s := *first; time.Now().Before(end); s += *stride {
		r := sim.Run(s, o)
		n := news{Reached: r.Reached}
		if r.Failed() {
			n.Failed = r.String()
		}
		if out.Encode(n) != nil {
			return // nobody listens any more
		}
		if r.Failed() {
			small := sim.Shrink(&r, o, *tries)
			kept := sim.Keep(&small)
			if out.Encode(news{Told: told(&r, &small), Kept: &kept}) != nil {
				return
			}
		}
	}
}

// told is all there is to know of a seed that failed.
func told(r, small *sim.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%vcommit %s; with %d faults instead of %d:\n", r, sim.Commit(), len(small.Events), len(r.Events))
	for _, e := range small.Events {
		fmt.Fprintf(&b, "  %v\n", e)
	}
	fmt.Fprintf(&b, "%vlast events:\n", small)
	for _, l := range small.Last {
		fmt.Fprintf(&b, "  %s\n", l)
	}
	return b.String()
}

// all starts the workers and gathers what they say.
func all() int {
	from := *first
	if from == 0 {
		from = uint64(time.Now().UnixMilli())
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Printf("seeds from %d on, for %v, in %d processes; commit %s\n", from, *length, *workers, sim.Commit())
	var mu sync.Mutex
	var total sim.Reached
	failed, broken := 0, 0
	began := time.Now()
	var wg sync.WaitGroup
	for i := range *workers {
		wg.Go(func() {
			err := listen(self, from+uint64(i), func(n *news) {
				mu.Lock()
				defer mu.Unlock()
				total.Add(&n.Reached)
				if n.Failed != "" {
					failed++
					fmt.Println(n.Failed)
				}
				if n.Kept != nil {
					fmt.Println(n.Told)
					save(n.Kept)
				}
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				broken++
				fmt.Fprintf(os.Stderr, "a process ended: %v\n", err)
			}
		})
	}
	wg.Wait()
	fmt.Printf("%d seeds in %v, %.0f a minute; %d failed\n%v\n", total.Runs, time.Since(began).Round(time.Second), float64(total.Runs)/time.Since(began).Minutes(), failed, &total)
	missing := total.Missing()
	if len(missing) > 0 {
		fmt.Printf("never happened: %s\n", strings.Join(missing, ", "))
	}
	if b, err := os.ReadFile(*score); err == nil {
		fmt.Printf("%s\n", strings.TrimSpace(string(b)))
	}
	if failed+broken+len(missing) > 0 {
		return 1
	}
	return 0
}

// listen runs a worker and hands on what it says.
func listen(self string, from uint64, hear func(*news)) error {
	c := exec.Command(self, "-first", fmt.Sprint(from), "-stride", fmt.Sprint(*workers), "-for", length.String(), "-tries", fmt.Sprint(*tries), "-vary", *vary)
	c.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=800", "GOMEMLIMIT=1GiB")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var n news
		if err := json.Unmarshal(lines.Bytes(), &n); err != nil {
			return err
		}
		hear(&n)
	}
	return c.Wait()
}

// save keeps a seed that failed, where a folder is named.
func save(k *sim.Kept) {
	if *keep == "" {
		return
	}
	file, err := k.File()
	if err == nil {
		err = os.WriteFile(filepath.Join(*keep, fmt.Sprintf("%d.json", k.Seed)), file, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
