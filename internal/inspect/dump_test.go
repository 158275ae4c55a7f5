package inspect

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// ours is our dump of an archive, by file.
func ours(t *testing.T, name string, o DumpOptions) (map[string][]string, []Entry) {
	t.Helper()
	m, _ := unpack(t, name)
	var text strings.Builder
	var all []Entry
	err := Dump(m, "/data", o, func(e Entry) error {
		text.WriteString(strings.ReplaceAll(e.Text(), "Dumping /data/", "Dumping ") + "\n")
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sections(text.String()), all
}

// TestDumpIsKafkas compares line by line with what Apache Kafka's tool printed of the same files.
func TestDumpIsKafkas(t *testing.T) {
	compared := 0
	for _, name := range everyArchive {
		_, theirs := unpack(t, name)
		have, _ := ours(t, name, DumpOptions{Records: true})
		for file, want := range theirs {
			if strings.Contains(file, "-torn") || name == "node-torn" && strings.HasPrefix(file, "work-1/") {
				continue // kafka-dump-log stops with a stack trace at the torn batch
			}
			got := have[file]
			if strings.HasPrefix(file, "__transaction_state") { // has no decoder here yet
				got, want = batchLines(got), batchLines(want)
			}
			if len(got) != len(want) {
				t.Errorf("%s: %s: %d lines, Kafka's tool prints %d", name, file, len(got), len(want))
				continue
			}
			for i := range want {
				if decodedOtherwise(file, want[i]) {
					continue
				}
				compared++
				if got[i] != want[i] && utf8.ValidString(got[i]) {
					t.Errorf("%s: %s line %d:\nwe print    %s\nKafka prints %s", name, file, i+1, got[i], want[i])
				}
			}
		}
	}
	if compared < 800 {
		t.Errorf("only %d lines were compared", compared)
	}
}

// decodedOtherwise tells the lines that we print in another form: group records of later protocols and of members, whose
// embedded bytes Kafka's tool shows in full.
func decodedOtherwise(file, line string) bool {
	return strings.HasPrefix(file, "__consumer_offsets") && strings.HasPrefix(line, "|") &&
		!strings.Contains(line, `{"type":"1"`) && !strings.Contains(line, `"members":[]`)
}

func batchLines(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, "baseOffset: ") })
}

func TestDumpAsJSON(t *testing.T) {
	_, all := ours(t, "codecs", DumpOptions{Records: true})
	kinds := map[string]int{}
	var nulls, binary int
	for _, e := range all {
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		kind, _ := back["kind"].(string)
		kinds[kind]++
		if kind == "record" {
			if back["key"] == nil {
				nulls++
			}
			if _, ok := back["key"].(map[string]any); ok {
				binary++
			}
		}
	}
	for _, kind := range []string{"file", "batch", "record", "timeindex", "epoch", "property"} {
		if kinds[kind] == 0 {
			t.Errorf("no entry of kind %q", kind)
		}
	}
	if kinds["batch"] != 18 || nulls == 0 || binary == 0 {
		t.Errorf("batches %d, null keys %d, binary keys %d", kinds["batch"], nulls, binary)
	}
}

func TestDumpLimit(t *testing.T) {
	have, _ := ours(t, "idempotent", DumpOptions{Limit: 1})
	if lines := have["idempotent-0/00000000000000000000.log"]; len(lines) != 2 {
		t.Errorf("a limit of 1 batch gives %d lines: %q", len(lines), lines)
	}
}

func TestDumpTellsDamageAndGoesOn(t *testing.T) {
	m, _ := unpack(t, "idempotent")
	data := read(t, m, "/data/idempotent-0/00000000000000000000.log")
	write(t, m, "/data/idempotent-0/00000000000000000000.log", data[:len(data)-7])
	var found []Problem
	batches := 0
	err := Dump(m, "/data/idempotent-0", DumpOptions{}, func(e Entry) error {
		switch e := e.(type) {
		case Finding:
			found = append(found, e.Problem)
		case Batch:
			batches++
		}
		return nil
	})
	if err != nil || len(found) != 1 || found[0].Position <= 0 || batches < 5 {
		t.Errorf("found %+v in %d batches, %v", found, batches, err)
	}
}
