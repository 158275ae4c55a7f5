package wire

// Walked is what the bounds walk learned of a body.
type Walked struct {
	Bytes   int   // length of the body; what follows is ignored, as Kafka does
	Decoded int64 // upper estimate of the memory that kmsg's decoder will take for it
}

// What a Go value costs beside its bytes: the headers of strings and slices, and the maps in which kmsg keeps unknown
// tags. They are upper estimates; a test compares them with what decoding really allocates.
const (
	stringHeader   = 16
	sliceHeader    = 24
	allocSlack     = 16  // rounding to the allocator's size classes, for small values
	firstTagBytes  = 512 // the first unknown tag of a struct makes a map with a group of slots
	furtherTagByte = 160 // growing that map, garbage included
)

// walk checks that body holds a request of this schema and version: every length and count is checked against the
// bytes that are left before it is believed, and nothing is allocated.
func (s *schema) walk(op string, version int16, body []byte) (Walked, error) {
	w := walker{cursor: cursor{b: body}, version: version, flexible: s.flexible >= 0 && version >= s.flexible}
	w.decoded = int64(structBytes(s.fields))
	w.structBody(s.fields)
	if err := w.err(op); err != nil {
		return Walked{}, err
	}
	return Walked{Bytes: w.pos, Decoded: w.decoded}, nil
}

type walker struct {
	cursor
	version  int16
	flexible bool
	decoded  int64
}

func (w *walker) structBody(fields []field) {
	var known []field
	for i := range fields {
		f := &fields[i]
		if f.kind == kindTags {
			known = f.fields
		} else if f.in(w.version) {
			w.value(f)
		}
	}
	if w.flexible {
		w.tags(known)
	}
}

func (w *walker) value(f *field) {
	nullable := w.version >= f.nullFrom
	switch f.kind {
	case kindFixed:
		w.take(f.size)
	case kindString, kindBytes:
		n := w.length(w.flexible, f.kind == kindBytes)
		if n < 0 {
			if !nullable {
				w.fail("a string is null that must not be")
			}
			return
		}
		w.take(n)
		w.decoded += int64(stringHeader + n + n/4 + allocSlack)
	case kindArray, kindList:
		w.array(f, nullable)
	case kindStruct:
		if f.nullFrom != never {
			if w.int8() == -1 {
				return
			}
			w.decoded += int64(structBytes(f.fields) + allocSlack)
		}
		w.structBody(f.fields)
	}
}

func (w *walker) array(f *field, nullable bool) {
	n := w.length(w.flexible, true)
	if n < 0 {
		if !nullable {
			w.fail("an array is null that must not be")
		}
		return
	}
	if n*w.leastBytes(f) > w.left() {
		w.fail("an array claims more elements than can follow")
		return
	}
	size := structBytes(f.fields)
	w.decoded += int64(n*size + n*size/4 + allocSlack)
	if f.kind == kindList && f.fields[0].kind == kindFixed {
		w.take(n * f.fields[0].size)
		return
	}
	for ; n > 0 && w.bad == ""; n-- {
		if f.kind == kindList {
			w.value(&f.fields[0])
		} else {
			w.structBody(f.fields)
		}
	}
}

// tags walks a tag section. kmsg decodes the tags it knows and keeps the others in a map.
func (w *walker) tags(known []field) {
	n := w.uvarint()
	if int64(n)*2 > int64(w.left()) {
		w.fail("more tags are claimed than can follow")
		return
	}
	unknown := 0
	for ; n > 0 && w.bad == ""; n-- {
		key := w.uvarint()
		body := w.take(int(w.uvarint()))
		if w.bad != "" {
			return
		}
		if f := findTag(known, key); f != nil {
			inner := walker{cursor: cursor{b: body}, version: w.version, flexible: true}
			inner.value(f)
			w.decoded += inner.decoded
			if inner.bad != "" {
				w.fail(inner.bad)
			}
			continue
		}
		if unknown++; unknown == 1 {
			w.decoded += firstTagBytes
		} else {
			w.decoded += furtherTagByte
		}
	}
}

func findTag(known []field, key uint32) *field {
	for i := range known {
		if known[i].tag == key {
			return &known[i]
		}
	}
	return nil
}

// leastBytes is the fewest bytes one element of an array can have.
func (w *walker) leastBytes(f *field) int {
	n := 0
	for i := range f.fields {
		e := &f.fields[i]
		if e.kind == kindTags || !e.in(w.version) {
			continue
		}
		switch {
		case e.kind == kindFixed:
			n += e.size
		case e.kind == kindStruct, w.flexible:
			n++
		case e.kind == kindString:
			n += 2
		default:
			n += 4
		}
	}
	if w.flexible && f.kind == kindArray {
		n++
	}
	return max(n, 1)
}

// structBytes is an upper estimate of the size of kmsg's struct for these fields, in every version, since its structs
// have the fields of all versions.
func structBytes(fields []field) int {
	n := 8 // the map of unknown tags
	for i := range fields {
		f := &fields[i]
		switch f.kind {
		case kindFixed:
			n += max(f.size, 8)
		case kindString:
			n += stringHeader
		case kindBytes, kindArray, kindList:
			n += sliceHeader
		case kindStruct:
			n += max(structBytes(f.fields), 8)
		case kindTags:
			n += structBytes(f.fields)
		}
	}
	return n
}
