//go:build race

package peer_test

// raced says that the race detector runs, which drops what is given to pools at random.
const raced = true
