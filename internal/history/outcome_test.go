package history

import (
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// TestNoRetriableErrorProvesAnything: a client that is told to try again doesn't know whether it has to.
func TestNoRetriableErrorProvesAnything(t *testing.T) {
	fails := 0
	for code := kafka.ErrorCode(-1); code < 200; code++ {
		for name, table := range map[string]func(kafka.ErrorCode) Kind{"produce": Produced, "end": Ended, "commit": OffsetsCommitted} {
			switch kind := table(code); {
			case code == kafka.ErrNone && kind != Ok, code != kafka.ErrNone && kind == Ok:
				t.Errorf("%s: %v is %v", name, code, kind)
			case kind == Fail && (code.Retriable() || code == kafka.ErrUnknownServerError):
				t.Errorf("%s: %v is Fail, and proves nothing", name, code)
			case kind == Fail:
				fails++
			}
		}
	}
	if fails < 20 {
		t.Errorf("only %d errors prove anything", fails)
	}
	for _, code := range []kafka.ErrorCode{kafka.ErrNotEnoughReplicasAfterAppend, kafka.ErrRequestTimedOut, kafka.ErrNotLeaderOrFollower, kafka.ErrDuplicateSequenceNumber} {
		if Produced(code) != Info {
			t.Errorf("%v is %v", code, Produced(code))
		}
	}
}

func TestSettle(t *testing.T) {
	too := Attempt{Code: kafka.ErrMessageTooLarge}
	for _, c := range []struct {
		name string
		try  []Attempt
		want Kind
	}{
		{"nothing left the client", []Attempt{{Transport: Unsent}}, Fail},
		{"nothing was tried", nil, Fail},
		{"cut", []Attempt{{Transport: Cut}}, Info},
		{"silent", []Attempt{{Transport: Silent}}, Info},
		{"refused", []Attempt{too}, Fail},
		{"refused after silence", []Attempt{{Transport: Silent}, too}, Info},
		{"refused after a refused connection", []Attempt{{Transport: Unsent}, too}, Fail},
		{"taken after silence", []Attempt{{Transport: Silent}, {}}, Ok},
		{"moved on, then refused", []Attempt{{Code: kafka.ErrNotLeaderOrFollower}, too}, Info},
	} {
		if got := Settle(c.try, Produced); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
