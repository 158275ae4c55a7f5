//go:build poison

package wire

// poisoned makes every pool overwrite what is freed: whoever kept a slice of it sees rubbish, and a test fails.
const poisoned = true
