//go:build !poison

package wire

const poisoned = false
