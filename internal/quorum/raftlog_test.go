package quorum

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

func TestRaftsLogShowsNodeIDs(t *testing.T) {
	var out bytes.Buffer
	set, err := newVoterSet([]Voter{{ID: 7, Directory: kafka.DirectoryID{1}}})
	if err != nil {
		t.Fatal(err)
	}
	l := raftLogger{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), set.node}
	args := []any{set[0].raft, uint64(3)}
	l.Infof("%x became leader at term %d", args...)
	if !strings.Contains(out.String(), `msg="node 7 became leader at term 3"`) {
		t.Error(out.String())
	}
	if args[0] != set[0].raft {
		t.Error("the library's arguments were changed")
	}
}
