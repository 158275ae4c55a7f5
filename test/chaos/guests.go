package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/milena-io/milena/test/chaos/load"
	"github.com/milena-io/milena/test/compat/clients"
	"github.com/milena-io/milena/test/compat/driver"
)

// asksAgain is how long they wait for an answer (request.timeout.ms) before they ask again.
const asksAgain = 3 * time.Second

// others are the clients that may be beside franz-go, with what they are set to: they never give a record up, and look for another node
// within seconds instead of half a minute, so that more of them is in flight when the next fault comes.
var others = map[string]struct {
	lives    time.Duration // of a member of the group; 0 for a whole round
	settings []string
}{
	"java": {settings: []string{
		"delivery.timeout.ms=2147483647", "request.timeout.ms=3000", "default.api.timeout.ms=10000", "max.block.ms=180000",
		"reconnect.backoff.max.ms=200", "socket.connection.setup.timeout.ms=1000", "retry.backoff.max.ms=200",
	}},
	"confluent-py": {lives: 30 * time.Second, settings: []string{
		"delivery.timeout.ms=2147483647", "request.timeout.ms=3000", "socket.timeout.ms=3000",
		"reconnect.backoff.max.ms=200", "socket.connection.setup.timeout.ms=1000", "retry.backoff.max.ms=200",
	}},
}

// guests are the clients that are named, installed.
func guests(names, dir string) (out []*load.Guest, err error) {
	all := clients.Catalogue()
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' }) {
		is, known := others[name]
		i := slices.IndexFunc(all, func(c driver.Client) bool { return c.Name == name && c.Settings })
		if !known || i < 0 {
			return nil, fmt.Errorf("no client that can be beside franz-go is called %q; there are java and confluent-py", name)
		}
		g := &load.Guest{Name: name, Settings: is.settings, Lives: is.lives, Patience: asksAgain}
		if g.Drive, err = driver.Prepare(all[i], filepath.Join(dir, name+".log")); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}
