package crash

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

var (
	images = flag.Int("images", 20_000, "how many crash images to recover and check")
	image  = flag.String("image", "", "repeat one image: scenario:seed/events/promise/number")
	only   = flag.String("scenario", "", "explore this scenario alone")
)

// S1, S2, S7: every image of every scenario recovers to what was promised.
func TestImages(t *testing.T) {
	if *image != "" {
		repeat(t, *image)
		return
	}
	list := slices.DeleteFunc(Scenarios(), func(sc Scenario) bool { return *only != "" && sc.Name != *only })
	budget := *images
	if testing.Short() {
		budget /= 4
	}
	r := &run{t: t, began: time.Now(), budget: int64(budget)}
	r.all(plan(list, budget))
	for _, f := range r.failures {
		t.Error(f)
	}
	fmt.Printf("crash images: %d scenarios, %s\n", len(list), r.summary())
}

func repeat(t *testing.T, text string) {
	p, err := ParsePlace(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range Scenarios() {
		if sc.Name == p.Scenario {
			if err := Repeat(sc, p); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// job is one story to explore.
type job struct {
	scenario Scenario
	seed     uint64
	images   int
}

// plan shares the images out: a golden scenario is one story, the others as many as there are images left.
func plan(list []Scenario, budget int) (jobs []job) {
	const perWalk = 500
	golden := 0
	for _, sc := range list {
		if sc.Golden {
			golden++
		}
	}
	share := budget
	if golden < len(list) {
		share = budget / 2
	}
	for _, sc := range list {
		if sc.Golden {
			jobs = append(jobs, job{sc, 1, share / golden})
			continue
		}
		for seed := range uint64(max((budget-share*min(golden, 1))/(len(list)-golden)/perWalk, 1)) {
			jobs = append(jobs, job{sc, seed, perWalk})
		}
	}
	return jobs
}

// run is an exploration on all processors.
type run struct {
	t      *testing.T
	began  time.Time
	budget int64

	mu       sync.Mutex
	count    Count
	failures []error
	told     time.Time
}

func (r *run) all(jobs []job) {
	next := make(chan job)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range next {
				count, err := Explore(j.scenario, j.seed, j.images)
				r.done(count, err)
			}
		})
	}
	for _, j := range jobs {
		next <- j
	}
	close(next)
	workers.Wait()
}

func (r *run) done(c Count, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count = r.count.Plus(c)
	if err != nil {
		r.failures = append(r.failures, err)
	}
	if now := time.Now(); r.budget > 200_000 && now.Sub(r.told) > 10*time.Second {
		r.told = now
		fmt.Printf("crash images: %3d%%, %s\n", 100*r.count.Images/r.budget, r.summary())
	}
}

func (r *run) summary() string {
	seconds := time.Since(r.began).Seconds()
	return fmt.Sprintf("%d stories, %d moments, %d images and %d crashes of their recovery in %.0f s, %.0f a second, %d failures",
		r.count.Stories, r.count.Moments, r.count.Images, r.count.Nested, seconds, float64(r.count.Images+r.count.Nested)/seconds, len(r.failures))
}
