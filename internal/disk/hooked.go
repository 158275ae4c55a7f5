package disk

import "io"

// Op is a kind of call on a file system or a file.
type Op string

// The calls that wrappers see.
const (
	OpOpen      Op = "open"
	OpRead      Op = "read"
	OpWrite     Op = "write"
	OpSync      Op = "sync"
	OpTruncate  Op = "truncate"
	OpSize      Op = "size"
	OpClose     Op = "close"
	OpRename    Op = "rename"
	OpRemove    Op = "remove"
	OpRemoveAll Op = "removeall"
	OpMkdirAll  Op = "mkdirall"
	OpList      Op = "list"
	OpStat      Op = "stat"
	OpSyncDir   Op = "syncdir"
	OpLock      Op = "lock"
	OpUsage     Op = "usage"

	OpSyncVolume Op = "syncvolume"

	opFailSync  Op = "failed sync" // in a journal
	opFailSyncs Op = "failed syncs"
)

// Call is one call as a wrapper sees it.
type Call struct {
	Op   Op
	Path string
	To   string // of a rename
	Off  int64  // of a read or write; the size of a truncation
	N    int    // bytes asked for
}

// hook sees every call before it reaches the file system. An error keeps it from doing so; then, of a write, the first
// keep bytes reach the file all the same.
type hook func(c Call) (keep int, err error)

// hooked is a file system with a hook. Its files have no descriptor, so that nothing goes around it.
type hooked struct {
	inner FS
	hook  hook
}

func (h *hooked) Open(path string, flags Flag) (File, error) {
	if _, err := h.hook(Call{Op: OpOpen, Path: path}); err != nil {
		return nil, err
	}
	f, err := h.inner.Open(path, flags)
	if err != nil {
		return nil, err
	}
	return &hookedFile{f, path, h.hook}, nil
}

func (h *hooked) Rename(from, to string) error {
	if _, err := h.hook(Call{Op: OpRename, Path: from, To: to}); err != nil {
		return err
	}
	return h.inner.Rename(from, to)
}

func (h *hooked) Remove(path string) error {
	if _, err := h.hook(Call{Op: OpRemove, Path: path}); err != nil {
		return err
	}
	return h.inner.Remove(path)
}

func (h *hooked) RemoveAll(path string) error {
	if _, err := h.hook(Call{Op: OpRemoveAll, Path: path}); err != nil {
		return err
	}
	return h.inner.RemoveAll(path)
}

func (h *hooked) MkdirAll(path string) error {
	if _, err := h.hook(Call{Op: OpMkdirAll, Path: path}); err != nil {
		return err
	}
	return h.inner.MkdirAll(path)
}

func (h *hooked) List(dir string) ([]Entry, error) {
	if _, err := h.hook(Call{Op: OpList, Path: dir}); err != nil {
		return nil, err
	}
	return h.inner.List(dir)
}

func (h *hooked) Stat(path string) (Entry, error) {
	if _, err := h.hook(Call{Op: OpStat, Path: path}); err != nil {
		return Entry{}, err
	}
	return h.inner.Stat(path)
}

func (h *hooked) SyncDir(dir string) error {
	if _, err := h.hook(Call{Op: OpSyncDir, Path: dir}); err != nil {
		return err
	}
	return h.inner.SyncDir(dir)
}

func (h *hooked) Lock(path string) (io.Closer, error) {
	if _, err := h.hook(Call{Op: OpLock, Path: path}); err != nil {
		return nil, err
	}
	return h.inner.Lock(path)
}

func (h *hooked) Usage(dir string) (total, usable int64, err error) {
	if _, err := h.hook(Call{Op: OpUsage, Path: dir}); err != nil {
		return 0, 0, err
	}
	return h.inner.Usage(dir)
}

type hookedFile struct {
	inner File
	path  string
	hook  hook
}

func (f *hookedFile) ReadAt(p []byte, off int64) (int, error) {
	if _, err := f.hook(Call{Op: OpRead, Path: f.path, Off: off, N: len(p)}); err != nil {
		return 0, err
	}
	return f.inner.ReadAt(p, off)
}

func (f *hookedFile) WriteAt(p []byte, off int64) (int, error) {
	keep, err := f.hook(Call{Op: OpWrite, Path: f.path, Off: off, N: len(p)})
	if err == nil {
		return f.inner.WriteAt(p, off)
	}
	if keep > 0 {
		n, werr := f.inner.WriteAt(p[:min(keep, len(p))], off)
		if werr != nil {
			err = werr
		}
		return n, err
	}
	return 0, err
}

func (f *hookedFile) Sync() error {
	if _, err := f.hook(Call{Op: OpSync, Path: f.path}); err != nil {
		if s, ok := f.inner.(interface{ FailSync() }); ok {
			s.FailSync()
		}
		return err
	}
	return f.inner.Sync()
}

func (f *hookedFile) Truncate(size int64) error {
	if _, err := f.hook(Call{Op: OpTruncate, Path: f.path, Off: size}); err != nil {
		return err
	}
	return f.inner.Truncate(size)
}

func (f *hookedFile) Size() (int64, error) {
	if _, err := f.hook(Call{Op: OpSize, Path: f.path}); err != nil {
		return 0, err
	}
	return f.inner.Size()
}

func (f *hookedFile) Name() string { return f.inner.Name() }

// Close always closes; a hook's error comes on top.
func (f *hookedFile) Close() error {
	_, err := f.hook(Call{Op: OpClose, Path: f.path})
	if cerr := f.inner.Close(); err == nil {
		err = cerr
	}
	return err
}
