package node_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Of three nodes one is left, and nobody leads: who asks its controllers' listener for the active controller is told of the node that
// answers, and when another leads of that.
func TestControllersThatHaveNoLeaderNameSomebody(t *testing.T) {
	c := newThree(t, 5)
	c.create(1, "t", 1)
	c.kill(1)
	c.kill(2)
	describe := func() *kmsg.DescribeClusterResponse {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = 1, 2
		return askAt[*kmsg.DescribeClusterResponse](c, 3, "CONTROLLER", req)
	}
	c.await("nobody leads", time.Minute, func() bool { return c.controller(3) == -1 })
	if got := describe(); got.ControllerID != 3 || len(got.Brokers) != 3 {
		t.Errorf("controller %d of %+v", got.ControllerID, got.Brokers)
	}
	c.start(1)
	c.serves(1)
	c.await("somebody leads", time.Minute, func() bool { return c.controller(3) != -1 })
	if got, leader := describe().ControllerID, c.controller(3); got != leader {
		t.Errorf("controller %d, and %d leads", got, leader)
	}
}
