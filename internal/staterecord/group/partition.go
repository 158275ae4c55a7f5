package group

import (
	"math"
	"unicode/utf16"
)

// Partition returns the partition of __consumer_offsets (or another coordinator topic) that owns a key: the absolute
// value of Java's String.hashCode modulo the partition count. The least integer, which has no absolute value, is 0.
func Partition(key string, partitions int32) int32 {
	h := JavaHash(key)
	switch {
	case h == math.MinInt32:
		return 0
	case h < 0:
		h = -h
	}
	return h % partitions
}

// JavaHash is String.hashCode: h = 31*h + c with 32-bit wrap, over UTF-16 code units.
func JavaHash(s string) int32 {
	var h int32
	for _, c := range s {
		if c < 0x10000 {
			h = 31*h + c
			continue
		}
		high, low := utf16.EncodeRune(c)
		h = 31*(31*h+high) + low
	}
	return h
}
