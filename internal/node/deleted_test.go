package node

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

// A log that does not open, because records below its recovery point are gone, is deleted and its topic made again: the
// operator's obvious repair.
func TestDamagedLogCanBeDeletedAndMadeAgain(t *testing.T) {
	r := newRig(t)
	r.create("a", 1)
	for range 10 {
		wantCode(t, r.write("a", 0, plain("x", "y")).ErrorCode, kafka.ErrNone)
	}
	must.OK(r.n.checkpoint(true))
	f := must.Get(r.fs.Open("data/a-0/00000000000000000000.log", disk.Write))
	must.OK(f.Truncate(100))
	must.OK(f.Sync())
	r.kill()
	wantCode(t, r.write("a", 0, plain("x")).ErrorCode, kafka.ErrCorruptMessage)
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis = 6, 1000
	named := kmsg.NewDeleteTopicsRequestTopic()
	named.Topic = kmsg.StringPtr("a")
	req.Topics = append(req.Topics, named)
	wantCode(t, ask[*kmsg.DeleteTopicsResponse](r, req).Topics[0].ErrorCode, kafka.ErrNone)
	r.create("a", 1)
	wantCode(t, r.write("a", 0, plain("new")).ErrorCode, kafka.ErrNone)
	r.kill()
	wantCode(t, r.write("a", 0, plain("newer")).ErrorCode, kafka.ErrNone)
	for _, e := range must.Get(r.fs.List("data")) {
		if strings.HasSuffix(e.Name, "-delete") || strings.HasSuffix(e.Name, "-stray") {
			t.Errorf("%s is left", e.Name)
		}
	}
}
