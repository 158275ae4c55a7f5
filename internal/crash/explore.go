package crash

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
)

// Place names one image of one story: scenario:seed/events/promise/number.
type Place struct {
	Scenario string
	Seed     uint64
	moment
	Number uint64
}

func (p Place) String() string {
	return fmt.Sprintf("%s:%d/%d/%d/%d", p.Scenario, p.Seed, p.events, p.promise, p.Number)
}

// ParsePlace reads what String writes.
func ParsePlace(text string) (p Place, err error) {
	parts := strings.Split(text, "/")
	name, seed, found := strings.Cut(parts[0], ":")
	if len(parts) != 4 || !found {
		return p, fmt.Errorf("%q is no scenario:seed/events/promise/number", text)
	}
	p.Scenario = name
	if p.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
		return p, err
	}
	if p.events, err = strconv.Atoi(parts[1]); err != nil {
		return p, err
	}
	if p.promise, err = strconv.Atoi(parts[2]); err != nil {
		return p, err
	}
	p.Number, err = strconv.ParseUint(parts[3], 10, 64)
	return p, err
}

// Failure is an image that broke a promise.
type Failure struct {
	Place
	Err error
}

func (f Failure) Error() string {
	return fmt.Sprintf("image %s: %v\nrepeat it with: go test ./internal/crash -run TestImages -image %s", f.Place, f.Err, f.Place)
}

// Count is what was tried.
type Count struct {
	Stories, Moments, Images, Nested int64
}

// Plus adds.
func (c Count) Plus(o Count) Count {
	return Count{c.Stories + o.Stories, c.Moments + o.Moments, c.Images + o.Images, c.Nested + o.Nested}
}

// explorer goes through one story.
type explorer struct {
	place Place
	story *Story
	shift uint64 // of the variant that an image is held against
	count Count
}

// nestedEvery is how many images come for one that crashes again while it recovers.
const nestedEvery = 16

// Explore makes about so many images of a story and returns the first that breaks a promise.
func Explore(sc Scenario, seed uint64, images int) (Count, error) {
	s, err := Tell(sc, seed)
	if err != nil {
		return Count{}, err
	}
	x := &explorer{place: Place{Scenario: sc.Name, Seed: seed}, story: s}
	x.count.Stories = 1
	all := s.moments()
	r := s.journal.Replay()
	for i, m := range all {
		each := (images - int(x.count.Images)) / (len(all) - i) // what an early moment does not use the later ones get
		r.To(m.events, nil)
		if err := x.moment(r.Images(), m, max(each, 2)); err != nil {
			return x.count, err
		}
	}
	return x.count, nil
}

// numbers picks images of one moment: all when they fit, otherwise some at even distances and as many draws beyond them.
// The first two that it picks of many are what was synced and no more, and everything.
func numbers(images *disk.Images, budget uint64) (pick func(i uint64) uint64, most uint64) {
	n, whole := images.Len()
	switch {
	case whole && n <= budget:
		return func(i uint64) uint64 { return i }, n
	case whole:
		return func(i uint64) uint64 { return i * (n - 1) / (budget - 1) }, budget
	}
	some := min(n, budget/2)
	return func(i uint64) uint64 {
		switch {
		case i < 2 || i >= some:
			return i + n*min(i/some, 1)
		default:
			return i * (n - 1) / (some - 1)
		}
	}, 2 * budget
}

// moment holds images of one moment against its promise.
func (x *explorer) moment(images *disk.Images, m moment, budget int) error {
	x.count.Moments++
	x.place.moment = m
	seen := make(map[uint64]bool, budget)
	pick, most := numbers(images, uint64(budget))
	for i := uint64(0); i < most && len(seen) < budget; i++ {
		x.place.Number = pick(i)
		mem, key := images.Image(x.place.Number)
		if seen[key] {
			continue
		}
		seen[key] = true
		if err := x.image(mem); err != nil {
			return err
		}
	}
	return nil
}

// Repeat makes one image again.
func Repeat(sc Scenario, p Place) error {
	s, err := Tell(sc, p.Seed)
	if err != nil {
		return err
	}
	if !slices.Contains(s.moments(), p.moment) {
		return fmt.Errorf("%s is no moment of the story any more: what it writes has changed", p)
	}
	r := s.journal.Replay()
	r.To(p.events, nil)
	m, _ := r.Images().Image(p.Number)
	x := &explorer{place: p, story: s}
	if err := x.image(m.PowerCut()); err != nil { // its names and bytes count as synced: the same again
		return err
	}
	return x.nested(m)
}

// keep is the variant of the promise that an image is held against.
func (x *explorer) keep() Promise {
	all := x.story.promises[x.place.promise].keep.Variants()
	// Even and odd numbers are of different kinds, so the next bits decide.
	return all[(x.place.Number>>1+x.shift)%uint64(len(all))]
}

// image recovers an image twice.
func (x *explorer) image(m *disk.Mem) (err error) {
	x.count.Images++
	defer func() {
		if err != nil {
			err = Failure{x.place, err}
		}
	}()
	if x.count.Images%nestedEvery == 0 {
		if err := x.nested(m.PowerCut()); err != nil {
			return err
		}
	}
	keep := x.keep()
	state, err := keep.Hold(m)
	if err != nil {
		return err
	}
	again, err := keep.Started().Hold(m.PowerCut())
	if err != nil {
		return fmt.Errorf("the second recovery: %w", err)
	}
	if again != state {
		return fmt.Errorf("the second recovery finds\n%s\nthe first one found\n%s", again, state)
	}
	return nil
}

// nested crashes an image while it recovers, and recovers what that leaves.
func (x *explorer) nested(m *disk.Mem) error {
	keep := x.keep()
	j := m.Record()
	if _, err := keep.Hold(m); err != nil {
		return err
	}
	r := j.Replay()
	for n, e := range j.Events(0, j.Len()) {
		if e.Changes() || n == 0 {
			continue
		}
		r.To(n, nil)
		images := r.Images()
		size, _ := images.Len()
		for _, number := range []uint64{0, size / 2, size - 1, size + uint64(n)} {
			x.count.Nested++
			crashed, _ := images.Image(number)
			if _, err := keep.Started().Hold(crashed); err != nil {
				return fmt.Errorf("recovery crashed after %d events, image %d: %w", n, number, err)
			}
		}
	}
	return nil
}
