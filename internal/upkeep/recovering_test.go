package upkeep

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/storage"
)

// TestALongRecoveryTellsHowFarItIs opens logs after an unclean stop, the last word about which was long ago.
func TestALongRecoveryTellsHowFarItIs(t *testing.T) {
	r := newRig(t, disk.NewMem(), "a", "b", "c")
	u, v := New(r.o), r.s.Volumes[0]
	long := &recovering{of: u, total: 7, left: 7, said: r.w.Now().Mono - recoveryWord}
	for _, p := range r.all {
		long.recover(v, p)
	}
	r.wantSaid(1, "Recovering logs (1/7 completed)")
	r.wantSaid(1, "dir=data remaining=6")
	r.wantSaid(1, "Recovering logs")
	var told []string
	u.o.Recovering = func(done, total int) { told = append(told, fmt.Sprintf("%d/%d", done, total)) }
	long.left, long.said = 2, r.w.Now().Mono-recoveryWord
	long.recover(v, r.all[0])
	long.recover(v, r.all[1])
	if got := strings.Join(told, " "); got != "6/7 7/7" {
		t.Errorf("whoever draws a bar was told %s", got)
	}
	if r.recovered != 1 {
		t.Errorf("the end was told %d times", r.recovered)
	}
}

// A start after kill -9 has every log recovered that nobody asks for; one after a clean stop has none.
func TestTheStartRecoversWhatNobodyAsksFor(t *testing.T) {
	fs := disk.NewMem()
	r := newRig(t, fs, "a", "b")
	u := New(r.o)
	u.Start()
	r.w.Run(time.Minute)
	r.write()

	r = newRig(t, fs.Killed(), "a", "b")
	u = New(r.o)
	u.Start()
	if left := u.Unrecovered("data"); left != 2 || r.recovered != 0 {
		t.Errorf("%d logs are left, told %d times", left, r.recovered)
	}
	r.w.Run(time.Minute)
	for _, p := range r.all {
		if s := p.Standing(); !s.Open || s.End != 1 {
			t.Errorf("%s: %+v", p.Name(), s)
		}
	}
	if left := u.Unrecovered("data"); left != 0 || r.recovered != 1 {
		t.Errorf("%d logs are left, told %d times", left, r.recovered)
	}
	u.Stop()
	ended := false
	r.s.Close(func(c *storage.Closing) { c.Seal(1, nil, func(err error) { ended = err == nil }) })
	r.w.Run(time.Minute)
	if !ended {
		t.Fatal("the stop was not clean")
	}

	r = newRig(t, r.fs.Killed(), "a", "b")
	u = New(r.o)
	u.Start()
	r.w.Run(time.Second)
	for _, p := range r.all {
		if p.Standing().Open {
			t.Errorf("%s is open after a clean start", p.Name())
		}
	}
}

// What a start finds is looked at when its caller, who has the next heartbeat to send, has gone on: that may wait for every disk.
func TestTheStartGoesOnBeforeWhatItFindsIsSettled(t *testing.T) {
	r := newRig(t, disk.NewMem())
	if err := r.fs.MkdirAll("data/z-0"); err != nil {
		t.Fatal(err)
	}
	u := New(r.o)
	u.Start()
	r.wantSaid(0, "belongs to no topic")
	r.w.Run(time.Second)
	r.wantSaid(1, "belongs to no topic")
	u.Stop()
}
