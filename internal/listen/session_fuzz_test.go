package listen

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/wire"
)

const fuzzMaxRequest = 1 << 20

// outcome is what Kafka's rules say about a stream of bytes, found without a session: which requests begin, which of
// them are answered, and whether the connection is refused behind them.
type outcome struct {
	begun, answered []int32
	refused         bool
}

func judge(cfg *Config, stream []byte) (o outcome) {
	most := uint32(cfg.MaxRequestBytes)
	if cfg.Login != nil {
		most = uint32(cfg.Login.MaxRequestBytes)
	}
	for len(stream) >= 4 {
		n := binary.BigEndian.Uint32(stream)
		if n < 10 || n > most {
			o.refused = true
			return o
		}
		if stream = stream[4:]; uint32(len(stream)) < n {
			return o
		}
		d, err := cfg.Table.Decode(stream[:n], func(int64) bool { return true })
		if err != nil || cfg.Login != nil && d.Key != kafka.KeyApiVersions {
			o.refused = true
			return o
		}
		o.begun = append(o.begun, d.CorrelationID)
		if d.Key != kafka.KeyProduce || d.Produce.Acks != 0 {
			o.answered = append(o.answered, d.CorrelationID)
		}
		stream = stream[n:]
	}
	return o
}

// seeds are streams of good and bad requests.
func seeds() [][]byte {
	out := [][]byte{
		nil, {0, 0, 0}, {0x16, 3, 1, 2, 0, 1, 0}, []byte("GET / HTTP/1.1\r\n\r\n"), {0xff, 0xff, 0xff, 0xff}, {0x7f, 0xff, 0xff, 0xff, 0},
		{0, 0, 0, 9, 0, 18, 0, 0, 0, 0, 0, 1, 0xff}, {0, 0, 0, 11, 0, 18, 0x7f, 0xff, 0, 0, 0, 9, 0xff, 0xff, 0}, {0, 0, 0, 10, 0, 99, 0, 0, 0, 0, 0, 1, 0xff, 0xff},
	}
	kinds := []kmsg.Request{write(-1, 50_000), write(0, 100), write(1, 0), metadata(), consume(), follow(), apiVersions(), park(), write(-1, 300)}
	var all []byte
	for i, k := range kinds {
		one := frame(int32(i), k)
		out = append(out, one, one[:len(one)-1])
		all = append(all, one...)
	}
	out = append(out, all, append(slices.Clone(all), 0x80, 0, 0, 0), slices.Concat(all, all, all))
	for i := range all[:400] { // of the last ones, which are small
		if at := len(all) - 1 - i; i%7 == 0 {
			bad := slices.Clone(all)
			bad[at] ^= 0xff
			out = append(out, bad)
		}
	}
	return out
}

// FuzzConnection feeds a whole connection: arbitrary bytes in arbitrary chunks, and answers, stalls and throttles between
// them in an order that the script chooses. What begins, what is answered and how it ends is what the rules say.
func FuzzConnection(f *testing.F) {
	rng := rand.New(rand.NewPCG(8, 9))
	for _, s := range seeds() {
		script := make([]byte, rng.IntN(60))
		for i := range script {
			script[i] = byte(rng.Uint32())
		}
		f.Add(s, script)
	}
	f.Fuzz(func(t *testing.T, stream, script []byte) {
		if len(stream) > 1<<18 || len(script) > 1000 {
			return
		}
		r := newRig(t)
		r.cfg.MaxRequestBytes = fuzzMaxRequest
		r.cfg.Limits.Output, r.cfg.Limits.Bytes, r.cfg.Limits.Requests = 20_000, 100_000, 4
		if len(script) > 0 && script[0] >= 0xf0 {
			r.cfg.Login = &Login{MaxRequestBytes: 16 << 10, Within: time.Hour}
		}
		want := judge(r.cfg, stream)
		run := &fuzzRun{r: r, c: r.connect(), stream: stream}
		for i, op := range script {
			if i > 0 {
				run.step(op)
			}
		}
		run.finish()
		run.check(want)
	})
}

type fuzzRun struct {
	r      *rig
	c      *client
	stream []byte // not sent yet
	open   []*wire.Request
	seen   int

	released, payloads int
	closed             bool // an answer closed the connection, or the client did
}

func (u *fuzzRun) step(op byte) {
	arg := int(op >> 3)
	switch op & 7 {
	case 0, 1:
		u.send(arg)
	case 2:
		u.send(arg * arg * arg)
	case 3:
		u.c.l.Stall(arg&1 == 0)
	case 4:
		u.r.w.Run(time.Duration(arg) * time.Millisecond)
	case 5:
		if arg == 31 {
			u.closed = true
			u.c.l.Cut()
		}
	default:
		u.reply(arg)
	}
}

func (u *fuzzRun) send(n int) {
	n = min(n, len(u.stream))
	u.c.l.Send(slices.Clone(u.stream[:n]))
	u.stream = u.stream[n:]
	u.r.settle()
}

// reply answers one of the requests under way, in one of many ways.
func (u *fuzzRun) reply(how int) bool {
	u.open = append(u.open, u.r.begun[u.seen:]...)
	u.seen = len(u.r.begun)
	if len(u.open) == 0 {
		return false
	}
	i := how % len(u.open)
	req := u.open[i]
	u.open = slices.Delete(u.open, i, i+1)
	reply := answerOf(req)
	switch {
	case how%5 == 1:
		reply = payload(how*1000, &u.released)
		u.payloads++
	case how%5 == 2:
		reply.Throttle = time.Millisecond
	case how == 30:
		u.closed, reply.Close = true, true
	}
	req.Reply(reply)
	return true
}

func (u *fuzzRun) finish() {
	u.c.l.Stall(false)
	u.send(len(u.stream))
	for u.r.settle(); u.reply(0); {
		u.r.settle()
	}
}

func (u *fuzzRun) check(want outcome) {
	t, c := u.r.t, u.c
	var begun []int32
	_, refused, done := u.r.seen.snapshot()
	for _, b := range u.r.begun {
		begun = append(begun, b.CorrelationID)
	}
	if u.closed {
		if !c.l.Ended() || !isPrefix(c.got, want.answered) {
			t.Fatalf("ended %v, answers %v are no beginning of %v", c.l.Ended(), c.got, want.answered)
		}
	} else {
		if !slices.Equal(c.got, want.answered) {
			t.Fatalf("answers %v, want %v", c.got, want.answered)
		}
		if len(done) != len(want.begun) || len(begun) > len(want.begun) {
			t.Fatalf("done %v, begun %v, want %v", done, begun, want.begun)
		}
		if c.l.Ended() != want.refused || (len(refused) == 1) != want.refused {
			t.Fatalf("ended %v, refused %q, want refused %v", c.l.Ended(), refused, want.refused)
		}
		if !want.refused {
			c.l.Session().Drain()
			u.r.settle()
		}
	}
	closed, _, _ := u.r.seen.snapshot()
	if !c.l.Ended() || len(closed) != 1 || want.refused && !u.closed && !strings.HasPrefix(closed[0], reasonRefused) {
		t.Fatalf("ended %v, closed for %q", c.l.Ended(), closed)
	}
	if used := u.r.cfg.Budget.Used(); used != 0 {
		t.Fatalf("%d bytes stay charged", used)
	}
	if u.released != u.payloads || len(c.in) != 0 && !u.closed {
		t.Fatalf("%d of %d payloads were released, %d bytes of half an answer", u.released, u.payloads, len(c.in))
	}
}

func isPrefix(a, b []int32) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
