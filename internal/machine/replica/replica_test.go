package replica

import (
	"math/rand/v2"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func leading(isr ...kafka.NodeID) *Replica {
	r := New(1, 0, 0, 0)
	r.Register(kafka.Instant{}, Registration{Leader: 1, LeaderEpoch: 1, Replicas: []kafka.NodeID{1, 2, 3}, ISR: isr})
	return r
}

// registered is what the metadata says of brokers in a test.
type registered map[kafka.NodeID]kafka.BrokerEpoch

func (m registered) Member(n kafka.NodeID) (kafka.BrokerEpoch, bool) { return m[n], m[n] > 0 }

func fetched(r *Replica, n kafka.NodeID, end, durable kafka.Offset) {
	r.Leading().Fetched(kafka.Instant{}, Progress{Node: n, BrokerEpoch: 1, End: end, Durable: durable}, registered{1: 1, 2: 1, 3: 1})
}

func TestHighWatermarkWaitsForTheFlush(t *testing.T) {
	r := leading(1)
	if r.Appended(5) || r.HighWatermark() != 0 {
		t.Fatal("an append alone must not move the high watermark")
	}
	if !r.Flushed(3) || r.HighWatermark() != 3 {
		t.Fatalf("high watermark %d after a flush to 3", r.HighWatermark())
	}
}

func TestCachedCountsTheEnd(t *testing.T) {
	r := leading(1)
	r.Configure(1, Cached)
	if !r.Appended(5) || r.HighWatermark() != 5 {
		t.Fatalf("high watermark %d under page-cache durability", r.HighWatermark())
	}
}

func TestHighWatermarkIsTheMinimumOverTheISR(t *testing.T) {
	r := leading(1, 2)
	r.Appended(10)
	r.Flushed(10)
	if r.HighWatermark() != 0 {
		t.Fatal("an ISR member that has not fetched must hold the high watermark")
	}
	fetched(r, 2, 8, 6)
	if r.HighWatermark() != 6 {
		t.Fatalf("high watermark %d, want the follower's durable 6", r.HighWatermark())
	}
	r.Register(kafka.Instant{}, Registration{Leader: 1, LeaderEpoch: 1, PartitionEpoch: 1, Replicas: []kafka.NodeID{1, 2, 3}, ISR: []kafka.NodeID{1}})
	if r.HighWatermark() != 10 {
		t.Fatalf("high watermark %d after the ISR shrank to the leader", r.HighWatermark())
	}
}

func TestHighWatermarkStandsBelowMinISR(t *testing.T) {
	r := leading(1)
	r.Configure(2, Synced)
	r.Appended(10)
	if r.Flushed(10) || r.HighWatermark() != 0 || r.EnoughInSync() {
		t.Fatal("KIP-966: the high watermark must not move below min.insync.replicas")
	}
}

func TestOlderRegistrationIsIgnored(t *testing.T) {
	r := leading(1)
	r.Register(kafka.Instant{}, Registration{Leader: 2, LeaderEpoch: 0, PartitionEpoch: 9})
	if !r.Leads() {
		t.Fatal("a registration of an older leader epoch took the leadership away")
	}
}

func TestEpochCheck(t *testing.T) {
	r := leading(1)
	for epoch, want := range map[kafka.LeaderEpoch]kafka.ErrorCode{
		-1: kafka.ErrNone, 0: kafka.ErrFencedLeaderEpoch, 1: kafka.ErrNone, 2: kafka.ErrUnknownLeaderEpoch,
	} {
		if got := r.Check(epoch); got != want {
			t.Errorf("Check(%d) = %v, want %v", epoch, got, want)
		}
	}
}

// Whatever happens, within one epoch the high watermark only rises and never passes what every ISR member holds.
func TestHighWatermarkInvariants(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := leading(1, 2, 3)
		held := map[kafka.NodeID]kafka.Offset{1: 0, 2: 0, 3: 0}
		end, last := kafka.Offset(0), kafka.Offset(0)
		for range 300 {
			switch rng.IntN(4) {
			case 0:
				end += kafka.Offset(rng.IntN(5))
				r.Appended(end)
			case 1:
				held[1] += kafka.Offset(rng.IntN(int(end-held[1]) + 1))
				r.Flushed(held[1])
			default:
				n := kafka.NodeID(2 + rng.IntN(2))
				d := held[n] + kafka.Offset(rng.IntN(int(end-held[n])+1))
				held[n] = d
				fetched(r, n, d+kafka.Offset(rng.IntN(int(end-d)+1)), d)
			}
			high := r.HighWatermark()
			if high < last || high > min(held[1], held[2], held[3]) {
				t.Fatalf("seed %d: high watermark %d, before %d, held %v", seed, high, last, held)
			}
			last = high
		}
	}
}
