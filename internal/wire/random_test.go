package wire

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// randomMessage fills a message of kmsg with chance, so that every field, null and tag comes up.
func randomMessage[M interface {
	SetVersion(int16)
	AppendTo([]byte) []byte
}](rng *rand.Rand, m M, version int16, flexible bool) M {
	fill(rng, reflect.ValueOf(m).Elem(), flexible)
	m.SetVersion(version)
	return m
}

func fill(rng *rand.Rand, v reflect.Value, flexible bool) {
	switch v.Kind() {
	case reflect.Struct:
		if tags, ok := v.Addr().Interface().(*kmsg.Tags); ok {
			if flexible && rng.IntN(4) == 0 {
				for range 1 + rng.IntN(3) {
					tags.Set(100+rng.Uint32N(1<<20), []byte(randomText(rng)))
				}
			}
			return
		}
		for i := range v.NumField() {
			fill(rng, v.Field(i), flexible)
		}
	case reflect.Pointer:
		if rng.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem(), flexible)
		}
	case reflect.Slice:
		n := rng.IntN(4)
		if n == 3 && rng.IntN(3) == 0 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rng, v.Index(i), flexible)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i), flexible)
		}
	case reflect.String:
		v.SetString(randomText(rng))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(uint64(rng.Uint32() & 0x7f))
	default:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(64))
	}
}

func randomText(rng *rand.Rand) string { return strings.Repeat("ä", rng.IntN(5)) + "x" }

// everything is a table with a handler for each API.
func everything() *Table {
	handlers := map[kafka.APIKey]Handler{}
	for _, api := range APIs() {
		handlers[api.Key] = func(*Request) {}
	}
	return NewTable(handlers)
}

func frameOf(api *API, version int16, body []byte, clientID *string) []byte {
	f := appendInt16(nil, int16(api.Key))
	f = appendInt16(f, version)
	f = appendInt32(f, int32(77))
	f = appendNullableText(f, clientID, false)
	if api.flexibleIn(version) {
		f = append(f, 1, 5, 2, 'h', 'i') // a tag that nobody knows
	}
	return append(f, body...)
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
