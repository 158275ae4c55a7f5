// Package golden reads the data directories of Apache Kafka that tests keep as archives.
//
// Tests of the rooms that read Kafka's files call it; the programs never do. It knows nothing of what is in a file. Invariant:
// an archive that cannot be read to its end fails the test.
package golden

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"testing"

	"github.com/milena-io/milena/internal/disk"
)

// Entry is a file of an archive, or a directory.
type Entry struct {
	Name string // below the data directory
	Dir  bool
	Data []byte
}

// Read returns everything in a .tar.gz, in its order.
func Read(t testing.TB, archive string) (all []Entry) {
	t.Helper()
	f, err := disk.NewOS().Open(archive, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(io.NewSectionReader(f, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Entry{h.Name, h.Typeflag == tar.TypeDir, data})
	}
}
