package node_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// rot changes bytes of a file of a node behind its back.
func (c *three) rot(id int32, path string, change func([]byte)) {
	c.t.Helper()
	f := must.Get(c.at(id).fs.Open(path, disk.Write))
	defer f.Close()
	data := make([]byte, must.Get(f.Size()))
	must.Get(f.ReadAt(data, 0))
	change(data)
	must.Get(f.WriteAt(data, 0))
}

// bytesOf reads a file of a node.
func (c *three) bytesOf(id int32, path string) string {
	c.t.Helper()
	f := must.Get(c.at(id).fs.Open(path, 0))
	defer f.Close()
	data := make([]byte, must.Get(f.Size()))
	must.Get(f.ReadAt(data, 0))
	return string(data)
}

const firstSegment = "data/t-0/00000000000000000000.log"

// R15: records that rotted on one replica, leader or follower, are repaired from another, byte for byte, with the node that has
// them leading and serving on; what was there is kept.
func TestADamagedReplicaIsRepairedFromAnother(t *testing.T) {
	for seed := range uint64(6) {
		c := newThree(t, seed)
		c.create(1, "t", 1)
		c.await("somebody leads", time.Minute, func() bool { return len(c.leaders(1, "t")) == 1 && c.leaders(1, "t")[0] > 0 })
		leader := c.leaders(1, "t")[0]
		for i := range 9 {
			if code, _ := c.write(leader, "t", 0, fmt.Sprint("value ", i)); code != kafka.ErrNone {
				t.Fatal(code)
			}
		}
		victim := leader
		if seed%2 == 1 {
			victim = leader%3 + 1
		}
		c.w.Run(5 * time.Second) // the recovery point is written: what is below it is not what a crash tore
		whole := c.bytesOf(victim, firstSegment)
		c.kill(victim)
		c.rot(victim, firstSegment, func(d []byte) {
			size := len(d) / 9
			d[size+66] ^= 8
			clear(d[4*size : 6*size])
		})
		c.start(int(victim))
		c.await("it is back", time.Minute, func() bool { return c.at(victim).ready != nil })
		c.await("it was repaired", time.Minute, func() bool {
			c.read(victim, "t", 0, 1)
			c.read(victim, "t", 0, 4)
			return c.bytesOf(victim, firstSegment) == whole
		})
		c.await("nothing is left to repair", time.Minute, func() bool { return c.at(victim).node.Gauges().Standing().Repair.Unmended == 0 })
		if s := c.at(victim).node.Gauges().Standing(); s.Repair.Mended == 0 || s.Repair.Mended != s.Damages {
			t.Errorf("seed %d: %d damages, %d repaired", seed, s.Damages, s.Repair.Mended)
		}
		kept := 0
		for _, e := range must.Get(c.at(victim).fs.List("data/t-0")) {
			if strings.HasSuffix(e.Name, ".damaged") {
				kept++
			}
		}
		if kept == 0 {
			t.Errorf("seed %d: the bytes that were there are gone", seed)
		}
	}
}
