package staterecord_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

type golden struct {
	name    string
	version int16
	bytes   []byte
}

// goldens reads what Apache Kafka's own serializer wrote.
func goldens(t testing.TB) []golden {
	t.Helper()
	text, err := os.ReadFile("testdata/kafka-4.3.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []golden
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		v, err := strconv.Atoi(f[1])
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, golden{f[0], int16(v), b})
	}
	return out
}

func TestKafkasRecordsReadAndWriteBackByteForByte(t *testing.T) {
	seen := map[staterecord.Type]bool{}
	for _, g := range goldens(t) {
		r, version, err := staterecord.DecodeVersion(g.bytes)
		if err != nil {
			t.Errorf("%s %d: %v", g.name, g.version, err)
			continue
		}
		seen[r.Type()] = true
		if r.Type().String() != g.name || version != g.version {
			t.Errorf("%s %d: read as %s %d", g.name, g.version, r.Type(), version)
		}
		if b := staterecord.AppendVersion(nil, r, version); !bytes.Equal(b, g.bytes) {
			t.Errorf("%s %d:\nkafka %x\nours  %x", g.name, g.version, g.bytes, b)
		}
	}
	for _, r := range everyType() {
		if !seen[r.Type()] {
			t.Errorf("no bytes of Kafka's for %s", r.Type())
		}
	}
}

func TestFieldsLandWhereKafkaPutThem(t *testing.T) {
	var change *staterecord.PartitionChange
	for _, g := range goldens(t) {
		r, err := staterecord.Decode(g.bytes)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := r.(*staterecord.PartitionChange); ok && c.Directories != nil {
			change = c
		}
	}
	topic := kafka.TopicID{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 15: 9}
	dir := func(n byte) kafka.DirectoryID { d := kafka.DirectoryID(topic); d[15] = n; return d }
	want := &staterecord.PartitionChange{
		PartitionID: 4, TopicID: topic, ISR: []kafka.NodeID{1}, Leader: -1, Replicas: []kafka.NodeID{1, 2},
		Removing: []kafka.NodeID{}, Adding: []kafka.NodeID{5}, LeaderRecovery: staterecord.Recovered,
		ELR: []kafka.NodeID{}, LastKnownELR: []kafka.NodeID{1}, Directories: []kafka.DirectoryID{dir(5), dir(6)},
	}
	if !reflect.DeepEqual(change, want) {
		t.Fatalf("got  %+v\nwant %+v", change, want)
	}
}

func everyType() []staterecord.Record {
	return []staterecord.Record{
		&staterecord.RegisterBroker{}, &staterecord.UnregisterBroker{}, &staterecord.Topic{}, &staterecord.Partition{},
		&staterecord.Config{}, &staterecord.PartitionChange{}, &staterecord.FenceBroker{}, &staterecord.UnfenceBroker{},
		&staterecord.RemoveTopic{}, &staterecord.DelegationToken{}, &staterecord.UserScramCredential{},
		&staterecord.FeatureLevel{}, &staterecord.ClientQuota{}, &staterecord.ProducerIDs{},
		&staterecord.BrokerRegistrationChange{}, &staterecord.AccessControlEntry{},
		&staterecord.RemoveAccessControlEntry{}, &staterecord.NoOp{}, &staterecord.ZkMigrationState{},
		&staterecord.RemoveUserScramCredential{}, &staterecord.BeginTransaction{}, &staterecord.EndTransaction{},
		&staterecord.AbortTransaction{}, &staterecord.RemoveDelegationToken{}, &staterecord.RegisterController{},
		&staterecord.ClearElr{},
	}
}

// fill sets every field of a record to something from the seed. Slices that may be null stay so now and then.
func fill(rng *rand.Rand, v reflect.Value, nullable bool) {
	switch v.Kind() {
	case reflect.Struct:
		_, change := v.Addr().Interface().(*staterecord.PartitionChange)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			fill(rng, v.Field(i), change || strings.HasSuffix(name, "ELR") || name == "CordonedLogDirs")
		}
	case reflect.Slice:
		if nullable && rng.IntN(3) == 0 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), rng.IntN(4), 4))
		for i := range v.Len() {
			fill(rng, v.Index(i), false)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i), false)
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem(), false)
		}
	case reflect.String:
		v.SetString(strings.Repeat("ü", rng.IntN(80)))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(rng.NormFloat64())
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(rng.Uint64() & 0xff)
	default:
		v.SetInt(int64(int8(rng.Int64())))
	}
}

// settle makes equal what the format cannot tell apart: an absent tagged array is nil, a required one is not.
func settle(r staterecord.Record) staterecord.Record {
	switch r := r.(type) {
	case *staterecord.RegisterBroker:
		if len(r.LogDirs) == 0 {
			r.LogDirs = nil
		}
	case *staterecord.BrokerRegistrationChange:
		if len(r.LogDirs) == 0 {
			r.LogDirs = nil
		}
	}
	return r
}

func TestEveryTypeRoundTrips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		for _, r := range everyType() {
			fill(rng, reflect.ValueOf(r).Elem(), false)
			settle(r)
			version := staterecord.VersionOf(r, staterecord.LatestMetadataVersion)
			if _, ok := r.(*staterecord.BrokerRegistrationChange); ok {
				version = 3
			}
			b := staterecord.AppendVersion([]byte("prefix"), r, version)
			back, err := staterecord.Decode(b[len("prefix"):])
			if err != nil {
				t.Fatalf("%s %+v: %v", r.Type(), r, err)
			}
			if !reflect.DeepEqual(back, r) {
				t.Fatalf("%s\nwrote %+v\nread  %+v", r.Type(), r, back)
			}
		}
	}
}

func TestOlderLevelsWriteOlderSchemas(t *testing.T) {
	p := &staterecord.Partition{Replicas: []kafka.NodeID{1}, Directories: []kafka.DirectoryID{{1}}, ELR: []kafka.NodeID{1}}
	for _, c := range []struct {
		level   staterecord.MetadataVersion
		version int16
		dirs    int
		elr     int
	}{{7, 0, 0, 0}, {16, 0, 0, 0}, {17, 1, 1, 0}, {22, 1, 1, 0}, {23, 2, 1, 1}, {30, 2, 1, 1}} {
		v := staterecord.VersionOf(p, c.level)
		r, err := staterecord.Decode(staterecord.AppendVersion(nil, p, v))
		if err != nil {
			t.Fatal(err)
		}
		got := r.(*staterecord.Partition)
		if v != c.version || len(got.Directories) != c.dirs || len(got.ELR) != c.elr {
			t.Errorf("level %d: version %d, %d directories, %d elr", c.level, v, len(got.Directories), len(got.ELR))
		}
	}
	for level, version := range map[staterecord.MetadataVersion]int16{7: 1, 8: 2, 17: 3, 29: 3, 30: 4} {
		if v := staterecord.VersionOf(&staterecord.RegisterBroker{}, level); v != version {
			t.Errorf("RegisterBroker at level %d: version %d, want %d", level, v, version)
		}
	}
	if staterecord.LatestMetadataVersion.Release() != "4.3-IV0" || staterecord.MetadataVersion40IV1.Release() != "4.0-IV1" {
		t.Error("release names are off by one")
	}
}

func TestWhatCannotBeUnderstoodIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		value string
		code  kafka.ErrorCode
		says  string
	}{
		"empty":             {"", kafka.ErrCorruptMessage, "0 bytes"},
		"frame version":     {"020c00", kafka.ErrCorruptMessage, "frame version 2"},
		"unknown type":      {"011d0000", kafka.ErrUnsupportedVersion, "type 29"},
		"gap in the types":  {"01060000", kafka.ErrUnsupportedVersion, "type 6"},
		"huge type":         {"01ffffff0f0000", kafka.ErrUnsupportedVersion, "unknown metadata record type"},
		"newer version":     {"01140100", kafka.ErrUnsupportedVersion, "NoOpRecord version 1"},
		"trailing bytes":    {"0114000000", kafka.ErrCorruptMessage, "1 bytes after"},
		"torn string":       {"010c00116d65", kafka.ErrCorruptMessage, "FeatureLevelRecord"},
		"null name":         {"010c0000001e00", kafka.ErrCorruptMessage, "null"},
		"lying array count": {"010302" + strings.Repeat("00", 20) + "ffffffff0f", kafka.ErrCorruptMessage, "claimed"},
		"lying tag size":    {"01140001" + "00ffffff7f", kafka.ErrCorruptMessage, "claimed"},
		"endless tags":      {"011400ffffffff0f", kafka.ErrCorruptMessage, "varint"},
		"tag too long":      {"01170001" + "0003" + "024100", kafka.ErrCorruptMessage, "after its value"},
	} {
		b, err := hex.DecodeString(c.value)
		if err != nil {
			t.Fatal(err)
		}
		r, err := staterecord.Decode(b)
		if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
}

func TestUnknownTagsAreSkipped(t *testing.T) {
	r, err := staterecord.Decode([]byte{1, 20, 0, 1, 99, 3, 'a', 'b', 'c'})
	if err != nil || r.Type() != staterecord.TypeNoOp {
		t.Fatalf("%v, %v", r, err)
	}
}
