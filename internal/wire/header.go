package wire

import (
	"encoding/binary"

	"github.com/milena-io/milena/internal/kafka"
)

// Header is the header of a request, versions 1 and 2 (version 0 belonged to ControlledShutdown, which is gone).
type Header struct {
	Key           kafka.APIKey
	Version       int16
	CorrelationID int32
	ClientID      []byte // aliases the frame; nil for null
}

// parseHeader reads the fixed part of a header and leaves the cursor behind the client id, which is not compact even in
// flexible headers. Tags are the caller's, who knows the API.
func parseHeader(c *cursor) Header {
	h := Header{Key: kafka.APIKey(c.int16()), Version: c.int16(), CorrelationID: c.int32()}
	h.ClientID = c.nullableText(false)
	return h
}

// lengthBytes is the length field in front of every frame.
const lengthBytes = 4

// appendResponseHeader appends the length field, to be patched by finishFrame, and the response header: the
// correlation id, and for flexible responses an empty tag section. ApiVersions always answers with the old header, since a
// client that is about to learn our versions cannot know which one we use.
func appendResponseHeader(dst []byte, api *API, version int16, correlationID int32) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlationID))
	if api.flexibleIn(version) && api.Key != kafka.KeyApiVersions {
		dst = append(dst, 0)
	}
	return dst
}

// finishFrame writes the length of a frame that starts at dst[0] and goes on for extra bytes behind dst.
func finishFrame(dst []byte, extra int64) {
	binary.BigEndian.PutUint32(dst, uint32(int64(len(dst)-lengthBytes)+extra))
}
