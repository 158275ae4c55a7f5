package node

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// powerCut ends this life of the node as a power failure does: only what was synced is there in the next.
func (r *rig) powerCut() {
	r.t.Helper()
	r.proc.Kill()
	r.fs = r.fs.PowerCut()
	r.boot()
}

// A topic's milena.durability counts, whatever the broker's is.
func TestDurabilityOfATopic(t *testing.T) {
	for _, c := range []struct {
		broker, topic string
		want          int64
	}{{"cache", "sync", 1}, {"sync", "cache", 0}, {"sync", "", 1}, {"cache", "", 0}} {
		r := newRig(t, "milena.durability", c.broker)
		var configs []string
		if c.topic != "" {
			configs = []string{"milena.durability", c.topic}
		}
		r.create("a", 1, configs...)
		wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrNone)
		r.powerCut()
		if got := r.read("a", 0, 0).HighWatermark; got != c.want {
			t.Errorf("broker %s, topic %q: %d records survive, want %d", c.broker, c.topic, got, c.want)
		}
	}
}

// What was acknowledged from the page cache is durable before a retry of it is acknowledged under sync.
func TestDurabilitySwitchedToSync(t *testing.T) {
	r := newRig(t, "milena.durability", "cache")
	r.create("a", 1)
	wantCode(t, r.write("a", 0, idempotent(1000, 0, 0, "x")).ErrorCode, kafka.ErrNone)
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	all := kmsg.NewIncrementalAlterConfigsRequestResource()
	all.ResourceType = kmsg.ConfigResourceTypeBroker
	key := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	key.Name, key.Value = "milena.durability", kmsg.StringPtr("sync")
	all.Configs = append(all.Configs, key)
	req.Resources = append(req.Resources, all)
	wantCode(t, ask[*kmsg.IncrementalAlterConfigsResponse](r, req).Resources[0].ErrorCode, kafka.ErrNone)
	retry := r.write("a", 0, idempotent(1000, 0, 0, "x"))
	wantCode(t, retry.ErrorCode, kafka.ErrNone)
	if retry.BaseOffset != 0 {
		t.Errorf("the retry is at offset %d", retry.BaseOffset)
	}
	r.powerCut()
	if got := r.read("a", 0, 0).HighWatermark; got != 1 {
		t.Errorf("%d records survive of one that was acknowledged", got)
	}
}
