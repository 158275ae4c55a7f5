package wire

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// The other end of the protocol: requests that we send to another node, and the headers of its answers.

// Lookup returns what this package knows of an API, with the versions that we speak; ok is false for one that it doesn't
// know. It builds the table anew: ask once.
func Lookup(key kafka.APIKey) (api API, ok bool) {
	if key == kafka.KeyNodeMessages {
		return nodeMessages(), true
	}
	for _, a := range APIs() {
		if a.Key == key {
			return a, true
		}
	}
	return API{}, false
}

// BeginRequest appends the length field, to be settled by EndRequest, and the header of a request.
func BeginRequest(dst []byte, api *API, version int16, correlationID int32, clientID string) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = appendInt16(dst, api.Key)
	dst = appendInt16(dst, version)
	dst = appendInt32(dst, correlationID)
	dst = appendText(dst, clientID, false)
	if api.flexibleIn(version) {
		dst = append(dst, 0)
	}
	return dst
}

// EndRequest settles the length of a request that BeginRequest began at dst[0].
func EndRequest(dst []byte) { finishFrame(dst, 0) }

// AnswerOf returns the correlation id of an answer, which is a frame without its length.
func AnswerOf(frame []byte) int32 { return int32(binary.BigEndian.Uint32(frame)) }

// AnswerBody returns what follows the header of an answer; it aliases the frame.
func AnswerBody(api *API, version int16, frame []byte) ([]byte, error) {
	c := cursor{b: frame}
	c.int32()
	if api.flexibleIn(version) && api.Key != kafka.KeyApiVersions {
		c.skipTags()
	}
	return frame[c.pos:], c.err("wire.answer")
}
