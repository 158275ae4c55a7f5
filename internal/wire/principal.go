package wire

// A principal travels from node to node inside an Envelope (KIP-590), as Kafka's DefaultKafkaPrincipalBuilder writes it: the
// version in two bytes, then type, name, whether a delegation token was used, and tags.

const principalVersion = 0

// AppendPrincipal encodes a principal.
func AppendPrincipal(dst []byte, p Principal) []byte {
	dst = appendInt16(dst, int16(principalVersion))
	dst = appendText(dst, p.Type, true)
	dst = appendText(dst, p.Name, true)
	return append(dst, 0, 0)
}

// ParsePrincipal decodes one; it copies what it keeps.
func ParsePrincipal(b []byte) (Principal, error) {
	const op = "wire.principal"
	c := cursor{b: b}
	version := c.int16()
	if c.bad == "" && version != principalVersion {
		return Principal{}, malformed(op, "version %d is not known", version)
	}
	p := Principal{Type: string(c.text(true)), Name: string(c.text(true))}
	c.int8()
	c.skipTags()
	if err := c.err(op); err != nil {
		return Principal{}, err
	}
	return p, nil
}
