// Package must holds the assertions that stay on in production: a broken invariant is a bug and panics.
//
// Only bugs panic here; a failure of the world (disk, network, a client's bytes) is an error and never comes near
// this package. Everybody may call it; it imports nothing of this module.
package must

import "fmt"

// Hold panics when an invariant does not hold.
func Hold(ok bool, format string, args ...any) {
	if !ok {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}

// OK panics on an error that cannot happen.
func OK(err error) {
	if err != nil {
		panic("impossible error: " + err.Error())
	}
}

// Get returns v and panics on an error that cannot happen.
func Get[T any](v T, err error) T {
	OK(err)
	return v
}
