package offline

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

// one is a batch with one record of null key and the value "x", written out by hand.
func one(base int64) []byte {
	record := []byte{7 << 1, 0, 0, 0, 1, 1 << 1, 'x', 0}
	b := make([]byte, headerSize, headerSize+len(record))
	b = append(b, record...)
	be := binary.BigEndian
	be.PutUint64(b, uint64(base))
	be.PutUint32(b[8:], uint32(len(b)-logOverhead))
	b[16] = 2
	be.PutUint64(b[43:], ^uint64(0))
	be.PutUint32(b[57:], 1)
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

func write(t *testing.T, dir, name string, parts ...[]byte) {
	t.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if err := os.WriteFile(filepath.Join(dir, name), all, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "00000000000000000000.log", one(0), one(1))
	write(t, dir, "00000000000000000002.log", one(2), one(3)[:40])
	log, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(log.Batches) != 3 || log.Torn == "" {
		t.Fatalf("%d batches, torn %q", len(log.Batches), log.Torn)
	}
	records, err := log.Records()
	if err != nil {
		t.Fatal(err)
	}
	last := records[2]
	if last.Offset != 2 || last.Key != nil || string(last.Value) != "x" {
		t.Fatalf("%+v", last)
	}
}

// After a power cut the log ends where the first thing is missing, whichever segment that is.
func TestReadCut(t *testing.T) {
	for name, segments := range map[string][2][]byte{
		"torn":    {append(one(0), one(1)[:40]...), one(2)},
		"short":   {one(0), one(2)},
		"blank":   {append(append(one(0), one(1)[:12]...), make([]byte, 500)...), one(2)},
		"flipped": {append(one(0), append(one(1)[:60], 0xff)...), one(2)},
	} {
		dir := t.TempDir()
		write(t, dir, "00000000000000000000.log", segments[0])
		write(t, dir, "00000000000000000002.log", segments[1])
		log, err := ReadCut(dir)
		if err != nil {
			t.Fatal(name, err)
		}
		if len(log.Batches) != 1 || log.Torn == "" {
			t.Errorf("%s: %d batches, torn %q", name, len(log.Batches), log.Torn)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	flipped := one(1)
	flipped[len(flipped)-2] ^= 1
	for name, segments := range map[string][2][]byte{
		"a torn batch before the last segment": {one(0)[:50], one(1)},
		"a flipped bit before the last one":    {flipped, one(2)},
		"an offset twice":                      {append(one(0), one(0)...), one(5)},
		"a segment inside the one before":      {append(one(0), one(1)...), one(1)},
	} {
		dir := t.TempDir()
		write(t, dir, "00000000000000000000.log", segments[0])
		write(t, dir, "00000000000000000001.log", segments[1])
		if log, err := Read(dir); err == nil {
			t.Errorf("%s: no error, %d batches", name, len(log.Batches))
		}
	}
}
