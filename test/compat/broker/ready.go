package broker

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// readyWithin bounds a start. Apache Kafka takes up to fifteen seconds after a kill on a small machine.
const readyWithin = 120 * time.Second

// waitReady returns when the broker answers Metadata with that many brokers in it, or the controller takes connections. There is no event to wait for from outside
// a process, so it asks again every few milliseconds; a child that died ends the wait at once.
func waitReady(ctx context.Context, p *process, of *member, bootstrap string, wants int) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	ask := askMetadata
	if of != nil && of.roles == controller {
		ask = connect
	}
	var last error
	for {
		if last = ask(ctx, bootstrap, wants); last == nil {
			return nil
		}
		select {
		case <-p.exited:
			status := p.cmd.ProcessState.String()
			p.cmd = nil
			return fmt.Errorf("%s: ended (%s) before it served\n%s", p.name, status, tail(p.logs))
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready: %w\n%s", p.name, last, tail(p.logs))
		case <-again.C:
		}
	}
}

func connect(ctx context.Context, addr string, _ int) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func askMetadata(ctx context.Context, bootstrap string, wants int) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", bootstrap)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline := time.Now().Add(5 * time.Second)
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	req := kmsg.NewMetadataRequest()
	req.Version = 9
	req.Topics = []kmsg.MetadataRequestTopic{}
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, &req, 1)); err != nil {
		return err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 9
	if err := resp.ReadFrom(body[5:]); err != nil { // correlation id, empty tags
		return err
	}
	if len(resp.Brokers) < wants {
		return fmt.Errorf("metadata with %d brokers", len(resp.Brokers))
	}
	return nil
}
