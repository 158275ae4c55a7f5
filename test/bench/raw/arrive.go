package raw

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// Arrive sends perSecond requests a second to partition 0 and reads them at the end of the partition, over a connection
// each, and times every request from when it was due until the reader had its last record. from is the end before the first.
// The times come back sorted.
func (l Load) Arrive(ctx context.Context, perSecond float64, how time.Duration, from int64) ([]time.Duration, error) {
	l.Partitions, l.Connections = 1, 1
	n := int(how.Seconds() * perSecond)
	begin := time.Now().Add(10 * time.Millisecond)
	read := make(chan error, 1)
	var took []time.Duration
	tail, err := dial(l.Addr)
	if err != nil {
		return nil, err
	}
	defer tail.Close()
	go func() {
		d := Drain{Topic: l.Topic, MaxBytes: 1 << 20, WaitMs: 500}
		req, at := d.request(0, from)
		for offset := from; len(took) < n; {
			binary.BigEndian.PutUint64(req[at:], uint64(offset))
			if _, err := tail.Write(req); err != nil {
				read <- err
				return
			}
			_, next, err := tail.fetched(l.Topic, offset)
			if err != nil {
				read <- err
				return
			}
			now := time.Now()
			for from+int64(len(took)+1)*int64(l.Records) <= next {
				due := begin.Add(time.Duration(float64(len(took)) / perSecond * 1e9))
				took = append(took, now.Sub(due))
			}
			offset = next
		}
		read <- nil
	}()
	_, err = l.pace(ctx, perSecond, begin, n)
	if err != nil {
		tail.Close() // the reader waits for what does not come
	}
	err = errors.Join(err, <-read)
	slices.Sort(took)
	return took, err
}
