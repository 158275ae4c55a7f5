package prober

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fakes are two nodes that say who leads, and nothing else.
type fakes struct {
	mu     sync.Mutex
	addrs  [2]*net.TCPAddr
	listen [2]net.Listener
	conns  [2][]net.Conn
	leader int32 // of every partition, as both say
}

func newFakes(t *testing.T) *fakes {
	f := &fakes{leader: 1}
	for i := range f.listen {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		f.listen[i], f.addrs[i] = l, l.Addr().(*net.TCPAddr)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				f.mu.Lock()
				f.conns[i] = append(f.conns[i], c)
				f.mu.Unlock()
				go f.serve(int32(i+1), c)
			}
		}()
	}
	return f
}

func (f *fakes) serve(id int32, c net.Conn) {
	in := bufio.NewReader(c)
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(in, frame); err != nil {
			return
		}
		const head = 2 + 2 + 4 + 2 + len("prober") + 1
		var resp kmsg.Response
		if binary.BigEndian.Uint16(frame) == 3 {
			resp = f.metadata()
		} else {
			req := kmsg.NewPtrProduceRequest()
			req.Version = 10
			if err := req.ReadFrom(frame[head:]); err != nil {
				panic(err)
			}
			resp = f.produced(id, req)
		}
		body := append(append([]byte(nil), frame[4:8]...), 0)
		body = resp.AppendTo(body)
		_, _ = c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	}
}

func (f *fakes) metadata() kmsg.Response {
	m := kmsg.NewPtrMetadataResponse()
	m.Version = 9
	for i, a := range f.addrs {
		b := kmsg.NewMetadataResponseBroker()
		b.NodeID, b.Host, b.Port = int32(i+1), a.IP.String(), int32(a.Port)
		m.Brokers = append(m.Brokers, b)
	}
	t := kmsg.NewMetadataResponseTopic()
	name := "t"
	t.Topic = &name
	for p := range int32(5) {
		one := kmsg.NewMetadataResponseTopicPartition()
		one.Partition, one.Leader = p, 1
		t.Partitions = append(t.Partitions, one)
	}
	m.Topics = append(m.Topics, t)
	return m
}

func (f *fakes) produced(id int32, req *kmsg.ProduceRequest) kmsg.Response {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := kmsg.NewPtrProduceResponse()
	m.Version = 10
	t := kmsg.NewProduceResponseTopic()
	t.Topic = "t"
	for _, p := range req.Topics[0].Partitions {
		one := kmsg.NewProduceResponseTopicPartition()
		one.Partition = p.Partition
		if id != f.leader {
			one.ErrorCode, one.CurrentLeader.LeaderID = kerr.NotLeaderForPartition.Code, f.leader
		}
		t.Partitions = append(t.Partitions, one)
	}
	m.Topics = append(m.Topics, t)
	return m
}

// A node dies; the other goes on naming it as the leader for a while. The prober finds who leads then, and the time it tells is that of
// the change and not that of its own patience.
func TestTheProberFollowsTheLeader(t *testing.T) {
	f := newFakes(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := Start(ctx, Options{Bootstrap: []string{f.addrs[0].String()}, Topic: "t", Period: time.Millisecond, Again: time.Millisecond, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for _, x := range p.Told() {
		if x.Leader != 1 {
			t.Fatalf("%+v", x)
		}
	}
	began := p.Mark(true)
	_ = f.listen[0].Close()
	f.mu.Lock()
	for _, c := range f.conns[0] {
		_ = c.Close()
	}
	f.mu.Unlock()
	if err := p.Await(ctx, func(x Told) bool { return x.Tries >= 3 }); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.leader = 2
	moved := time.Since(began)
	f.mu.Unlock()
	if err := p.Await(ctx, func(x Told) bool { return x.Leader == 2 && x.Again >= 0 }); err != nil {
		t.Fatal(err)
	}
	for _, x := range p.Told() {
		// A last try may have been acknowledged between the mark and the node's end; the one that was due after it waited for the rest.
		if x.Was != 1 || x.Again+x.Worst+p.o.Period < moved {
			t.Errorf("%+v, moved after %s", x, moved)
		}
	}
}
