package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/must"
)

// bytesOf reads a file of a node.
func (c *three) bytesOf(id int32, path string) string {
	c.t.Helper()
	f := must.Get(c.at(id).fs.Open(path, 0))
	defer f.Close()
	data := make([]byte, must.Get(f.Size()))
	must.Get(f.ReadAt(data, 0))
	return string(data)
}

// rots has the records of a node's first segment rot while the node is down, starts it again, and returns what they were.
func (c *three) rots(id int32, change func([]byte)) (whole string) {
	c.t.Helper()
	c.w.Run(5 * time.Second) // the recovery point is written: what is below it is not what a crash tore
	whole = c.bytesOf(id, firstSegment)
	c.kill(id) // so that nothing of it is in memory
	data := []byte(whole)
	change(data)
	if string(data) == whole {
		c.t.Fatal("nothing differs")
	}
	f := must.Get(c.at(id).fs.Open(firstSegment, disk.Write))
	must.Get(f.WriteAt(data, 0))
	must.OK(f.Close())
	c.start(int(id))
	c.await("it is back", time.Minute, func() bool { return c.at(id).ready != nil })
	return whole
}

const firstSegment = "data/t-0/00000000000000000000.log"

// R15: records that rotted on one replica, leader or follower, are repaired from another, byte for byte, with the node that has
// them leading and serving on; what was there is kept.
func TestADamagedReplicaIsRepairedFromAnother(t *testing.T) {
	for seed := range uint64(6) {
		c := newThree(t, seed)
		leader, victim := c.led("t", 9)
		if seed%2 == 0 {
			victim = leader
		}
		whole := c.rots(victim, func(d []byte) {
			size := len(d) / 9
			d[size+66] ^= 8
			clear(d[4*size : 6*size])
		})
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
