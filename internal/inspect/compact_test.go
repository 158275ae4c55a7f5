package inspect

import (
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/log/clean"
)

// TestPreviewOfEveryDirectory previews what a real broker wrote, and writes nothing.
func TestPreviewOfEveryDirectory(t *testing.T) {
	const long = 1_990_000_000_000 // when every delete retention is over
	saved := int64(0)
	for _, name := range everyArchive {
		if name == "metadata" { // which is never compacted
			continue
		}
		m, _ := unpack(t, name)
		rec := disk.NewRecording(m)
		last := int64(0)
		list, problems, err := PreviewCompaction(rec, "/data", clean.DefaultPreviewOptions(long), func(done, total int64) {
			if done != last+1 || done > total {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			last = done
		})
		if err != nil || len(problems) > 0 || int64(len(list)) != last {
			t.Fatalf("%s: %v, %+v", name, err, problems)
		}
		if calls := rec.Calls(disk.OpWrite, disk.OpRename, disk.OpRemove, disk.OpSync, disk.OpTruncate, disk.OpSyncDir); len(calls) > 0 {
			t.Errorf("%s: a preview writes: %v", name, disk.Script(calls))
		}
		for _, c := range list {
			if c.LeftRecords > c.ReadRecords || c.SavedBytes > c.Bytes {
				t.Errorf("%s: %+v", name, c)
			}
			saved += c.SavedBytes
		}
	}
	if saved == 0 {
		t.Error("nothing of any directory would be gone")
	}
}

func TestPreviewOfDamage(t *testing.T) {
	m, _ := unpack(t, "transactions")
	write(t, m, log0, set(8, 0x7f)(append([]byte(nil), read(t, m, log0)...)))
	list, problems, err := PreviewCompaction(m, "/data/txn-0", clean.DefaultPreviewOptions(1_990_000_000_000), nil)
	if err != nil || len(list) != 0 || len(problems) != 1 {
		t.Errorf("%+v, %+v, %v", list, problems, err)
	}
	if _, _, err := PreviewCompaction(m, "/", clean.DefaultPreviewOptions(0), nil); err == nil {
		t.Error("a directory without logs was previewed")
	}
}
