package clean

import (
	"errors"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/segment"
)

// Offer moves an output's files from .cleaned to .swap. Their names as .cleaned are durable.
func Offer(fsys disk.FS, dir string, w *segment.Written) error {
	suffixes := beside(w)
	slices.Reverse(suffixes)
	return rename(fsys, dir, w.Base, segment.CleanedSuffix, segment.SwapSuffix, append(suffixes, segment.LogSuffix)...)
}

// Withdraw removes what an Offer that failed has named, while other files tell that it did: those are .cleaned yet. The
// caller makes it durable before they go.
func Withdraw(fsys disk.FS, dir string, w *segment.Written) error {
	for _, suffix := range append(beside(w), segment.LogSuffix) {
		path := dir + "/" + segment.Name(w.Base, suffix) + segment.SwapSuffix
		if err := fsys.Remove(path); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage("clean.Withdraw", err)
		}
	}
	return nil
}

// TakeLog gives an output's log its name. That is to be durable before TakeRest: while there is a .log.swap, every file
// with a name of its own is one of a source, and goes at the next start.
func TakeLog(fsys disk.FS, dir string, w *segment.Written) error {
	return rename(fsys, dir, w.Base, segment.SwapSuffix, "", segment.LogSuffix)
}

// TakeRest gives the files beside an output's log their names, those that an attempt before has left.
func TakeRest(fsys disk.FS, dir string, w *segment.Written) error {
	for _, suffix := range beside(w) {
		err := rename(fsys, dir, w.Base, segment.SwapSuffix, "", suffix)
		if err != nil && !errors.Is(err, disk.ErrNotExist) {
			return err
		}
	}
	return nil
}

// beside are the suffixes of an output's files other than its log.
func beside(w *segment.Written) []string {
	suffixes := []string{segment.IndexSuffix, segment.TimeIndexSuffix}
	if len(w.Aborted) > 0 {
		suffixes = append(suffixes, segment.TxnIndexSuffix)
	}
	return append(suffixes, segment.SealSuffix)
}

func rename(fsys disk.FS, dir string, base kafka.Offset, from, to string, suffixes ...string) error {
	for _, suffix := range suffixes {
		path := dir + "/" + segment.Name(base, suffix)
		if err := fsys.Rename(path+from, path+to); err != nil {
			return fault.Storage("clean.rename", err)
		}
	}
	return nil
}
