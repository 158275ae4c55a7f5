//go:build !race

package listen

const raced = false
