// Package inspect reads a data directory offline: it prints what the files of a log say and finds what is wrong with them.
//
// The command line calls it (log ls, log dump, log verify). It reads files through disk.FS as they are on disk, in Kafka's
// formats, whoever wrote them, and never through the log engine, so that it can judge what the engine wrote. It never
// writes, never takes the directory's lock and never waits, so it works beside a running node: a file that disappears
// under it was deleted by retention and is passed over, and a tail that is still being written is read again before it
// is called torn.
//
// Invariants: every problem names its file and byte; nothing is allocated on a claimed length before the bytes are
// there; one bad file doesn't end the reading of the others.
package inspect

import (
	"errors"
	"fmt"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File     string       `json:"file"`
	Position int64        `json:"position"` // byte in the file, -1 when it is the file as a whole
	Offset   kafka.Offset `json:"offset"`   // record offset, -1 when there is none
	Message  string       `json:"message"`
}

// Text is the line for people.
func (p Problem) Text() string {
	s := p.File + ": "
	if p.Position >= 0 {
		s += fmt.Sprintf("byte %d: ", p.Position)
	}
	if p.Offset >= 0 {
		s += fmt.Sprintf("offset %d: ", p.Offset)
	}
	return s + p.Message
}

// window is how much of a log file is read at a time, bytes.
const window = 256 << 10

// maxSmallFile bounds the files that are read whole: indexes, snapshots and checkpoints, bytes.
const maxSmallFile = 1 << 30

// small reads a file whole; a missing one is nil.
func small(fsys disk.FS, path string) ([]byte, error) {
	return checkpoint.Load(fsys, path, maxSmallFile)
}

// describe takes the sentence out of a parser's error, without the operation that found it.
func describe(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Message != "" {
		return f.Message
	}
	return err.Error()
}

// damage reports whether an error is about bytes, which is a finding, and not about the disk, which ends the reading.
func damage(err error) bool {
	return fault.IsKind(err, fault.Corrupt) || fault.CodeOf(err) == kafka.ErrUnsupportedVersion
}

// gone reports whether a file was deleted beside us.
func gone(err error) bool { return errors.Is(err, disk.ErrNotExist) }
