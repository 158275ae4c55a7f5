package sim

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/history"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
)

// tuner changes how many replicas in sync a write takes, while the topic is written, and where page caches are trusted also whether they
// count (ADR 0036): no power fails in such a run, so that either way what was acknowledged stays.
type tuner struct {
	c     *client
	every time.Duration
}

const (
	minInSync  = "min.insync.replicas"
	durability = "milena.durability"
)

// tune has configs changed, in runs that are to have that.
func (r *run) tune() {
	if r.plan.Swarm.Variety.Configs {
		t := &tuner{c: newClient(r, "tuner"), every: time.Duration(400+r.dice.IntN(2000)) * time.Millisecond}
		t.c.later(t.every, t.turn)
	}
}

func (t *tuner) turn() {
	r := t.c.r
	if r.phase != faulty {
		return
	}
	t.c.later(t.every, t.turn)
	name, value := minInSync, strconv.Itoa(1+r.dice.IntN(min(2, r.plan.Swarm.Replicas)))
	if r.plan.Swarm.Cached && r.dice.IntN(3) > 0 {
		name, value = durability, [...]string{"cache", "sync"}[r.dice.IntN(2)]
	}
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	of, c := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	of.ResourceType, of.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c.Name, c.Value = name, &value
	of.Configs = append(of.Configs, c)
	req.Resources = append(req.Resources, of)
	t.c.any().ask(req, asked, func(resp kmsg.Response, _ history.Transport) {
		if in, ok := resp.(*kmsg.IncrementalAlterConfigsResponse); ok && in.Resources[0].ErrorCode == 0 {
			r.note("%s of %s is %s", name, topic, value)
			r.reached.add(Tuned)
		} else if ok {
			r.note("the tuner hears %v", kafka.ErrorCode(in.Resources[0].ErrorCode))
		}
	})
}

// minISR is how many replicas in sync a topic's writes take by an image.
func (r *run) minISR(img *image.Image, topic string) int {
	if v, set := img.Configs(image.TopicResource(topic)).Get(minInSync); set {
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	return r.plan.Swarm.MinISR
}

// cached tells whether page caches are trusted with a partition, by an image.
func (r *run) cached(img *image.Image, topic string, p *image.Partition) bool {
	if v, set := img.Configs(image.TopicResource(topic)).Get(durability); set {
		return p.Settling || v == "cache"
	}
	return p.Settling || r.plan.Swarm.Cached
}
