package kill

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
)

// reader reads a partition's directory.
type reader func(dir string) (*offline.Log, error)

// judge reads the dead broker's partitions. Numbers must rise by one from record to record: that excludes loss in the
// middle, doubles and disorder; every acknowledged record must stand at the offset it was acknowledged with. whole
// says that nothing was outstanding: then the last number must be the last one sent and nothing may be torn.
func judge(node broker.Broker, f *flow, read reader, whole bool) error {
	for p := range partitions {
		// First what was acknowledged, then the disk: an acknowledgement that is still on its way through the client
		// only makes the judge milder.
		f.mu.Lock()
		acked, sent := slices.Clone(f.acked[p]), f.sent[p]
		f.mu.Unlock()
		dir := filepath.Join(node.DataDir(), fmt.Sprintf("%s-%d", topic, p))
		log, err := read(dir)
		if err != nil {
			return err
		}
		if whole && log.Torn != "" {
			return fmt.Errorf("%s: torn after a clean stop: %s", dir, log.Torn)
		}
		records, err := log.Records()
		if err != nil {
			return err
		}
		for i, r := range records {
			if number := int64(binary.BigEndian.Uint64(r.Value)); number != int64(i) || r.Offset != int64(i) {
				return fmt.Errorf("%s: record %d has number %d and offset %d", dir, i, number, r.Offset)
			}
		}
		for number, offset := range acked {
			if offset >= 0 && (offset != int64(number) || offset >= int64(len(records))) {
				return fmt.Errorf("%s: record %d was acknowledged at offset %d; the log ends at %d", dir, number, offset, len(records))
			}
		}
		if whole && int64(len(records)) != sent {
			return fmt.Errorf("%s: %d records, %d were sent", dir, len(records), sent)
		}
	}
	return nil
}
