package inspect

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Payload is a key, a value or a header's value as JSON shows it: null, a string, or {"$base64":"…"} for bytes that are
// no UTF-8. Text stays text, also when it looks like a number: JavaScript and jq round large ones. nil is null.
type Payload []byte

type encoded struct {
	Base64 *string `json:"$base64"`
}

// MarshalJSON writes the payload.
func (p Payload) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("null"), nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	var err error
	if utf8.Valid(p) {
		err = e.Encode(string(p))
	} else {
		text := base64.StdEncoding.EncodeToString(p)
		err = e.Encode(encoded{&text})
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Payload) UnmarshalJSON(b []byte) error {
	switch {
	case string(b) == "null":
		*p = nil
		return nil
	case len(b) > 0 && b[0] == '"':
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*p = Payload(s)
		return nil
	}
	var e encoded
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || e.Base64 == nil {
		return fmt.Errorf(`want a string, null or {"$base64":"…"}, have %.40s`, b)
	}
	data, err := base64.StdEncoding.DecodeString(*e.Base64)
	if err != nil {
		return fmt.Errorf("$base64: %w", err)
	}
	*p = Payload(data)
	return nil
}
