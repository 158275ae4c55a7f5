package node_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// configure sets keys of a resource.
func (c *three) configure(at int32, kind kmsg.ConfigResourceType, name string, set map[string]string) {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kind, name
	for k, v := range set {
		e := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		e.Name, e.Value = k, &v
		r.Configs = append(r.Configs, e)
	}
	req.Resources = append(req.Resources, r)
	if code := kafka.ErrorCode(ask[*kmsg.IncrementalAlterConfigsResponse](c, at, req).Resources[0].ErrorCode); code != kafka.ErrNone {
		c.t.Fatal(code)
	}
}

// KIP-73: who is out of sync catches up no faster than the throttle of its leader, or its own, lets it; who is in sync is not held up,
// and a throttle that is taken away while it is at work lets go at once.
func TestReplicationIsThrottled(t *testing.T) {
	for side, lists := range map[string][]string{"leader": {"*", "1:1,7:2"}, "follower": {"0:1,0:2,0:3", "0:9"}} {
		for i, list := range lists {
			c := newThree(t, uint64(i))
			leader, away := c.led("t", 1)
			c.configure(leader, kmsg.ConfigResourceTypeTopic, "t", map[string]string{side + ".replication.throttled.replicas": list})
			for id := range int32(3) {
				c.configure(id+1, kmsg.ConfigResourceTypeBroker, fmt.Sprint(id+1), map[string]string{side + ".replication.throttled.rate": "100000"})
			}
			c.kill(away)
			noise := rand.New(rand.NewPCG(1, 2))
			value := make([]byte, 200_000)
			for i := range value {
				value[i] = byte(noise.Uint32())
			}
			began := c.w.Now().Mono
			for range 15 {
				c.await("it is written", time.Minute, func() bool { code, _ := c.write(leader, "t", 0, string(value)); return code == kafka.ErrNone })
			}
			if took := c.w.Now().Mono - began; took > 20*time.Second {
				t.Errorf("%s %s: with a follower in sync 15 writes take %v", side, list, took)
			}
			c.start(int(away))
			c.await("it is back", time.Minute, func() bool { return c.at(away).ready != nil })
			level := func() bool {
				for _, f := range c.followers(leader, "t", 0) {
					if int32(f.Node) == away {
						return f.InSync && f.Lag == 0
					}
				}
				return false
			}
			throttled := i == 0
			c.w.Run(15 * time.Second)
			if level() == throttled {
				t.Errorf("%s %s: caught up: %v", side, list, level())
			}
			if side == "leader" && throttled {
				c.await("it is let catch up", 3*time.Minute, level)
				continue
			}
			for id := range int32(3) {
				c.configure(id+1, kmsg.ConfigResourceTypeBroker, fmt.Sprint(id+1), map[string]string{side + ".replication.throttled.rate": "1000000000"})
			}
			c.await("it is let go", 2*time.Second, level)
		}
	}
}
