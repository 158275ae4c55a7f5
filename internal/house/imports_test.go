package house

import (
	"strings"
	"testing"
)

// lines is the import order: a package imports only what stands on an earlier line, and on its own line only what stands
// before it there. A name ending in /... stands for everything below it.
var lines = [][]string{
	{"internal/kafka", "internal/fault", "internal/must", "internal/config", "internal/mutant"},
	{"internal/world", "internal/disk", "internal/golden", "internal/record", "internal/wire", "internal/staterecord", "internal/staterecord/group"},
	{"internal/peer"},
	{"internal/image/cow", "internal/image"},
	{"internal/machine/..."},
	{"internal/log/checkpoint", "internal/log/epoch", "internal/log/producer", "internal/log/segment", "internal/log/clean", "internal/log"},
	{"internal/partition", "internal/replica", "internal/storage", "internal/upkeep", "internal/coordinator", "internal/quorum", "internal/feed", "internal/migrate", "internal/remote/commands", "internal/remote"},
	{"internal/broker/..."},
	{"internal/listen", "internal/metrics", "internal/logging"},
	{"internal/node"},
	{"."},
	{"milenatest", "internal/inspect", "internal/cli", "internal/server", "cmd/milena"},
	{"internal/history", "internal/history/records", "internal/history/groups", "internal/history/replicas", "internal/history/faults", "internal/sim/network", "internal/sim/alone", "internal/sim", "internal/sim/run", "internal/mutant/hunt", "internal/crash", "internal/house"},
}

func place(dir string) (line, column int, ok bool) {
	for i, l := range lines {
		for j, name := range l {
			prefix, below := strings.CutSuffix(name, "/...")
			if dir == name || below && (dir == prefix || strings.HasPrefix(dir, prefix+"/")) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

func TestImportOrder(t *testing.T) {
	tree := load(t)
	for _, f := range tree.Files {
		if strings.HasSuffix(f.Syntax.Name.Name, "_test") {
			continue // stands outside the package it tests
		}
		line, column, ok := place(f.Dir)
		if !ok {
			t.Errorf("%s: the package has no place in the import order", f.Path)
			continue
		}
		for _, p := range f.Imports {
			dir, ours := strings.CutPrefix(p, Module)
			if !ours {
				continue
			}
			dir = strings.TrimPrefix(dir, "/")
			if dir == "" {
				dir = "."
			}
			l, c, ok := place(dir)
			same := l == line && c == column && related(f.Dir, dir)
			if !ok || l > line || l == line && c >= column && dir != f.Dir && !same {
				t.Errorf("%s imports %s, which stands below it", f.Path, dir)
			}
		}
	}
}

// related reports whether two packages of one room belong together: one is below the other, or they share the level under
// internal/machine/<machine>. Areas of broker are never related.
func related(a, b string) bool {
	if strings.HasPrefix(a, "internal/broker/") {
		return false
	}
	return strings.HasPrefix(a, "internal/machine/")
}

func TestHandlersStayInTheirRooms(t *testing.T) {
	for _, f := range load(t).Files {
		if !strings.HasPrefix(f.Dir, "internal/broker/") || f.Test {
			continue
		}
		for _, p := range f.Imports {
			switch dir := strings.TrimPrefix(p, Module+"/"); {
			case dir == "internal/log" || strings.HasPrefix(dir, "internal/log/"),
				dir == "internal/quorum", dir == "internal/feed", dir == "internal/disk":
				t.Errorf("%s imports %s: an area declares what it needs and node connects it", f.Path, dir)
			}
		}
	}
}

func TestMachinesArePure(t *testing.T) {
	banned := []string{"net", "os", "io/fs", "log/slog", "sync", "sync/atomic", "math/rand", "math/rand/v2", "crypto/rand", "runtime"}
	ours := []string{"internal/world", "internal/disk", "internal/log", "internal/partition", "internal/quorum"}
	for _, f := range load(t).Files {
		if !strings.HasPrefix(f.Dir, "internal/machine/") && f.Dir != "internal/image" && f.Dir != "internal/image/cow" || f.Test {
			continue
		}
		for _, p := range f.Imports {
			for _, b := range banned {
				if p == b {
					t.Errorf("%s imports %s: a machine is pure", f.Path, p)
				}
			}
			for _, b := range ours {
				if p == Module+"/"+b {
					t.Errorf("%s imports %s: a machine is pure", f.Path, b)
				}
			}
		}
		for _, s := range goStatements(f) {
			t.Errorf("%s:%d starts a goroutine: a machine is pure", f.Path, s)
		}
		for _, call := range clockCalls(f) {
			t.Errorf("%s calls %s: a machine is handed the time", f.Path, call)
		}
	}
}

func TestOnlyQuorumKnowsRaft(t *testing.T) {
	for _, f := range load(t).Files {
		for _, p := range f.Imports {
			if strings.HasPrefix(p, "go.etcd.io/raft") && f.Dir != "internal/quorum" {
				t.Errorf("%s imports %s: quorum is the only room that knows Raft", f.Path, p)
			}
		}
	}
}

func TestOnlyDiskAndTheCommandLineOpenFiles(t *testing.T) {
	allowed := map[string]bool{"internal/disk": true, "internal/cli": true, "internal/house": true, "cmd/milena": true, "internal/mutant/hunt": true, "internal/sim/run": true}
	for _, f := range load(t).Files {
		for _, p := range f.Imports {
			if p == "os" && !allowed[f.Dir] && !f.Test && f.Path != "internal/listen/source.go" { // sockets' deadlines are os.ErrDeadlineExceeded
				t.Errorf("%s imports os: files are opened through disk.FS", f.Path)
			}
		}
	}
}
