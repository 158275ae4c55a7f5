package segment

// The writer uses the file of the active segment from a write until everything in it is durable. Then the file rests among
// the idle ones of Handles, as those of sealed segments do, so that more partitions can be written than there are
// descriptors. A file with bytes that nobody synced is never closed: a write that fails behind our back is told to those
// who have the file open, and to a later one only while the kernel remembers (S5).

// Hold makes sure that the file of an active segment is open until it is let rest. Only the writer calls it; for a file that
// is held it does nothing.
func (s *Segment) Hold() error {
	if s.file.held {
		return nil
	}
	_, err := s.file.acquire(s)
	s.file.held = err == nil
	return err
}

// Open reports whether a use of the file needs no further descriptor.
func (s *Segment) Open() bool { return s.file.isOpen() }

// Rest lets go of an active segment's file, which is durable. Without Handles to keep it open it stays held: it would be
// closed, and opened again for the next batch. Only the writer calls it.
func (s *Segment) Rest() {
	if s.file.held && s.file.kept != nil {
		s.file.held = false
		s.file.Release()
	}
}
