package node

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// The tests of the surface_ files are the places where clones of Kafka go wrong, by their numbers in that list.

func TestSurface01ApiVersionsOfAnUnknownVersion(t *testing.T) {
	r := newRig(t)
	frame := []byte{0, 18, 0x7f, 0xff, 0, 0, 0, 9, 0xff, 0xff, 0} // key 18, version 32767, correlation 9, no client id, tags
	r.main.l.Send(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	got := r.main.receive(time.Second)
	if got == nil || binary.BigEndian.Uint32(got) != 9 {
		t.Fatalf("answer %x", got)
	}
	resp := kmsg.NewPtrApiVersionsResponse() // a body of version 0
	if err := resp.ReadFrom(got[4:]); err != nil {
		t.Fatal(err)
	}
	wantCode(t, resp.ErrorCode, kafka.ErrUnsupportedVersion)
	if len(resp.ApiKeys) != 1 || resp.ApiKeys[0].ApiKey != 18 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Fatalf("it has to tell its own range: %+v", resp.ApiKeys)
	}
	if next := ask[*kmsg.ApiVersionsResponse](r, kmsg.NewPtrApiVersionsRequest()); next.ErrorCode != 0 {
		t.Fatal("the connection has to go on")
	}
}

func TestSurface01OtherApisOfAnUnknownVersionClose(t *testing.T) {
	r := newRig(t)
	frame := []byte{0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff, 0}
	r.main.l.Send(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	if got := r.main.receive(time.Second); got != nil || !r.main.l.Ended() {
		t.Fatalf("answer %x, closed %v", got, r.main.l.Ended())
	}
}

func TestSurface02AdvertisedRanges(t *testing.T) {
	r := newRig(t)
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 4, "test", "1"
	got := map[int16]kmsg.ApiVersionsResponseApiKey{}
	resp := ask[*kmsg.ApiVersionsResponse](r, req)
	for _, k := range resp.ApiKeys {
		got[k.ApiKey] = k
	}
	for key, want := range map[int16][2]int16{0: {0, 13}, 1: {4, 18}, 3: {0, 13}, 11: {0, 9}, 18: {0, 4}, 19: {2, 7}, 47: {0, 0}} {
		if k, ok := got[key]; !ok || k.MinVersion != want[0] || k.MaxVersion != want[1] {
			t.Errorf("key %d is advertised as %+v, want %v", key, k, want)
		}
	}
	for _, absent := range []int16{4, 5, 6, 7, 24, 26, 27, 28, 56, 62, 63, 71, 72} {
		if _, ok := got[absent]; ok {
			t.Errorf("key %d must not be advertised", absent)
		}
	}
	var levels []string
	for _, f := range resp.FinalizedFeatures {
		levels = append(levels, f.Name)
	}
	if !slices.Contains(levels, "metadata.version") {
		t.Errorf("finalized features %v", levels)
	}
}

func TestSurface03ResponseHeaders(t *testing.T) {
	r := newRig(t)
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	r.main.send(req)
	f := r.main.receive(time.Second)
	if f[4] != 0 {
		t.Fatalf("a flexible answer begins with an empty tag section, got %x", f[:8])
	}
	parse(t, f, req)
}

func TestSurface04NullAndEmpty(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	all := kmsg.NewPtrMetadataRequest()
	all.Version = 9
	if got := ask[*kmsg.MetadataResponse](r, all); len(got.Topics) != 1 {
		t.Errorf("null topics ask for all, got %d", len(got.Topics))
	}
	none := kmsg.NewPtrMetadataRequest()
	none.Version, none.Topics = 9, []kmsg.MetadataRequestTopic{}
	if got := ask[*kmsg.MetadataResponse](r, none); len(got.Topics) != 0 || len(got.Brokers) != 1 {
		t.Errorf("no topics ask for none: %+v", got)
	}
	old := kmsg.NewPtrMetadataRequest()
	old.Version, old.Topics = 0, []kmsg.MetadataRequestTopic{}
	if got := ask[*kmsg.MetadataResponse](r, old); len(got.Topics) != 1 {
		t.Errorf("before v1 an empty list asks for all, got %d", len(got.Topics))
	}
	for _, names := range [][]string{nil, {}} {
		d := kmsg.NewPtrDescribeConfigsRequest()
		d.Version = 4
		res := kmsg.NewDescribeConfigsRequestResource()
		res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, "a", names
		d.Resources = append(d.Resources, res)
		if got := ask[*kmsg.DescribeConfigsResponse](r, d); len(got.Resources[0].Configs) < 25 {
			t.Errorf("config names %v ask for all, got %d", names, len(got.Resources[0].Configs))
		}
	}
}

func TestSurface06AnswersInOrder(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	slow := fetching("a", 0, 0)
	slow.MaxWaitMillis = 400
	r.main.send(slow)
	r.main.send(kmsg.NewPtrApiVersionsRequest())
	first, second := r.main.receive(time.Second), r.main.receive(time.Second)
	if binary.BigEndian.Uint32(first)+1 != binary.BigEndian.Uint32(second) {
		t.Fatalf("answers %x and %x came in the wrong order", first[:4], second[:4])
	}
}

func TestSurface06ProducesArePipelined(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for i := range 5 {
		r.main.send(producing("a", 0, -1, idempotent(7, 0, int32(i), "x")))
	}
	for i := range 5 {
		req := producing("a", 0, -1, nil)
		p := parse(t, r.main.receive(time.Second), req).(*kmsg.ProduceResponse).Topics[0].Partitions[0]
		if p.ErrorCode != 0 || p.BaseOffset != int64(i) {
			t.Fatalf("produce %d: %+v", i, p)
		}
	}
}

func TestSurface25MetadataOfTheListenerAsked(t *testing.T) {
	r := newRig(t)
	for listener, want := range map[string]string{"PLAINTEXT": "one", "INTERNAL": "two"} {
		got := askOn[*kmsg.MetadataResponse](r.connect(listener), kmsg.NewPtrMetadataRequest())
		if len(got.Brokers) != 1 || got.Brokers[0].Host != want {
			t.Errorf("on %s the broker is at %+v, want %s", listener, got.Brokers, want)
		}
		c := kmsg.NewPtrDescribeClusterRequest()
		if got := askOn[*kmsg.DescribeClusterResponse](r.connect(listener), c); len(got.Brokers) != 1 || got.Brokers[0].Host != want {
			t.Errorf("on %s DescribeCluster says %+v", listener, got.Brokers)
		}
	}
}
