package remote_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/peer"
	"github.com/milena-io/milena/internal/record"
	"github.com/milena-io/milena/internal/remote"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// nowhere is a network on which nobody is found.
type nowhere struct{ w world.World }

type noConn struct{}

func (noConn) Send(b *wire.Buffer) { b.Free() }
func (noConn) Written() int64      { return 0 }
func (noConn) Close()              {}

func (n nowhere) Dial(_ string, to peer.Sink) peer.Conn {
	n.w.Go(func() { to.Ended(peer.Ending{How: peer.Refused}) })
	return noConn{}
}

// flicker is a controller in this process that answers from goroutines of its own, and now and then doesn't lead.
type flicker struct{ asked atomic.Int64 }

func (f *flicker) Submit(_ controller.Command, done func(any, error)) {
	n := f.asked.Add(1)
	go func() {
		if n%5 == 0 {
			done(nil, fault.New("quorum", kafka.ErrNotController, "not now"))
			return
		}
		done(controller.Beat{CaughtUp: true}, nil)
	}()
}

// TestManyGoroutinesAskTogether, while the leadership moves between this node, another that nobody reaches, and nobody; and then the
// node stops. Each command is answered once.
func TestManyGoroutinesAskTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := world.NewReal()
		o := peer.DefaultOptions()
		o.World, o.Dialer, o.Pool = w, nowhere{w}, wire.NewPool(wire.NewBudget(1<<20), true)
		var leader atomic.Int32
		c := remote.NewControl(remote.Options{
			World: w, Peers: peer.New(o), Self: 1, Own: &flicker{}, ClusterID: func() string { return clusterID },
			Where: remote.Whereabouts{
				Leader:   func() (kafka.NodeID, kafka.LeaderEpoch) { return kafka.NodeID(leader.Load()), 1 },
				Seats:    newSeats(),
				Listener: "CONTROLLER",
			},
		})
		const askers, each = 8, 50
		var answers, good atomic.Int64
		var wg sync.WaitGroup
		for range askers {
			wg.Go(func() {
				for i := range each {
					timeout := time.Duration(1+i) * 10 * time.Millisecond
					var once atomic.Int32
					c.Submit(timeout, controller.Heartbeat{Broker: 1}, func(_ any, err error) {
						if once.Add(1) > 1 {
							t.Error("a command is answered twice")
						}
						answers.Add(1)
						if err == nil {
							good.Add(1)
						}
					})
					time.Sleep(3 * time.Millisecond)
				}
			})
		}
		wg.Go(func() {
			for i := range int32(40) {
				leader.Store([]int32{1, 2, -1, 1}[i%4])
				c.Moved()
				time.Sleep(4 * time.Millisecond)
			}
			c.Close()
		})
		wg.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if answers.Load() != askers*each || good.Load() == 0 || good.Load() == askers*each {
			t.Fatalf("%d answers, %d good", answers.Load(), good.Load())
		}
	})
}

func newSeats() []record.Voter {
	return []record.Voter{{ID: 2, Endpoints: []record.Endpoint{{Name: "CONTROLLER", Host: "c2", Port: 9093}}}}
}
