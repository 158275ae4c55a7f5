package twin

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience bounds one answer. It is a bound on a hang, not a measurement.
const patience = 30 * time.Second

// answer is one flattened answer: path of a field to its value.
type answer struct {
	api     string
	name    string // what the request was about
	version int16
	fields  map[string]string
}

// talk is one conversation with one broker.
type talk struct {
	bootstrap string
	equal     *equalizer
	conn      net.Conn
	format    *kmsg.RequestFormatter
	sent      int32
	versions  map[int16][2]int16 // by API key, as the broker advertises
	answers   []answer
}

func newTalk(bootstrap, dir string) *talk {
	return &talk{bootstrap: bootstrap, equal: newEqualizer(bootstrap, dir),
		format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("twin")), versions: map[int16][2]int16{}}
}

func (t *talk) close() {
	if t.conn != nil {
		t.conn.Close()
		t.conn = nil
	}
}

// exchange sends one request and reads its answer. A broker that closes the connection instead answers nil.
func (t *talk) exchange(req kmsg.Request) (kmsg.Response, error) {
	if t.conn == nil {
		conn, err := net.DialTimeout("tcp", t.bootstrap, patience)
		if err != nil {
			return nil, err
		}
		t.conn = conn
	}
	if err := t.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	t.sent++
	if _, err := t.conn.Write(t.format.AppendRequest(nil, req, t.sent)); err != nil {
		t.close()
		return nil, nil
	}
	var head [8]byte
	if _, err := io.ReadFull(t.conn, head[:]); err != nil {
		t.close()
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			return nil, fmt.Errorf("%s v%d: no answer", kmsg.NameForKey(req.Key()), req.GetVersion())
		}
		return nil, nil
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != t.sent {
		return nil, fmt.Errorf("%s v%d: correlation id %d, want %d", kmsg.NameForKey(req.Key()), req.GetVersion(), got, t.sent)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-4)
	if _, err := io.ReadFull(t.conn, body); err != nil {
		return nil, err
	}
	resp := req.ResponseKind()
	if resp.IsFlexible() && resp.Key() != int16(kmsg.ApiVersions) {
		if len(body) == 0 || body[0] != 0 {
			return nil, fmt.Errorf("%s v%d: the answer's header has tags", kmsg.NameForKey(req.Key()), req.GetVersion())
		}
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s v%d: %w", kmsg.NameForKey(req.Key()), req.GetVersion(), err)
	}
	return resp, nil
}

// ask holds one exchange and keeps the answer for the comparison.
func (t *talk) ask(name string, req kmsg.Request) (kmsg.Response, error) {
	resp, err := t.exchange(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	a := answer{api: kmsg.NameForKey(req.Key()), name: name, version: req.GetVersion(), fields: map[string]string{}}
	if resp == nil {
		a.fields["connection"] = "closed"
	} else {
		t.equal.learn(reflect.ValueOf(resp))
		t.equal.flatten("", reflect.ValueOf(resp), a.fields)
	}
	t.answers = append(t.answers, a)
	return resp, nil
}

// each calls f with every version both sides of the conversation can speak: those Apache Kafka 4.3.1 advertises.
func (t *talk) each(key kmsg.Key, f func(v int16) error) error {
	r, ok := ranges[int16(key)]
	if !ok {
		return fmt.Errorf("no versions of %s are known", kmsg.NameForKey(int16(key)))
	}
	for v := r[0]; v <= r[1]; v++ {
		if err := f(v); err != nil {
			return fmt.Errorf("v%d: %w", v, err)
		}
	}
	return nil
}

// versioned sets a request's version and returns it.
func versioned[R kmsg.Request](req R, v int16) R {
	req.SetVersion(v)
	return req
}
