package log

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// Identity is who opens a directory; an empty cluster id accepts any, for a node that has not learned it yet.
type Identity struct {
	ClusterID string
	NodeID    kafka.NodeID
}

// Meta is meta.properties, version 1 (KIP-858).
type Meta struct {
	ClusterID   string
	NodeID      kafka.NodeID
	DirectoryID kafka.DirectoryID
}

// Format writes the properties as Kafka's own files show them.
func (m Meta) Format() []byte {
	return fmt.Appendf(nil, "#\ncluster.id=%s\ndirectory.id=%s\nnode.id=%d\nversion=1\n", m.ClusterID, m.DirectoryID, m.NodeID)
}

// ParseMeta reads meta.properties. A directory id may be missing, as before Kafka 3.7; it is zero then.
func ParseMeta(data []byte) (Meta, error) {
	const op = "log.ParseMeta"
	props := map[string]string{}
	for line := range bytes.Lines(data) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' || text[0] == '!' {
			continue
		}
		key, value, _ := strings.Cut(text, "=")
		props[strings.TrimSpace(key)] = strings.ReplaceAll(strings.TrimSpace(value), `\`, "")
	}
	if v := props["version"]; v != "1" {
		return Meta{}, fault.Corruption(op, "version %q: only version 1, KRaft's, is known", v)
	}
	id, err := strconv.ParseInt(props["node.id"], 10, 32)
	if err != nil || id < 0 {
		return Meta{}, fault.Corruption(op, "node.id %q", props["node.id"])
	}
	m := Meta{ClusterID: props["cluster.id"], NodeID: kafka.NodeID(id)}
	if m.ClusterID == "" {
		return Meta{}, fault.Corruption(op, "no cluster.id")
	}
	if text := props["directory.id"]; text != "" {
		u, err := kafka.ParseUUID(text)
		if err != nil {
			return Meta{}, fault.Corruption(op, "directory.id %q", text)
		}
		m.DirectoryID = kafka.DirectoryID(u)
	}
	return m, nil
}

// identify reads meta.properties and refuses a directory that is not ours.
func (d *Dir) identify(want Identity) error {
	const op = "log.OpenDir"
	data, err := checkpoint.Load(d.fs, d.path+"/"+metaFile, 64<<10)
	if err != nil {
		return err
	}
	if data == nil {
		if err := d.recallReserved(); err != nil || !d.meta.DirectoryID.IsZero() {
			return err
		}
		dirs, err := d.Partitions()
		if err == nil && len(dirs) > 0 {
			err = fault.New(op, kafka.ErrInconsistentClusterId,
				"%s holds %d partitions but no %s: whose they are is unknown", d.path, len(dirs), metaFile)
		}
		return err
	}
	m, err := ParseMeta(data)
	if err != nil {
		return fault.Corruption(op, "%s/%s: %v", d.path, metaFile, err)
	}
	if m.NodeID != want.NodeID {
		return fault.New(op, kafka.ErrInconsistentClusterId, "%s belongs to node.id %d, this is node %d", d.path, m.NodeID, want.NodeID)
	}
	if want.ClusterID != "" && m.ClusterID != want.ClusterID {
		return fault.New(op, kafka.ErrInconsistentClusterId, "%s belongs to cluster %s, this node to %s", d.path, m.ClusterID, want.ClusterID)
	}
	d.meta, d.formatted = m, true
	return nil
}

// Meta returns the directory's identity; false while it has none.
func (d *Dir) Meta() (Meta, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta, d.formatted
}

// Format gives the directory its identity, durably. A formatted directory takes only a directory id that it lacked.
func (d *Dir) Format(m Meta) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.formatted && (d.meta.ClusterID != m.ClusterID || d.meta.NodeID != m.NodeID || !d.meta.DirectoryID.IsZero() && d.meta != m) {
		return fault.New("log.Format", kafka.ErrInconsistentClusterId, "%s is formatted as %+v", d.path, d.meta)
	}
	if !d.formatted && !d.meta.DirectoryID.IsZero() && d.meta.DirectoryID != m.DirectoryID {
		return fault.New("log.Format", kafka.ErrInconsistentClusterId, "%s has the directory.id %s reserved, not %s", d.path, d.meta.DirectoryID, m.DirectoryID)
	}
	if err := checkpoint.Replace(d.fs, d.path, metaFile, m.Format()); err != nil {
		return err
	}
	d.meta, d.formatted = m, true
	if err := d.fs.Remove(d.path + "/" + reservedFile); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage("log.Format", err)
	}
	return nil
}

type marker struct {
	Version     int   `json:"version"`
	BrokerEpoch int64 `json:"brokerEpoch"`
}

func formatMarker(e kafka.BrokerEpoch) []byte {
	data, _ := json.Marshal(marker{BrokerEpoch: int64(e)}) // two integers always marshal
	return data
}

// parseMarker reads the clean-shutdown marker; Kafka before 3.8 left it empty, which says clean and nothing more.
func parseMarker(data []byte) kafka.BrokerEpoch {
	m := marker{BrokerEpoch: -1}
	if json.Unmarshal(data, &m) != nil || m.Version != 0 {
		return -1
	}
	return kafka.BrokerEpoch(m.BrokerEpoch)
}

// takeMarker reads the clean-shutdown marker and removes it durably.
func (d *Dir) takeMarker() error {
	path := d.path + "/" + cleanFile
	data, err := checkpoint.Load(d.fs, path, 64<<10)
	if err != nil || data == nil {
		return err
	}
	d.clean, d.brokerEpoch = true, parseMarker(data)
	if err := d.fs.Remove(path); err != nil && !errors.Is(err, disk.ErrNotExist) {
		return fault.Storage("log.OpenDir", err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return fault.Storage("log.OpenDir", err)
	}
	return nil
}
