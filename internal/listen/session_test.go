package listen

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// TestProducesOverlap: appended in order of arrival, waiting together, answered in order (architecture D7).
func TestProducesOverlap(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(-1, 10), write(-1, 10), write(-1, 10), write(1, 10), write(-1, 10))
	r.wantBegun(0, 1, 2, 3, 4)
	for _, step := range []struct {
		nth  int
		want []int32
	}{{3, nil}, {1, nil}, {0, []int32{0, 1}}, {4, []int32{0, 1}}, {2, []int32{0, 1, 2, 3, 4}}} {
		r.answer(step.nth)
		c.wantAnswers(step.want...)
	}
	r.wantQuiet()
}

// TestOthersAreBarriers in both directions.
func TestOthersAreBarriers(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(-1, 10), write(-1, 10), metadata(), write(-1, 10), consume(), consume())
	r.wantBegun(0, 1)
	r.answer(1)
	r.wantBegun(0, 1)
	r.answer(0)
	r.wantBegun(0, 1, 2)
	r.answer(2)
	r.wantBegun(0, 1, 2, 3)
	r.answer(3)
	r.wantBegun(0, 1, 2, 3, 4)
	r.answer(4)
	r.answer(5)
	c.wantAnswers(0, 1, 2, 3, 4, 5)
	r.wantQuiet()
}

// TestFollowersOverlapFetches: one is parked, the others tell new durable offsets, one flush after the other; consumers don't.
func TestFollowersOverlapFetches(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	var begun []int32
	n := int32(DefaultLimits().ReplicaFetches)
	for i := range n + 1 {
		c.send(follow())
		begun = append(begun, i)
	}
	c.send(consume())
	r.wantBegun(begun[:n]...)
	r.answer(1)
	c.wantAnswers()
	r.wantBegun(begun...)
	for i := range begun {
		if i != 1 {
			r.answer(int(i))
		}
	}
	c.wantAnswers(begun...)
	r.wantBegun(append(begun, n+1)...)
	r.answer(int(n) + 1)
	r.wantQuiet()
}

// TestConnectionsDoNotWaitForEachOther.
func TestConnectionsDoNotWaitForEachOther(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	a.send(metadata(), metadata())
	b.send(metadata())
	r.wantBegun(0, 0)
	r.answer(1)
	b.wantAnswers(0)
	a.wantAnswers()
	r.answer(0)
	r.answer(2)
	a.wantAnswers(0, 1)
	r.wantQuiet()
}

// TestBytesUnderWayPauseReading: beyond the limit nothing more is read, so the client's own buffers fill up; an answer
// makes room.
func TestBytesUnderWayPauseReading(t *testing.T) {
	r := newRig(t)
	r.cfg.Limits.Bytes = 100_000
	c := r.connect()
	c.send(write(-1, 40_000), write(-1, 40_000), write(-1, 40_000), write(-1, 40_000), write(-1, 40_000))
	r.wantBegun(0, 1)
	if left := len(c.l.in); left < 80_000 {
		t.Fatalf("%d bytes are left unread, so at least one more request than the one that is held was taken in", left)
	}
	r.answer(1)
	r.wantBegun(0, 1, 2)
	r.answer(0)
	r.wantBegun(0, 1, 2, 3)
	c.wantAnswers(0, 1)
	r.answer(2)
	r.answer(3)
	r.answer(4)
	c.wantAnswers(0, 1, 2, 3, 4)
	r.wantQuiet()
}

// TestRequestsUnderWayAreBounded by number, too.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	r := newRig(t)
	r.cfg.Limits.Requests = 3
	c := r.connect()
	c.send(write(-1, 1), write(-1, 1), write(-1, 1), write(-1, 1), write(-1, 1))
	r.wantBegun(0, 1, 2)
	r.answer(2) // answered, and its answer waits for those before it: the place is free
	r.wantBegun(0, 1, 2, 3)
}

// TestUnreadAnswersStopRequests: a client that doesn't read gets so many answers ahead and no more.
func TestUnreadAnswersStopRequests(t *testing.T) {
	r := newRig(t)
	r.cfg.Limits.Output = 64 << 10
	c := r.connect()
	c.l.Stall(true)
	released := 0
	for range 40 {
		c.send(metadata())
	}
	for i := 0; i < len(r.begun); i++ {
		r.reply(i, payload(10_000, &released))
	}
	if n := len(r.begun); n < 4 || n > 6 {
		t.Fatalf("%d requests of 14 KB of answers each began before anything was read", n)
	}
	if used := r.cfg.Budget.Used(); used > 64<<10 {
		t.Fatalf("%d bytes are held", used)
	}
	c.l.Stall(false)
	r.settle()
	for i := released; i < 40; i++ {
		r.reply(i, payload(10_000, &released))
	}
	if len(c.got) != 40 || !slices.IsSorted(c.got) || released != 40 {
		t.Fatalf("answers %v, %d released", c.got, released)
	}
	r.wantQuiet()
}

// TestAcksZeroTakesNoPlace: no answer, and none waits behind it; its effect keeps its place.
func TestAcksZeroTakesNoPlace(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(0, 10), write(-1, 10), write(0, 10))
	r.wantBegun(0, 1, 2)
	r.answer(1)
	c.wantAnswers(1)
	c.send(metadata())
	r.wantBegun(0, 1, 2)
	r.reply(0, wire.Reply{None: true})
	r.answer(2) // an answer to acks=0 is dropped
	r.wantBegun(0, 1, 2, 3)
	r.answer(3)
	c.wantAnswers(1, 3)
	r.wantQuiet()
}

// TestAcksZeroErrorCloses behind the answers that came before it, and what stands behind it is never answered.
func TestAcksZeroErrorCloses(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(-1, 10), write(0, 10), write(-1, 10))
	r.reply(1, wire.Reply{None: true, Close: true})
	released := 0
	r.reply(2, payload(10, &released))
	if c.l.Ended() {
		t.Fatal("closed although a request before the error is under way")
	}
	c.send(metadata())
	r.wantBegun(0, 1, 2)
	r.answer(0)
	c.wantAnswers(0)
	if !c.l.Ended() || released != 1 {
		t.Fatalf("closed %v, %d released", c.l.Ended(), released)
	}
	r.wantClosed(reasonAnswer)
	r.wantQuiet()
}

// TestThrottleMutes the connection once the answer is on its way (KIP-219), and nobody else's.
func TestThrottleMutes(t *testing.T) {
	r := newRig(t)
	a, b := r.connect(), r.connect()
	a.send(metadata(), metadata(), metadata())
	answered := r.w.Now().Mono
	reply := answerOf(r.begun[0])
	reply.Throttle = 300 * time.Millisecond
	r.reply(0, reply)
	a.wantAnswers(0)
	b.send(metadata())
	r.answer(1)
	b.wantAnswers(0)
	r.w.Run(time.Second)
	if len(r.begun) != 3 {
		t.Fatalf("%d requests began", len(r.begun))
	}
	if waited := r.at[1] - answered; waited < 300*time.Millisecond || waited > 302*time.Millisecond {
		t.Fatalf("the next request began %v after a throttle of 300ms", waited)
	}
	r.answer(2)
	r.answer(3)
	a.wantAnswers(0, 1, 2)
	r.wantQuiet()
}

// TestDrainFinishesWhatIsUnderWay: nothing new begins, what has begun is answered and written, then it closes.
func TestDrainFinishesWhatIsUnderWay(t *testing.T) {
	r := newRig(t)
	c, idle := r.connect(), r.connect()
	c.send(write(-1, 10), write(-1, 10), metadata())
	c.l.Session().Drain()
	idle.l.Session().Drain()
	r.settle()
	if c.l.Ended() || !idle.l.Ended() {
		t.Fatalf("the busy one closed: %v, the idle one closed: %v", c.l.Ended(), idle.l.Ended())
	}
	c.send(metadata())
	r.wantBegun(0, 1)
	c.l.Stall(true)
	r.answer(1)
	r.answer(0)
	if c.l.Ended() {
		t.Fatal("closed before its answers were read")
	}
	c.l.Stall(false)
	r.settle()
	c.wantAnswers(0, 1)
	r.wantClosed(reasonStop, reasonStop)
	r.wantQuiet()
}

// TestRefusalAnswersWhatCameBefore and reads nothing behind it, whatever else happens meanwhile.
func TestRefusalAnswersWhatCameBefore(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(-1, 10), write(-1, 10))
	c.l.Send([]byte("\xff\xff\xff\xff"))
	c.send(metadata(), metadata())
	c.l.Resume() // a late wake-up, as from memory that became free
	r.settle()
	if r.log.count("length field says -1") != 1 || c.l.Ended() {
		t.Fatalf("log %q, closed %v", r.log.lines, c.l.Ended())
	}
	r.answer(1)
	r.answer(0)
	c.wantAnswers(0, 1)
	r.wantBegun(0, 1)
	r.wantClosed("refused frame")
	r.wantQuiet()
}

// TestRefusalsAreLoggedOnceASecond, with how many were left out.
func TestRefusalsAreLoggedOnceASecond(t *testing.T) {
	r := newRig(t)
	for range 50 {
		c := r.connect()
		c.l.Send([]byte{0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff})
		c.l.Send([]byte{0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff})
		r.settle()
		if !c.l.Ended() {
			t.Fatal("not closed")
		}
	}
	r.w.Run(time.Second)
	r.connect().l.Send([]byte("GET / HTTP/1.1\r\n"))
	r.connect().l.Send([]byte{0, 0, 0, 10, 0x7f, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff})
	r.settle()
	if r.log.count("is not an API") != 2 || r.log.count("similar_suppressed=49") != 1 || r.log.count("speaks HTTP") != 1 {
		t.Fatalf("log %q", r.log.lines)
	}
	if _, refused, _ := r.seen.snapshot(); len(refused) != 52 {
		t.Fatalf("%d refusals were observed", len(refused))
	}
	r.wantQuiet()
}

// TestUnknownApiVersionsIsAnswered with version 0, in its turn, and the connection goes on (KIP-511).
func TestUnknownApiVersionsIsAnswered(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(write(-1, 10))
	c.l.Send([]byte{0, 0, 0, 11, 0, 18, 0x7f, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0})
	c.n++
	c.send(metadata())
	r.answer(0)
	c.wantAnswers(0, 1)
	r.answer(1)
	c.wantAnswers(0, 1, 2)
}

// TestAnUnservableRequestDoesNotHurtItsNeighbour: a body that lies about its counts closes its own connection.
func TestAnUnservableRequestDoesNotHurtItsNeighbour(t *testing.T) {
	r := newRig(t)
	bad, good := r.connect(), r.connect()
	whole := frame(0, metadata())
	whole[len(whole)-4] = 0x7f // the count of topics, before two flags and the tags
	bad.l.Send(whole)
	good.send(metadata())
	r.answer(0)
	good.wantAnswers(0)
	if !bad.l.Ended() || good.l.Ended() || r.log.count("Metadata") != 1 {
		t.Fatalf("bad closed: %v, good closed: %v, log %q", bad.l.Ended(), good.l.Ended(), r.log.lines)
	}
	r.wantQuiet()
}

// TestRequestsAreForgottenWhenAnswered: an answer that waits for its client keeps neither body nor frame of its request.
func TestRequestsAreForgottenWhenAnswered(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.l.Stall(true)
	c.send(metadata(), write(-1, 2<<20))
	r.answer(0)
	if r.begun[0].Body != nil {
		t.Fatal("the body stays")
	}
	if r.cfg.Budget.Used() < 2<<20 {
		t.Fatal("the frame under way is not charged")
	}
	r.answer(1)
	if r.cfg.Budget.Used() > 16<<10 {
		t.Fatalf("the frame stays: %d bytes are held", r.cfg.Budget.Used())
	}
}

// TestAParkedFetchKeepsItsFrame: while requests may be parked, one that is read later says what it said; else its frame is given back
// when the handler returns, for it may wait long.
func TestAParkedFetchKeepsItsFrame(t *testing.T) {
	for _, parks := range []bool{true, false} {
		r := newRig(t)
		r.cfg.Parks = func() bool { return parks }
		m := follow().(*kmsg.FetchRequest)
		topic, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
		p.Partition, topic.Topic = 7, "t"
		topic.Partitions = append(topic.Partitions, p)
		m.Topics = append(m.Topics, topic)
		r.connect().send(m)
		named := 0
		for p := range r.begun[0].Fetch.All {
			if string(p.Topic) == "t" && p.Partition == 7 {
				named++
			}
		}
		if (named == 1) != parks {
			t.Fatalf("parks %v: %d partitions are named once the handler has returned", parks, named)
		}
		r.answer(0)
		r.wantQuiet()
	}
}

// TestSoftwareIsKept for the requests that follow ApiVersions (KIP-511), unless it is not a name.
func TestSoftwareIsKept(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	odd := apiVersions().(*kmsg.ApiVersionsRequest)
	odd.ClientSoftwareName = "-\n"
	c.send(apiVersions(), odd, metadata())
	r.answer(0)
	r.answer(1)
	if p := r.begun[2].Peer; p.SoftwareName != "test" || p.SoftwareVersion != "1.0" || p.Principal != wire.Anonymous {
		t.Fatalf("peer %+v", p)
	}
}

// TestFramesInPieces: however the bytes come, the requests are the same.
func TestFramesInPieces(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	all := slices.Concat(frame(0, metadata()), frame(1, write(1, 70_000)), frame(2, apiVersions()))
	for len(all) > 0 {
		n := min(len(all), 1+int(r.w.Uint64()%3000))
		c.l.Send(all[:n])
		all = all[n:]
		r.settle()
		for i := len(c.got); i < len(r.begun); i++ {
			r.answer(i)
		}
	}
	c.wantAnswers(0, 1, 2)
	r.wantQuiet()
}

// TestAnAnswerIsFramed: length, correlation id, body.
func TestAnAnswerIsFramed(t *testing.T) {
	r := newRig(t)
	var raw []byte
	c := r.connect()
	c.l.receive = func(b []byte) { raw = append(raw, b...) }
	c.send(metadata())
	released := 0
	r.reply(0, payload(100, &released))
	if len(raw) != 4+5+100 || binary.BigEndian.Uint32(raw) != 105 || released != 1 {
		t.Fatalf("%d bytes, length %d, %d released", len(raw), binary.BigEndian.Uint32(raw), released)
	}
}
