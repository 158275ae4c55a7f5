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
	images = flag.Int("images", 12_000, "how many crash images to recover and check")
	place  = flag.String("image", "", "repeat one image: scenario:seed/events/promise/number")
	only   = flag.String("scenario", "", "explore this scenario alone")
)

// S1, S2, S7: every image of every scenario recovers to what was promised.
func TestImages(t *testing.T) {
	if *place != "" {
		repeat(t, *place)
		return
	}
	list := slices.DeleteFunc(Scenarios(), func(sc Scenario) bool { return *only != "" && sc.Name != *only })
	r := &run{began: time.Now(), budget: int64(*images)}
	r.all(list)
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

// perStory is how many images are made of a story that is one of many.
const perStory = 500

// jobs are the golden stories, for a third of the images, and then others until there are as many as were asked for.
func (r *run) jobs(list []Scenario, give func(j job)) {
	for _, sc := range list {
		if sc.Golden {
			give(job{sc, 1, max(int(r.budget)/3/len(list)/2, 20)})
		}
	}
	for seed := uint64(0); r.left(); seed++ {
		some := false
		for _, sc := range list {
			if !sc.Golden {
				give(job{sc, seed, perStory})
				some = true
			}
		}
		if !some {
			return
		}
	}
}

func (r *run) left() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count.Images+r.count.Nested < r.budget && len(r.failures) < 20
}

// run is an exploration on all processors.
type run struct {
	began  time.Time
	budget int64

	mu       sync.Mutex
	count    Count
	failures []error
	told     time.Time
}

func (r *run) all(list []Scenario) {
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
	r.jobs(list, func(j job) { next <- j })
	close(next)
	workers.Wait()
}

func (r *run) done(c Count, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count = r.count.Plus(c)
	if err != nil {
		r.failures = append(r.failures, err)
		fmt.Println(err) // a long run is not waited for
	}
	if now := time.Now(); r.budget > 200_000 && now.Sub(r.told) > 10*time.Second {
		r.told = now
		fmt.Printf("crash images: %3d%%, %s\n", 100*(r.count.Images+r.count.Nested)/r.budget, r.summary())
	}
}

func (r *run) summary() string {
	seconds := time.Since(r.began).Seconds()
	return fmt.Sprintf("%d stories, %d moments, %d images, %d of them of crashes in a recovery, in %.0f s, %.0f a second, %d failures",
		r.count.Stories, r.count.Moments, r.count.Images+r.count.Nested, r.count.Nested, seconds, float64(r.count.Images+r.count.Nested)/seconds, len(r.failures))
}
