package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// What a node's end does to others is told with its reason, by the active controller and by who leads what, and not once for each
// partition.
func TestChangesAreToldWithTheirReasons(t *testing.T) {
	c := newThree(t, 4)
	c.create(1, "t", 30)
	c.w.Run(5 * time.Second)
	victim := c.controller(1)
	said := func(what string) (n int) {
		for id := range int32(3) {
			if id+1 != victim {
				n += strings.Count(c.at(id+1).log.String(), what)
			}
		}
		return n
	}
	c.kill(victim)
	c.w.Run(3 * time.Second)
	c.start(int(victim))
	c.await("it is in sync again", time.Minute, func() bool {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = 9
		topic, name := kmsg.NewMetadataRequestTopic(), "t"
		topic.Topic = &name
		req.Topics = append(req.Topics, topic)
		got := ask[*kmsg.MetadataResponse](c, victim%3+1, req).Topics[0].Partitions
		return !slices.ContainsFunc(got, func(p kmsg.MetadataResponseTopicPartition) bool { return len(p.ISR) < 3 })
	})
	c.w.Run(3 * time.Second)
	for _, want := range []string{
		"The process of a broker has ended", fmt.Sprintf("Fenced broker %d at epoch", victim), fmt.Sprintf("broker %d led it before, which is fenced", victim),
		fmt.Sprintf("Registered a new process of broker %d", victim), fmt.Sprintf("Unfenced broker %d", victim), fmt.Sprintf(": %d caught up", victim),
	} {
		if n := said(want); n == 0 || n > 12 {
			t.Errorf("%q is said %d times", want, n)
		}
	}
}
