package replica

import (
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// Explained is what a leader knows of a follower, for whoever asks why a partition is under-replicated, who is slow, and since
// when.
type Explained struct {
	Known
	Heard time.Duration // since its last Fetch; negative when this leader has heard none
	Waits Waiting
}

// Waiting is what keeps a follower from being in sync, or next from staying so.
type Waiting uint8

// What a follower waits for, the gravest first.
const (
	Nothing Waiting = iota // it is in the ISR and has everything
	Unheard                // it has not fetched since this leadership began
	Silent                 // it fetched, and does no longer
	Barred                 // the metadata keeps it out: its broker is fenced or stops, or another process of it is registered
	Records                // it fetches, and lacks records
	Flush                  // it has all records, and its disk has not
	Consent                // it has what is asked for, and the controller has not yet put it into the ISR
)

// String returns the word that metrics have for it.
func (w Waiting) String() string {
	return [...]string{"nothing", "first_fetch", "fetch", "registration", "records", "flush", "controller"}[w]
}

// SilentAfter is how long after a follower's last Fetch it counts as silent: several times what a Fetch waits for records.
const SilentAfter = 3 * time.Second

// Explain appends what is known of the followers, by node, with what each waits for. One that has not shown itself to this leader has
// been behind since the leadership began, at least.
func (l Leading) Explain(now kafka.Instant, members Members, dst []Explained) []Explained {
	r := l.r
	for i, k := range l.Followers(now, nil) {
		f := &r.followers[i]
		x := Explained{Known: k, Heard: -1}
		if f.heard != never {
			x.Heard = now.Mono - f.heard
		}
		if x.Waits = r.waiting(f, &x, members); x.Waits == Unheard && x.Behind < 0 {
			x.Behind = now.Mono - r.leadsFrom // for so long at least
		}
		dst = append(dst, x)
	}
	return dst
}

func (r *Replica) waiting(f *follower, x *Explained, members Members) Waiting {
	switch {
	case x.Heard < 0:
		return Unheard
	case x.Heard > SilentAfter:
		return Silent
	case !x.InSync && !r.mayJoin(f, members):
		return Barred
	case f.end < r.end:
		return Records
	case r.counted(f) < r.end:
		return Flush
	case !x.InSync:
		return Consent
	}
	return Nothing
}
