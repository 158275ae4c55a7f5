package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/segment"
)

// Names of files that are not named by an offset.
const (
	metaFile      = "meta.properties"
	topicFile     = "partition.metadata"
	epochFile     = "leader-epoch-checkpoint"
	quorumFile    = "quorum-state"
	cleanFile     = ".kafka_cleanshutdown"
	bootstrapFile = "bootstrap.checkpoint"
	metadataDir   = "__cluster_metadata-0"
	offsetsTopic  = "__consumer_offsets"
	cleanerFile   = "cleaner-offset-checkpoint"

	checkpointSuffix = ".checkpoint" // a snapshot of the metadata log
)

// offsetCheckpoints are the text files of "topic partition offset" in a log directory.
func offsetCheckpoints() []string {
	return []string{"recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint", cleanerFile}
}

// partitionDir is the files of one partition as they were listed.
type partitionDir struct {
	path     string
	name     kafka.TopicPartition
	segments []kafka.Offset // that have a .log, ascending
	sizes    map[kafka.Offset]int64
	files    []string // every file, sorted
}

// isPartition reports whether a directory is one partition's: it holds a segment or says whose it is.
func isPartition(entries []disk.Entry) bool {
	for _, e := range entries {
		_, suffix, ok := segment.ParseName(e.Name)
		if !e.Dir && (ok && suffix == segment.LogSuffix || e.Name == topicFile) {
			return true
		}
	}
	return false
}

func listPartition(fsys disk.FS, dir string) (*partitionDir, error) {
	entries, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	p := &partitionDir{path: dir, sizes: map[kafka.Offset]int64{}}
	if name, ok := log.ParseDirName(path.Base(dir)); ok {
		p.name = name.Partition
	}
	for _, e := range entries {
		if e.Dir {
			continue
		}
		p.files = append(p.files, e.Name)
		if base, suffix, ok := segment.ParseName(e.Name); ok && suffix == segment.LogSuffix {
			p.segments = append(p.segments, base)
			p.sizes[base] = e.Size
		}
	}
	slices.Sort(p.segments)
	return p, nil
}

func (p *partitionDir) has(name string) bool {
	_, found := slices.BinarySearch(p.files, name)
	return found
}

// partitionDirs lists the partition directories of a log directory, without those that are being deleted.
func partitionDirs(entries []disk.Entry) []string {
	var out []string
	for _, e := range entries {
		if d, ok := log.ParseDirName(e.Name); ok && e.Dir && d.Kind != log.Deleted {
			out = append(out, e.Name)
		}
	}
	return out
}

// snapshotName reads the end offset and epoch in the name of a metadata snapshot.
func snapshotName(name string) (end kafka.Offset, epoch kafka.LeaderEpoch, ok bool) {
	stem, found := strings.CutSuffix(name, checkpointSuffix)
	if !found || len(stem) != 31 || stem[20] != '-' {
		return 0, 0, false
	}
	end, _, ok = segment.ParseName(stem[:20] + ".x")
	for _, c := range stem[21:] {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
		epoch = epoch*10 + kafka.LeaderEpoch(c-'0')
	}
	return end, epoch, ok
}
