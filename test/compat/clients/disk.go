package clients

import (
	"fmt"
	"os"
	"sort"

	"github.com/milena-io/milena/test/compat/driver"
	"github.com/milena-io/milena/test/compat/offline"
)

// onDisk reads what the stopped broker left: exactly what was acknowledged, in order, in the codec that was asked for.
func (st *stage) onDisk() error {
	topics := make([]string, 0, len(st.wrote))
	for topic := range st.wrote {
		topics = append(topics, topic)
	}
	sort.Strings(topics)
	for _, topic := range topics {
		var all []driver.Record
		for p := 0; ; p++ {
			dir := folder(st.node, topic, p)
			if _, err := os.Stat(dir); err != nil {
				break
			}
			records, err := stored(dir, p, st.codec[topic])
			if err != nil {
				return err
			}
			all = append(all, records...)
		}
		if err := compare(st.wrote[topic], all, !st.drive.OwnTimestamps); err != nil {
			return fmt.Errorf("%s: %w", topic, err)
		}
	}
	if len(topics) == 0 {
		return fmt.Errorf("nothing was acknowledged before")
	}
	return nil
}

func stored(dir string, p int, codec string) ([]driver.Record, error) {
	log, err := offline.Read(dir)
	if err != nil {
		return nil, err
	}
	if log.Torn != "" {
		return nil, fmt.Errorf("%s: torn after a clean stop: %s", dir, log.Torn)
	}
	packed := false
	for _, b := range log.Batches {
		// A client may send a small batch plain when packing does not pay.
		if b.Codec != codec && b.Codec != "none" {
			return nil, fmt.Errorf("%s: a batch packed with %s, want %s", dir, b.Codec, codec)
		}
		packed = packed || b.Codec == codec
	}
	if len(log.Batches) > 0 && !packed {
		return nil, fmt.Errorf("%s: no batch is packed with %s", dir, codec)
	}
	records, err := log.Records()
	if err != nil {
		return nil, err
	}
	out := make([]driver.Record, len(records))
	for i, r := range records {
		out[i] = driver.Record{Partition: int32(p), Offset: r.Offset, Timestamp: r.Timestamp, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, driver.Header{Key: h.Key, Value: h.Value})
		}
	}
	return out, nil
}
