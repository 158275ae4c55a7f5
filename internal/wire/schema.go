package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/must"
)

// A request body is described by a terse schema, so that it can be walked before a generic decoder sees it. Fields
// stand in the order of the wire, separated by blanks:
//
//	1 2 4 8 16   so many bytes
//	s  b         a string, a byte string
//	*s *4        an array of plain values
//	[...]        an array of structs
//	{...}        a struct; {...}? one that may be null, with a byte in front that tells
//	<0:16 1:s?>  known tags; structs of flexible versions end with a tag section whether or not any is known
//
// behind which may come ? for nullable (?7 from version 7 on) and @ for the versions that have the field (@3 from 3 on,
// @2-4 for 2 to 4).
type schema struct {
	fields   []field
	flexible int16 // first flexible version; -1 for never
	bytes    bool  // it has a byte string, which kmsg would leave aliasing the frame
}

type fieldKind uint8

const (
	kindFixed fieldKind = iota
	kindString
	kindBytes
	kindArray // of structs: fields
	kindList  // of plain values: fields[0]
	kindStruct
	kindTags
)

const never = int16(1<<15 - 1)

type field struct {
	kind     fieldKind
	size     int    // of kindFixed
	tag      uint32 // inside kindTags
	from, to int16  // versions that have the field
	nullFrom int16  // first version where it may be null
	fields   []field
}

func (f *field) in(version int16) bool { return version >= f.from && version <= f.to }

// parseSchema compiles a schema. A mistake in one is a bug of the table and panics; the all-API test parses every one.
func parseSchema(text string, flexible int16) *schema {
	p := schemaParser{text: text}
	s := &schema{fields: p.fields(0), flexible: flexible, bytes: strings.ContainsRune(text, 'b')}
	must.Hold(p.pos == len(text), "schema %q: unexpected %q", text, text[p.pos:])
	return s
}

type schemaParser struct {
	text string
	pos  int
}

func (p *schemaParser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *schemaParser) accept(c byte) bool {
	if c == 0 || p.peek() != c {
		return false
	}
	p.pos++
	return true
}

func (p *schemaParser) expect(c byte) {
	must.Hold(p.accept(c), "schema %q: %q expected at %d", p.text, c, p.pos)
}

func (p *schemaParser) number() int {
	start := p.pos
	for p.peek() >= '0' && p.peek() <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.text[start:p.pos])
	must.Hold(err == nil, "schema %q: a number expected at %d", p.text, start)
	return n
}

// fields parses until the closing character, or the end of the text for 0.
func (p *schemaParser) fields(end byte) []field {
	var out []field
	for {
		for p.accept(' ') {
		}
		if p.peek() == end {
			if end != 0 {
				p.pos++
			}
			return out
		}
		out = append(out, p.field())
	}
}

func (p *schemaParser) field() field {
	f := field{to: never, nullFrom: never}
	switch c := p.peek(); {
	case p.accept('s'):
		f.kind = kindString
	case p.accept('b'):
		f.kind = kindBytes
	case p.accept('['):
		f.kind, f.fields = kindArray, p.fields(']')
	case p.accept('{'):
		f.kind, f.fields = kindStruct, p.fields('}')
	case p.accept('*'):
		f.kind, f.fields = kindList, []field{p.plain()}
	case p.accept('<'):
		f.kind, f.fields = kindTags, p.tags()
	case c >= '0' && c <= '9':
		f.kind, f.size = kindFixed, p.number()
	default:
		panic(fmt.Sprintf("schema %q: unexpected %q at %d", p.text, c, p.pos))
	}
	p.qualifiers(&f)
	return f
}

// plain is the element of a list: it has no qualifiers of its own.
func (p *schemaParser) plain() field {
	if p.accept('s') {
		return field{kind: kindString, to: never, nullFrom: never}
	}
	return field{kind: kindFixed, size: p.number(), to: never, nullFrom: never}
}

func (p *schemaParser) tags() []field {
	var out []field
	for !p.accept('>') {
		key := p.number()
		p.expect(':')
		f := p.field()
		f.tag = uint32(key)
		out = append(out, f)
		p.accept(' ')
	}
	return out
}

func (p *schemaParser) qualifiers(f *field) {
	if p.accept('?') {
		f.nullFrom = 0
		if c := p.peek(); c >= '0' && c <= '9' {
			f.nullFrom = int16(p.number())
		}
	}
	if p.accept('@') {
		f.from = int16(p.number())
		if p.accept('-') {
			f.to = int16(p.number())
		}
	}
}
