package inspect

import (
	"path"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/golden"
)

const archives = "../log/testdata/kafka-4.3.1/"

// unpack puts a directory that Apache Kafka wrote into memory and returns what kafka-dump-log says of it, by file.
func unpack(t testing.TB, name string) (*disk.Mem, map[string][]string) {
	t.Helper()
	m := disk.NewMem()
	var dump string
	for _, e := range golden.Read(t, archives+name+".tar.gz") {
		if e.Name == "DUMP.txt" {
			dump = string(e.Data)
		} else if !e.Dir {
			write(t, m, "/data/"+e.Name, e.Data)
		}
	}
	return m, sections(dump)
}

func write(t testing.TB, m *disk.Mem, name string, data []byte) {
	t.Helper()
	if err := m.MkdirAll(path.Dir(name)); err != nil {
		t.Fatal(err)
	}
	f, err := m.Open(name, disk.Write|disk.Create|disk.Trunc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, m *disk.Mem, name string) []byte {
	t.Helper()
	data, err := small(m, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sections splits a dump by file. Values may hold newlines, so a section is compared as text.
func sections(dump string) map[string][]string {
	out := map[string][]string{}
	for _, s := range strings.Split(dump, "Dumping ")[1:] {
		name, body, _ := strings.Cut(s, "\n")
		body, _, _ = strings.Cut(body, "Non-consecutive offsets in ")
		out[name] = strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	}
	return out
}

var everyArchive = []string{"codecs", "compacted", "groups", "idempotent", "logstart", "metadata", "node-clean", "node-killed", "node-torn", "transactions"}
