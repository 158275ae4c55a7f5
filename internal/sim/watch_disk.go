package sim

import (
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/history/replicas"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/record"
)

// logOn reads a log from a disk as it is, batch after batch for as long as they check, and where it ends. What is there
// of an earlier topic of that name isn't it.
func logOn(fs *disk.Mem, tp kafka.TopicPartition, id kafka.TopicID) (log []replicas.Batch, end kafka.Offset) {
	for _, dir := range []string{firstDir, secondDir} {
		dir += "/" + tp.String()
		if entries, err := fs.List(dir); err == nil && of(fs, dir, id) {
			return batchesIn(fs, dir, entries)
		}
	}
	return nil, kafka.NoOffset
}

// batchesIn reads a log's batches for as long as they check.
func batchesIn(fs *disk.Mem, dir string, entries []disk.Entry) (log []replicas.Batch, end kafka.Offset) {
	for _, e := range entries {
		if !strings.HasSuffix(e.Name, ".log") {
			continue
		}
		f, err := fs.Open(dir+"/"+e.Name, 0)
		base, named := strconv.ParseInt(strings.TrimSuffix(e.Name, ".log"), 10, 64)
		if err != nil || named != nil {
			return log, end
		}
		end = max(end, kafka.Offset(base))
		b := make([]byte, e.Size)
		n, _ := f.ReadAt(b, 0)
		for b = b[:n]; len(b) > 0; {
			one, rest, err := record.Next(b)
			if err != nil || one.CheckCRC() != nil || len(log) > 0 && one.BaseOffset() != log[len(log)-1].Last+1 {
				return log, end
			}
			end = one.NextOffset()
			log = append(log, replicas.Batch{Base: one.BaseOffset(), Last: one.LastOffset(), Epoch: one.LeaderEpoch(), CRC: one.CRC()})
			b = rest
		}
	}
	return log, end
}

// of reports whether a partition's directory is that of a topic, as far as it says.
func of(fs *disk.Mem, dir string, id kafka.TopicID) bool {
	f, err := fs.Open(dir+"/partition.metadata", 0)
	if err != nil {
		return true
	}
	b := make([]byte, 100)
	n, _ := f.ReadAt(b, 0)
	return n == 0 || strings.Contains(string(b[:n]), id.String())
}
