package commands_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// FuzzReadCommand: whatever frame a listener lets through is a command, and the same one when it is written and read again.
func FuzzReadCommand(f *testing.F) {
	d := dice{rand.New(rand.NewPCG(5, 6))}
	handlers, ways := map[kafka.APIKey]wire.Handler{}, map[kafka.APIKey]travel{}
	for _, tr := range travels() {
		m := commands.Write("c", d.settled(d.some(tr.command)))
		key := kafka.APIKey(m.Key())
		api, _ := wire.Lookup(key)
		for v := api.Min; v <= api.Max; v++ {
			m.SetVersion(v)
			f.Add(m.AppendTo(wire.BeginRequest(nil, &api, v, 1, "c"))[4:])
		}
		handlers[key], ways[key] = func(*wire.Request) {}, tr
	}
	table := wire.NewTable(handlers)
	f.Fuzz(func(t *testing.T, frame []byte) {
		in, err := table.Decode(frame, func(n int64) bool { return n < 1<<22 })
		if err != nil {
			return
		}
		tr := ways[in.Key]
		cmd := tr.read(in.Body)
		if again := tr.read(arrive(t, commands.Write("c", cmd), tr.version)); in.Version == tr.version && !reflect.DeepEqual(cmd, again) {
			t.Fatalf("%+v is %+v when it is read again", cmd, again)
		}
	})
}
