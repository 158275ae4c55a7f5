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
}

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
	for key := range handlers {
		must.Hold(t.find(key) != nil, "a handler for %v is registered, which wire cannot decode", key)
	}
	return t
}

func (t *Table) find(key kafka.APIKey) *entry {
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

// Handle calls the handler of a request that Decode made.
func (t *Table) Handle(r *Request) { t.find(r.Key).handler(r) }

// Advertised returns the keys and ranges that ApiVersions tells, in order of the keys. Internal APIs are listed only on
// request, for the listeners of controllers.
func (t *Table) Advertised(withInternal bool) []kmsg.ApiVersionsResponseApiKey {
	var out []kmsg.ApiVersionsResponseApiKey
	for _, e := range t.entries {
		if e == nil || e.Internal && !withInternal {
			continue
		}
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = int16(e.Key), e.Min, e.Max
		out = append(out, k)
	}
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
