package node_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// changed sets keys of brokers by the broker that is asked, and returns the codes.
func (c *three) changed(at int32, brokers ...string) (codes []kafka.ErrorCode) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	for _, name := range brokers {
		value := "2"
		k := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		k.Name, k.Value = "log.cleaner.threads", &value
		r := kmsg.NewIncrementalAlterConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.Configs = kmsg.ConfigResourceTypeBroker, name, []kmsg.IncrementalAlterConfigsRequestResourceConfig{k}
		req.Resources = append(req.Resources, r)
	}
	for i, r := range ask[*kmsg.IncrementalAlterConfigsResponse](c, at, req).Resources {
		if r.ResourceName != brokers[i] {
			c.t.Errorf("the answer to %s is of %s", brokers[i], r.ResourceName)
		}
		codes = append(codes, kafka.ErrorCode(r.ErrorCode))
	}
	return codes
}

// A broker's own configs are changed through that broker, whoever controls: it looks at the request, the controller does as it is told.
// What a broker refuses keeps nothing else of the request from the controller.
func TestConfigsOfABrokerAreChangedThroughIt(t *testing.T) {
	c := newThree(t, 3)
	for id := int32(1); id <= 3; id++ {
		self, other := string('0'+rune(id)), string('0'+rune(id%3+1))
		if got := c.changed(id, self); got[0] != kafka.ErrNone {
			t.Errorf("node %d, controller %d: its own configs: %v", id, c.controller(id), got)
		}
		if got := c.changed(id, other); got[0] != kafka.ErrInvalidRequest {
			t.Errorf("node %d, controller %d: another's configs: %v", id, c.controller(id), got)
		}
		if got := c.changed(id, other, "", self); got[0] != kafka.ErrInvalidRequest || got[1] != kafka.ErrNone || got[2] != kafka.ErrNone {
			t.Errorf("node %d, controller %d: another's, everybody's and its own: %v", id, c.controller(id), got)
		}
		c.await("it shows", time.Second, func() bool { return c.threads(id) == "2" })
	}
}

// threads is what a broker says of its own key.
func (c *three) threads(id int32) string {
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Version = 4
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeBroker, string('0'+rune(id)), []string{"log.cleaner.threads"}
	req.Resources = append(req.Resources, r)
	for _, k := range ask[*kmsg.DescribeConfigsResponse](c, id, req).Resources[0].Configs {
		if k.Value != nil {
			return *k.Value
		}
	}
	return ""
}
