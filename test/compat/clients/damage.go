package clients

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/milena-io/milena/test/compat/driver"
)

// glance is for how long a client is watched that is to get nothing more. One that gets something fails the case at once.
const glance = 3 * time.Second

// damage: a bit of the second of three batches flips while the broker is down. The client gets the first, never the
// second, and the third when its group is told to go on behind.
func (st *stage) damage(ctx context.Context) error {
	topic := st.named("damage")
	if err := st.node.Start(ctx); err != nil {
		return err
	}
	if err := st.topic(ctx, topic, 1); err != nil {
		return err
	}
	for range 3 {
		if err := st.produce(ctx, topic, "none", plain(1, 1)); err != nil {
			return err
		}
	}
	if err := st.node.Stop(); err != nil {
		return err
	}
	if err := flip(filepath.Join(folder(st.node, topic, 0), "00000000000000000000.log"), 1); err != nil {
		return err
	}
	if err := st.node.Start(ctx); err != nil {
		return err
	}
	front, err := st.drive.Join(st.node.Bootstrap(), topic, "front-"+topic)
	if err != nil {
		return err
	}
	defer front.Kill9()
	if err := offsets(ctx, front, 0); err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	if got, err := front.Records(short, 1); err == nil {
		return fmt.Errorf("offset %d came from behind the damage, which is at 1", got[0].Offset)
	}
	group := "behind-" + topic
	told := kadm.Offsets{}
	told.AddOffset(topic, 0, 2, -1)
	if err := st.admin.CommitAllOffsets(ctx, group, told); err != nil {
		return err
	}
	behind, err := st.drive.Join(st.node.Bootstrap(), topic, group)
	if err != nil {
		return err
	}
	defer behind.Kill9()
	return offsets(ctx, behind, 2)
}

// offsets waits for as many records and compares their offsets.
func offsets(ctx context.Context, m *driver.Member, want ...int64) error {
	records, err := m.Records(ctx, len(want))
	if err != nil {
		return err
	}
	var got []int64
	for _, r := range records {
		got = append(got, r.Offset)
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("got offsets %v, want %v", got, want)
	}
	return nil
}

// flip flips a bit of the last byte of the n-th batch of a segment.
func flip(path string, n int) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	end := 0
	for range n + 1 {
		if end+12 > len(data) {
			return fmt.Errorf("%s: no batch at %d", path, end)
		}
		end += 12 + int(binary.BigEndian.Uint32(data[end+8:]))
	}
	if end > len(data) {
		return fmt.Errorf("%s: the batch ends at %d of %d", path, end, len(data))
	}
	data[end-1] ^= 1
	return os.WriteFile(path, data, 0o644)
}
