package node

import (
	"strconv"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/partition"
)

// rates bound what replication of throttled replicas takes on this broker, as leader and as follower (KIP-73).
type rates struct{ leader, follower *partition.Rate }

func newRates(v config.Values) rates {
	windows, window := int(v.Int("replication.quota.window.num")), time.Duration(v.Int("replication.quota.window.size.seconds"))*time.Second
	return rates{partition.NewRate(windows, window), partition.NewRate(windows, window)}
}

// limit takes the rates as they are configured.
func (s *settings) limit(img *image.Image) {
	const leader, follower = "leader.replication.throttled.rate", "follower.replication.throttled.rate"
	layers := s.layers(img)
	s.rates.leader.Limit(layers.Broker(leader).Int(leader))
	s.rates.follower.Limit(layers.Broker(follower).Int(follower))
}

// throttle reads a list of partition:broker, or * for all, for what concerns this broker.
func (s *settings) throttle(rate *partition.Rate, list []string) partition.Throttle {
	out := partition.Throttle{Rate: rate}
	self := itoa(s.NodeID())
	for _, e := range list {
		number, broker, _ := strings.Cut(e, ":")
		switch n, err := strconv.ParseInt(number, 10, 32); {
		case e == "*":
			out.All = true
		case err == nil && broker == self:
			out.Numbers = append(out.Numbers, int32(n))
		}
	}
	return out
}
