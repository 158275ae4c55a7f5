package node_test

import (
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

// A broker that was cut off for longer than its session finds its node.id taken by another process. It waits however long that one lives,
// says so, and serves again once that one has gone.
func TestABrokerWhoseIDWasTakenServesAgain(t *testing.T) {
	c := calm(t, 31)
	c.net.Isolated("h6", true)
	c.w.Run(20 * time.Second)
	c.add(9, "broker", servers, "h1:9093,h2:9093,h3:9093").set["node.id"] = "6"
	c.start(9)
	c.serves(9)
	taken, _ := c.registered(4)
	c.net.Isolated("h6", false)
	c.w.Run(2 * time.Minute) // longer than any start waits for its registration
	if now, _ := c.registered(4); now[6] != taken[6] {
		t.Fatalf("the epoch of broker 6 was %d and is %d", taken[6], now[6])
	}
	if told := c.at(6).log.String(); !strings.Contains(told, "is not registered yet") {
		t.Errorf("broker 6 waits in silence:\n%s", told)
	}
	c.kill(9)
	c.await("broker 6 serves again", 2*time.Minute, func() bool {
		b := c.at(4).node.Probe().Image().Broker(6)
		return b.Epoch > taken[6] && !b.Fenced
	})
	c.create(4, "u", 3)
	for p, leader := range c.leaders(4, "u") {
		if code, _ := c.write(leader, "u", int32(p), "x"); code != kafka.ErrNone {
			t.Errorf("partition %d, led by %d: %v", p, leader, code)
		}
	}
}
