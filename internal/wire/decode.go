package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// Decoded is a request as far as its bytes tell.
type Decoded struct {
	Header
	Body    kmsg.Request   // nil for Produce, Fetch, NodeMessages and an ApiVersions request of an unknown version
	Produce ProduceRequest // of Produce
	Fetch   FetchRequest   // of Fetch
	Node    NodeRequest    // of NodeMessages
	Raw     []byte         // the body; aliases the frame
	Memory  int64          // what decoding took beside the frame; the caller has to give it back to the budget
	// UnknownVersion marks an ApiVersions request that is answered by Table.UnsupportedVersion.
	UnknownVersion bool
}

// Decode reads the header of a frame, checks key and version against the table, walks the body's bounds, charges what
// decoding (of Produce: serving) will take and decodes it. Every error means that the connection is to be closed, as Kafka does; its message
// says what was wrong. charge reserves memory and reports whether there was enough.
//
// The Body may be kept: it does not alias the frame (except unknown tags, where no tag of ours is known). Produce, Fetch, Node and Raw do.
func (t *Table) Decode(frame []byte, charge func(int64) bool) (Decoded, error) {
	c := cursor{b: frame}
	d := Decoded{Header: parseHeader(&c)}
	if err := c.err("wire.header"); err != nil {
		return d, err
	}
	e := t.find(d.Key)
	if e == nil {
		return d, malformed("wire.header", "%v is not an API of this listener", d.Key)
	}
	if d.Version < e.Served || d.Version > e.Max {
		if d.Key == kafka.KeyApiVersions {
			d.UnknownVersion = true
			return d, nil
		}
		return d, malformed("wire.header", "%v version %d is not served, only %d to %d", d.Key, d.Version, e.Served, e.Max)
	}
	if e.flexibleIn(d.Version) {
		c.skipTags()
		if err := c.err("wire.header"); err != nil {
			return d, err
		}
	}
	d.Raw = frame[c.pos:]
	if d.Key == kafka.KeyProduce {
		var err error
		if d.Produce, err = ParseProduce(d.Version, d.Raw); err != nil {
			return d, err
		}
		d.Memory, err = chargeFor("wire.Produce", int64(d.Produce.Partitions)*perProduced, len(d.Raw), charge)
		return d, err
	}
	if d.Key == kafka.KeyFetch {
		var err error
		if d.Fetch, err = ParseFetch(d.Version, d.Raw); err != nil {
			return d, err
		}
		d.Memory, err = chargeFor("wire.Fetch", int64(d.Fetch.Partitions+d.Fetch.Forgotten)*perFetched, len(d.Raw), charge)
		return d, err
	}
	if d.Key == kafka.KeyNodeMessages {
		var err error
		d.Node, err = ParseNodeRequest(d.Raw)
		return d, err
	}
	return d, e.decode(&d, charge)
}

// perProduced is what a handler keeps for each partition of a Produce request, beside the frame: its answer, and the name
// of its topic.
const perProduced = 256

// perFetched is what a handler keeps for each partition of a Fetch request until it is answered: what is asked, what was
// read, whom it waits for, and its part of the answer.
const perFetched = 768

func chargeFor(op string, memory int64, body int, charge func(int64) bool) (int64, error) {
	if !charge(memory) {
		return 0, malformed(op, "serving its %d bytes would take up to %d bytes of memory, more than is left", body, memory)
	}
	return memory, nil
}

func (e *entry) decode(d *Decoded, charge func(int64) bool) error {
	walked, err := e.schema.walk("wire."+e.Key.String(), d.Version, d.Raw)
	if err != nil {
		return err
	}
	memory := walked.Decoded
	body := d.Raw[:walked.Bytes]
	keep := e.schema.bytes || e.tagged
	if keep {
		memory += int64(len(body))
	}
	if d.Memory, err = chargeFor("wire."+e.Key.String(), memory, len(body), charge); err != nil {
		return err
	}
	if keep {
		// kmsg leaves byte strings and unknown tags aliasing its input. A copy lets the frame go back to its pool at once, and nobody
		// has to remember which fields may be kept.
		body = append(make([]byte, 0, len(body)), body...)
	}
	d.Body = kmsg.RequestForKey(int16(e.Key))
	d.Body.SetVersion(d.Version)
	if err := d.Body.ReadFrom(body); err != nil {
		return malformed("wire."+e.Key.String(), "version %d does not decode: %v", d.Version, err)
	}
	return nil
}
