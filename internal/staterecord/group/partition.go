package group

import "unicode/utf16"

// Partition returns the partition of __consumer_offsets (or another coordinator topic) that owns a key: Java's
// String.hashCode over UTF-16 code units, without its sign bit, modulo the partition count.
func Partition(key string, partitions int32) int32 {
	return int32(uint32(JavaHash(key)) & 0x7fffffff % uint32(partitions))
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
