package node

import (
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/migrate"
	"github.com/milena-io/milena/internal/storage"
)

// admit looks at directories in which Apache Kafka ran last, before a byte of them is written: what this version cannot
// serve is refused by name (architecture D14). Where one of us ran last nothing of the kind can have come about.
func (n *Node) admit(s *storage.Storage) error {
	if _, formatted := s.Metadata.Dir.Meta(); !formatted {
		return nil
	}
	ours, err := migrate.RanLast(s.FS, s.Metadata.Dir.PartitionPath(storage.MetadataPartition))
	if err != nil || ours {
		return err
	}
	var dirs []string
	for _, v := range s.Serving() {
		if _, formatted := v.Dir.Meta(); formatted {
			dirs = append(dirs, v.Path)
		}
	}
	found, err := migrate.Inspect(s.FS, dirs, s.Metadata.Path)
	if err != nil {
		return err
	}
	if !found.Begun && !found.Formatted {
		return nil
	}
	if refused := migrate.Judge(found); len(refused) > 0 {
		var all []string
		for _, f := range refused {
			all = append(all, f.Message)
		}
		return fault.New("node.start", kafka.ErrUnsupportedVersion, "%s was run by Apache Kafka and holds what this version cannot serve: %s; nothing was changed, "+
			"`milena migrate check` says what to do", s.Metadata.Path, strings.Join(all, "; "))
	}
	m := &found.Metadata
	n.log("kafka.log").Info("Continuing the data of Apache Kafka in "+strings.Join(dirs, ", "), "metadata.version", m.Image.MetadataVersion().Release(),
		"kraft.version", m.KRaftVersion, "offset", int64(m.End), "epoch", int32(m.Epoch), "topics", m.Image.TopicCount(), "clean", found.Clean)
	return nil
}

// CheckConfig refuses a configuration that a node cannot start with, whatever is in its directories.
func CheckConfig(v config.Values) error { return (&settings{static: v}).check() }
