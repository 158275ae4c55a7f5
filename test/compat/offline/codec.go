package offline

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// unpack returns the records of a batch body packed with codec.
func unpack(codec string, body []byte) ([]byte, error) {
	switch codec {
	case "none":
		return body, nil
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	case "snappy":
		return unpackSnappy(body)
	case "lz4":
		return io.ReadAll(lz4.NewReader(bytes.NewReader(body)))
	case "zstd":
		r, err := zstd.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(r)
	}
	return nil, fmt.Errorf("unknown codec")
}

// xerial begins the chunked framing of the Java snappy library; other clients send one bare snappy block.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unpackSnappy(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, xerial) {
		return snappy.Decode(nil, body)
	}
	if len(body) < 16 {
		return nil, fmt.Errorf("xerial header is cut")
	}
	var out []byte
	for rest := body[16:]; len(rest) > 0; {
		if len(rest) < 4 {
			return nil, fmt.Errorf("xerial chunk is cut")
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n > len(rest)-4 {
			return nil, fmt.Errorf("xerial chunk is cut")
		}
		chunk, err := snappy.Decode(nil, rest[4:4+n])
		if err != nil {
			return nil, err
		}
		out = append(out, chunk...)
		rest = rest[4+n:]
	}
	return out, nil
}
