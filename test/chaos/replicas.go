package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"

	"github.com/milena-io/milena/test/chaos/lab"
	"github.com/milena-io/milena/test/compat/offline"
)

// compare reads every replica of a topic that nobody writes any more, without any of milena's code: they hold the same batches, byte for
// byte, offsets and leader epochs included (R1). What they hold is noted for the end of the run.
func (c *campaign) compare(topic string) {
	for p := range partitions {
		name := fmt.Sprintf("%s-%d", topic, p)
		sum, err := sum(c.lab.Brokers(), name)
		if err != nil {
			c.report.found("R1 replicas: %v", err)
			continue
		}
		c.sums[name] = sum
	}
}

// again holds every partition of the run against what its round left.
func (c *campaign) again() error {
	var names []string
	for name := range c.sums {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		sum, err := sum(c.lab.Brokers(), name)
		if err != nil {
			c.report.found("R1 replicas, at the end: %v", err)
		} else if sum != c.sums[name] {
			c.report.found("R3 log: %s is not what it was when its round was over", name)
		}
	}
	return nil
}

// sum is of a partition's content, which is the same on all nodes.
func sum(nodes []*lab.Node, name string) (sum uint32, err error) {
	var first *offline.Log
	for _, n := range nodes {
		log, err := offline.Read(filepath.Join(n.Data(), name))
		if err != nil {
			return 0, err
		}
		if first == nil {
			first = log
			continue
		}
		if err := same(first, log); err != nil {
			return 0, err
		}
	}
	for _, b := range first.Batches {
		var word [24]byte
		binary.BigEndian.PutUint64(word[:], uint64(b.BaseOffset))
		binary.BigEndian.PutUint64(word[8:], uint64(b.LastOffset))
		binary.BigEndian.PutUint32(word[16:], uint32(b.LeaderEpoch))
		binary.BigEndian.PutUint32(word[20:], b.CRC)
		sum = crc32.Update(sum, crc32.IEEETable, word[:])
	}
	return sum, nil
}

// same compares what two replicas hold; where segments begin may differ.
func same(a, b *offline.Log) error {
	for i := range max(len(a.Batches), len(b.Batches)) {
		if i >= len(a.Batches) || i >= len(b.Batches) {
			return fmt.Errorf("%s has %d batches and %s %d", a.Dir, len(a.Batches), b.Dir, len(b.Batches))
		}
		x, y := a.Batches[i], b.Batches[i]
		if x.BaseOffset != y.BaseOffset || x.LastOffset != y.LastOffset || x.LeaderEpoch != y.LeaderEpoch || x.CRC != y.CRC || x.Size != y.Size {
			return fmt.Errorf("batch %d of %s has offsets %d to %d, epoch %d, sum %08x; of %s offsets %d to %d, epoch %d, sum %08x", i,
				a.Dir, x.BaseOffset, x.LastOffset, x.LeaderEpoch, x.CRC, b.Dir, y.BaseOffset, y.LastOffset, y.LeaderEpoch, y.CRC)
		}
	}
	return nil
}
