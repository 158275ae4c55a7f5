package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/must"
)

// Values are the keys of one scope that somebody set, checked. The getters fall back to the default; asking for a key
// that is not in the table, or as another type, is a bug.
type Values struct {
	Scope Scope
	Set   map[string]string
	// HostName is this machine's, for listeners that are advertised without a host; empty for localhost.
	HostName string
}

// Get returns a key's text and whether there is one; Kafka's null is not.
func (v Values) Get(name string) (string, bool) {
	k, ok := Lookup(v.Scope, name)
	must.Hold(ok, "no config key %q", name)
	if s, ok := v.Set[name]; ok {
		return s, true
	}
	return k.Default, k.HasDefault
}

// Text returns a string, empty for null.
func (v Values) Text(name string) string {
	s, _ := v.Get(name)
	return s
}

// Int returns a number of any integer type; null is zero.
func (v Values) Int(name string) int64 {
	s, ok := v.Get(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	must.OK(err)
	return n
}

// Float returns a number of type double; null is zero.
func (v Values) Float(name string) float64 {
	s, ok := v.Get(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	must.OK(err)
	return n
}

// Bool returns a boolean.
func (v Values) Bool(name string) bool {
	return strings.EqualFold(strings.TrimSpace(v.Text(name)), "true")
}

// List returns a list's elements.
func (v Values) List(name string) []string { return SplitList(v.Text(name)) }

// Millis returns a time in ms as a duration; what does not fit is the longest there is.
func (v Values) Millis(name string) time.Duration { return millis(v.Int(name)) }

func millis(ms int64) time.Duration {
	if ms > math.MaxInt64/int64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// IsSet reports whether somebody set the key.
func (v Values) IsSet(name string) bool {
	_, ok := v.Set[name]
	return ok
}
