package wire

import (
	"encoding/csv"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// TestRangesAreKafkas compares the table with what a running Apache Kafka 4.3.1 advertised (surface.md (e) 2).
func TestRangesAreKafkas(t *testing.T) {
	f, err := os.Open("testdata/api-versions-4.3.1.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	ranges := map[int16][2]int16{}
	for _, r := range rows[1:] {
		key, _ := strconv.Atoi(r[0])
		low, _ := strconv.Atoi(r[2])
		high, _ := strconv.Atoi(r[3])
		ranges[int16(key)] = [2]int16{int16(low), int16(high)}
	}
	keys := everything().Advertised(Clients)
	if len(keys) < 30 {
		t.Fatalf("only %d APIs", len(keys))
	}
	for _, k := range keys {
		if want, ok := ranges[k.ApiKey]; !ok || want != [2]int16{k.MinVersion, k.MaxVersion} {
			t.Errorf("%v: %d to %d, Kafka has %v", kafka.APIKey(k.ApiKey), k.MinVersion, k.MaxVersion, want)
		}
	}
	if !slices.IsSortedFunc(keys, func(a, b kmsg.ApiVersionsResponseApiKey) int { return int(a.ApiKey - b.ApiKey) }) {
		t.Error("not in order")
	}
	if n := len(everything().Advertised(Controllers)) - len(keys); n != 9 {
		t.Errorf("%d internal APIs", n)
	}
}

// TestFlexibilityIsKafkas compares with kmsg, which was generated from Kafka's own definitions.
func TestFlexibilityIsKafkas(t *testing.T) {
	for _, api := range APIs() {
		for v := api.Min; v <= api.Max; v++ {
			m := kmsg.RequestForKey(int16(api.Key))
			m.SetVersion(v)
			if m.IsFlexible() != api.flexibleIn(v) || v > m.MaxVersion() {
				t.Errorf("%v v%d: flexible %v, kmsg says %v", api.Key, v, api.flexibleIn(v), m.IsFlexible())
			}
		}
	}
}

// TestOnlyRegisteredAPIsAreAdvertised (architecture D14).
func TestOnlyRegisteredAPIsAreAdvertised(t *testing.T) {
	table := NewTable(map[kafka.APIKey]Handler{kafka.KeyMetadata: func(*Request) {}})
	if keys := table.Advertised(Controllers); len(keys) != 1 || keys[0].ApiKey != int16(kafka.KeyMetadata) {
		t.Fatalf("%+v", keys)
	}
	if _, ok := table.API(kafka.KeyFetch); ok {
		t.Fatal("Fetch is there")
	}
	frame := frameOf(&API{Key: kafka.KeyFetch, Flexible: -1}, 4, nil, nil)
	if _, err := table.Decode(frame, allowAll); err == nil || !strings.Contains(err.Error(), "Fetch is not an API") {
		t.Fatalf("got %v", err)
	}
}

func allowAll(int64) bool { return true }

// TestVersionsOutsideTheRange: refused for every API but ApiVersions, Produce 0 to 2 included although advertised
// (surface.md (e) 1, 2).
func TestVersionsOutsideTheRange(t *testing.T) {
	table := everything()
	for _, api := range APIs() {
		for _, v := range []int16{-1, api.Served - 1, api.Max + 1, 32767} {
			d, err := table.Decode(frameOf(&api, v, nil, nil), allowAll)
			if api.Key == kafka.KeyApiVersions {
				if err != nil || !d.UnknownVersion {
					t.Errorf("ApiVersions v%d: %v", v, err)
				}
			} else if err == nil {
				t.Errorf("%v v%d passes", api.Key, v)
			}
		}
	}
}

// TestApiVersionsOfAnUnknownVersion is answered in version 0 with our range (surface.md (e) 1).
func TestApiVersionsOfAnUnknownVersion(t *testing.T) {
	table := everything()
	api, _ := table.API(kafka.KeyApiVersions)
	d, err := table.Decode(frameOf(&api, 99, []byte("whatever this is"), nil), allowAll)
	if err != nil {
		t.Fatal(err)
	}
	out := table.Encode(NewPool(nil, true), &d, Reply{Message: table.UnsupportedVersion()})
	want := "\x00\x00\x00\x10" + "\x00\x00\x00\x4d" + "\x00\x23" + "\x00\x00\x00\x01" + "\x00\x12\x00\x00\x00\x04"
	if got := string(out.Head.B); got != want {
		t.Fatalf("%x", got)
	}
}

// TestResponseHeaders: flexible answers carry a tag section, ApiVersions never does (surface.md (e) 1, 3).
func TestResponseHeaders(t *testing.T) {
	for _, c := range []struct {
		key     kafka.APIKey
		version int16
		bytes   int
	}{
		{kafka.KeyApiVersions, 0, 8}, {kafka.KeyApiVersions, 4, 8}, {kafka.KeyMetadata, 8, 8}, {kafka.KeyMetadata, 9, 9},
		{kafka.KeyOffsetDelete, 0, 8}, {kafka.KeyFetch, 11, 8}, {kafka.KeyFetch, 12, 9},
	} {
		api, _ := everything().API(c.key)
		if got := appendResponseHeader(nil, &api, c.version, 1); len(got) != c.bytes {
			t.Errorf("%v v%d: %d bytes with the length", c.key, c.version, len(got))
		}
	}
}

// TestHeaderEdges: null client id, tags in flexible headers, and what ends too early.
func TestHeaderEdges(t *testing.T) {
	table := everything()
	api, _ := table.API(kafka.KeyApiVersions)
	empty := ""
	for _, id := range []*string{nil, &empty} {
		d, err := table.Decode(frameOf(&api, 0, nil, id), allowAll)
		if err != nil || (d.ClientID == nil) != (id == nil) || d.CorrelationID != 77 {
			t.Fatalf("%+v, %v", d, err)
		}
	}
	frame := frameOf(&api, 3, []byte{2, 'a', 2, 'b', 0}, &empty)
	for cut := range frame {
		if _, err := table.Decode(frame[:cut], allowAll); err == nil {
			t.Fatalf("cut at %d it passes", cut)
		}
	}
}

// TestBodiesMayBeKept: what a handler gets does not alias the frame, byte strings included.
func TestBodiesMayBeKept(t *testing.T) {
	m := kmsg.NewPtrSyncGroupRequest()
	m.SetVersion(5)
	m.Group = "group"
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = "member", []byte("assignment")
	m.GroupAssignment = append(m.GroupAssignment, a)
	table := everything()
	api, _ := table.API(kafka.KeySyncGroup)
	frame := frameOf(&api, 5, m.AppendTo(nil), nil)
	d, err := table.Decode(frame, allowAll)
	if err != nil {
		t.Fatal(err)
	}
	clear(frame)
	got := d.Body.(*kmsg.SyncGroupRequest)
	if got.Group != "group" || string(got.GroupAssignment[0].MemberAssignment) != "assignment" {
		t.Fatalf("%+v", got)
	}
}

func TestSoftwareNames(t *testing.T) {
	for s, want := range map[string]bool{
		"apache-kafka-java": true, "4.3.1": true, "a": true, "": false, "-a": false, "a.": false, "a b": false, "ä": false,
	} {
		if ValidSoftware(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
