package disk

// Volume makes everything durable at once that was written on the volume of a directory: the bytes of every file and every
// name, whoever wrote them. It is for a process that stops or begins and has thousands of small files to sync, and for nobody who
// waits: it writes other programs' data, too (ADR 0009, ADR 0014).
//
// Sync is good when nothing that was written since OpenVolume failed to be. When it is not, that may be about anybody's file:
// then each file is to be synced, and that decides.
type Volume interface {
	Syncer
	Close() error
}

// Volumes is the optional upgrade of an FS that has them.
type Volumes interface {
	// OpenVolume returns the volume of a directory; an error where the system can't sync one, or doesn't tell when that failed.
	OpenVolume(dir string) (Volume, error)
}

// OpenVolume returns the volume of a directory; nil where there is no such thing, and each file is to be synced.
func OpenVolume(fsys FS, dir string) Volume {
	if all, ok := fsys.(Volumes); ok {
		if v, err := all.OpenVolume(dir); err == nil {
			return v
		}
	}
	return nil
}

// Witness is the optional upgrade of a File that tells of failed writing which nobody was told of yet, and makes nothing
// durable. After Volume.Sync it stands for Sync: somebody else may have been told of what concerns this file.
type Witness interface{ Written() error }

// Written tells of failed writing of a file on a volume that was synced; where the system doesn't tell, Sync does.
func Written(f File) error {
	if w, ok := f.(Witness); ok {
		return w.Written()
	}
	return f.Sync()
}

// OpenVolume passes the question on.
func (s *Space) OpenVolume(dir string) (Volume, error) { return openVolume(s.FS, dir) }

func (h *hooked) OpenVolume(dir string) (Volume, error) {
	v, err := openVolume(h.inner, dir)
	if err != nil {
		return nil, err
	}
	return hookedVolume{v, h, dir}, nil
}

func openVolume(fsys FS, dir string) (Volume, error) {
	if all, ok := fsys.(Volumes); ok {
		return all.OpenVolume(dir)
	}
	return nil, fail("open volume", dir, errNoVolume)
}

// hookedVolume is one whose sync a wrapper sees.
type hookedVolume struct {
	Volume
	h   *hooked
	dir string
}

func (v hookedVolume) Sync() error {
	if _, err := v.h.hook(Call{Op: OpSyncVolume, Path: v.dir}); err != nil {
		return err // about somebody else's file: ours are as dirty as they were
	}
	return v.Volume.Sync()
}

// OpenVolume returns all of the disk in memory.
func (m *Mem) OpenVolume(string) (Volume, error) { return memVolumeSync{m}, nil }

type memVolumeSync struct{ m *Mem }

func (v memVolumeSync) Close() error { return nil }

func (v memVolumeSync) Sync() error {
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	v.m.note(Event{Op: OpSyncVolume, Path: "/"})
	v.m.syncAll()
	return nil
}

// FailSync is a failed sync of every file that is dirty.
func (m *Mem) FailSync() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note(Event{Op: opFailSyncs, Path: "/"})
	m.failSyncs()
}

// syncAll makes every file and every name durable. Called with the mutex held.
func (m *Mem) syncAll() { m.root.tree(map[any]bool{}, (*memDir).sync, (*memFile).sync) }

// failSyncs is FailSync. Called with the mutex held.
func (m *Mem) failSyncs() { m.root.tree(map[any]bool{}, func(*memDir) {}, (*memFile).failSync) }

// tree visits every directory from one on, after what is in it, and every file, with its lock held; each once.
func (d *memDir) tree(seen map[any]bool, dir func(*memDir), file func(*memFile)) {
	if seen[d] {
		return
	}
	seen[d] = true
	d.each(func(n any) {
		switch n := n.(type) {
		case *memDir:
			n.tree(seen, dir, file)
		case *memFile:
			if !seen[n] {
				seen[n] = true
				n.mu.Lock()
				file(n)
				n.mu.Unlock()
			}
		}
	})
	dir(d)
}
