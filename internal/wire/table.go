package wire

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
)

func (a *API) flexibleIn(version int16) bool { return a.Flexible >= 0 && version >= a.Flexible }

// Table is what one listener offers: the APIs of this package for which a handler is registered. It is immutable.
type Table struct {
	entries [kafka.KeyUnregisterController + 1]*entry
	private *entry // NodeMessages
}

// Audience is who is told what a listener offers.
type Audience uint8

// The audiences. Each hears of all that those before it hear of.
const (
	Clients     Audience = iota
	Controllers          // whoever asks on a listener of controllers, where Kafka lists its internal APIs
	Nodes                // nodes of ours, which say so by NodeSoftware; they hear of NodeMessages, too
)

// NodeSoftware is the software name by which our nodes ask each other for ApiVersions. It gives no right to anything: what a
// listener doesn't offer to nodes has no handler there.
const NodeSoftware = "milena-node"

type entry struct {
	API
	schema  *schema
	handler Handler
}

// NewTable registers handlers. A handler for an API that this package cannot decode is a bug of the assembly.
func NewTable(handlers map[kafka.APIKey]Handler) *Table {
	t := &Table{}
	for _, api := range APIs() {
		if h := handlers[api.Key]; h != nil {
			t.entries[api.Key] = &entry{API: api, schema: parseSchema(api.body, api.Flexible), handler: h}
		}
	}
	if h := handlers[kafka.KeyNodeMessages]; h != nil {
		t.private = &entry{API: nodeMessages(), handler: h}
	}
	for key := range handlers {
		must.Hold(t.find(key) != nil, "a handler for %v is registered, which wire cannot decode", key)
	}
	return t
}

func (t *Table) find(key kafka.APIKey) *entry {
	if key == kafka.KeyNodeMessages {
		return t.private
	}
	if key < 0 || int(key) >= len(t.entries) {
		return nil
	}
	return t.entries[key]
}

// API returns what the table says about a key; ok is false when nothing is registered for it.
func (t *Table) API(key kafka.APIKey) (api API, ok bool) {
	if e := t.find(key); e != nil {
		return e.API, true
	}
	return API{}, false
}

// Forwards reports whether a broker passes a request on to the active controller, which answers it (KIP-590).
func (t *Table) Forwards(key kafka.APIKey) bool {
	e := t.find(key)
	return e != nil && e.Forwarded
}

// Handle calls the handler of a request that Decode made.
func (t *Table) Handle(r *Request) { t.find(r.Key).handler(r) }

// Advertised returns the keys and ranges that ApiVersions tells an audience, in order of the keys.
func (t *Table) Advertised(to Audience) []kmsg.ApiVersionsResponseApiKey {
	var out []kmsg.ApiVersionsResponseApiKey
	add := func(e *entry) {
		if e == nil || e.Internal && to < Controllers || e.Private && to < Nodes {
			return
		}
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(e.Key), e.Min, e.Max
		out = append(out, k)
	}
	for _, e := range t.entries {
		add(e)
	}
	add(t.private)
	return out
}

// UnsupportedVersion is the answer to an ApiVersions request of a version that we don't know: a body of version 0 with
// error 35 and our own range, so that the client can ask again (KIP-511).
func (t *Table) UnsupportedVersion() *kmsg.ApiVersionsResponse {
	out := kmsg.NewPtrApiVersionsResponse()
	out.ErrorCode = int16(kafka.ErrUnsupportedVersion)
	if e := t.find(kafka.KeyApiVersions); e != nil {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(e.Key), e.Min, e.Max
		out.ApiKeys = append(out.ApiKeys, k)
	}
	return out
}
