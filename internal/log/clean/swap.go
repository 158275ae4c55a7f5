package clean

import (
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/log/segment"
)

// Rename moves an output's files from one suffix to another. The log is the last to become .swap, for without it the rest
// says nothing, and the first to lose that, for a log without indexes is whole.
func Rename(fsys disk.FS, dir string, w *segment.Written, from, to string) error {
	order := []string{segment.LogSuffix, segment.IndexSuffix, segment.TimeIndexSuffix}
	if len(w.Aborted) > 0 {
		order = append(order, segment.TxnIndexSuffix)
	}
	order = append(order, segment.SealSuffix)
	if to == segment.SwapSuffix {
		slices.Reverse(order)
	}
	for _, suffix := range order {
		path := dir + "/" + segment.Name(w.Base, suffix)
		if err := fsys.Rename(path+from, path+to); err != nil {
			return fault.Storage("clean.Rename", err)
		}
	}
	return nil
}
