package migrate

import (
	"iter"
	"strings"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/staterecord"
)

// ownPrefix is what our keys begin with (architecture D10).
const ownPrefix = "milena."

// Key is a dynamic config of a resource.
type Key struct {
	Resource image.Resource
	Name     string
}

// ownKeys lists the keys of ours that a log has set, in a fixed order.
func ownKeys(img *image.Image) []Key {
	var out []Key
	for r, configs := range img.Resources() {
		for _, c := range configs {
			if strings.HasPrefix(c.Name, ownPrefix) {
				out = append(out, Key{r, c.Name})
			}
		}
	}
	return out
}

// stripper is a controller that knows one command: delete our keys. Nothing else happens in the log meanwhile.
type stripper struct {
	builder *image.Builder
	kraft   int16
}

// strip is its command; the reply is the keys.
type strip struct{}

var _ quorum.Machine = (*stripper)(nil)

func newStripper() *stripper { return &stripper{builder: image.Empty().Edit()} }

func (s *stripper) image() *image.Image { return s.builder.Build(s.builder.Position()).Visible() }

func (s *stripper) Lead(kafka.Instant, kafka.Offset) {}

func (s *stripper) Decide(kafka.Instant, kafka.Offset, quorum.Command) ([]quorum.Record, quorum.Reply, error) {
	keys := ownKeys(s.image())
	var records []quorum.Record
	for _, k := range keys {
		records = append(records, &staterecord.Config{ResourceType: k.Resource.Type, ResourceName: k.Resource.Name, Name: k.Name})
	}
	return records, keys, nil
}

// Apply applies a record that stands in the log, where everything fits what came before it.
func (s *stripper) Apply(_ kafka.Offset, r quorum.Record) { must.OK(s.builder.Apply(r)) }

// Revert has nothing to take back: a lone voter loses no leadership, and what fails ends the command.
func (s *stripper) Revert(kafka.Offset) {}

func (s *stripper) Commit(kafka.Offset) {}

func (s *stripper) Due(kafka.Instant) []quorum.Command { return nil }

func (s *stripper) Load(_ kafka.Offset, records iter.Seq[quorum.Record]) (put func()) {
	b := image.Empty().Edit()
	for r := range records {
		must.OK(b.Apply(r))
	}
	return func() { s.builder = b }
}

func (s *stripper) Snapshot() iter.Seq[quorum.Record] { return s.image().Records() }

func (s *stripper) Form(kraftVersion int16) { s.kraft = kraftVersion }

func (s *stripper) Level() staterecord.MetadataVersion { return s.image().MetadataVersion() }
