package node

import (
	"strings"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/migrate"
)

// admit looks at directories in which Apache Kafka ran last, before a byte of them is written: what this version cannot
// serve is refused by name (architecture D14). Where one of us ran last nothing of the kind can have come about.
func (n *Node) admit() error {
	s := &n.storage
	if _, formatted := s.metadata.dir.Meta(); !formatted {
		return nil
	}
	ours, err := migrate.RanLast(n.o.FS, s.metadata.dir.PartitionPath(metadataPartition))
	if err != nil || ours {
		return err
	}
	var dirs []string
	for _, v := range s.serving() {
		if _, formatted := v.dir.Meta(); formatted {
			dirs = append(dirs, v.path)
		}
	}
	found, err := migrate.Inspect(n.o.FS, dirs, s.metadata.path)
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
			"`milena migrate check` says what to do", s.metadata.path, strings.Join(all, "; "))
	}
	m := &found.Metadata
	n.log("kafka.log").Info("Continuing the data of Apache Kafka in "+strings.Join(dirs, ", "), "metadata.version", m.Image.MetadataVersion().Release(),
		"kraft.version", m.KRaftVersion, "offset", int64(m.End), "epoch", int32(m.Epoch), "topics", m.Image.TopicCount(), "clean", found.Clean)
	return nil
}

// CheckConfig refuses a configuration that a node cannot start with, whatever is in its directories.
func CheckConfig(v config.Values) error { return (&settings{static: v}).check() }
