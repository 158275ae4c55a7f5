package inspect

import (
	"fmt"
	"path"
	"strings"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
)

// VerifyOptions say how deep to look.
type VerifyOptions struct {
	Records  bool                    // also decompress every batch and walk its records
	Progress func(done, total int64) // bytes of log files; may be nil
}

// Report is what a verification read and found.
type Report struct {
	Partitions int       `json:"partitions"`
	Segments   int       `json:"segments"`
	Batches    int64     `json:"batches"`
	Records    int64     `json:"records"`
	Bytes      int64     `json:"bytes"`
	Problems   []Problem `json:"problems"`
}

// maxProblems bounds what is told of one file: a file of zeros would have a million.
const maxProblems = 20

// verifier reads files and gathers problems.
type verifier struct {
	fs     disk.FS
	o      VerifyOptions
	report Report
	told   map[string]int // problems by file
	total  int64
}

// Verify reads a whole log directory, a partition's directory or one .log file and reports what is wrong. The error is
// the disk's, or says that there is nothing to verify at the path; damage is never an error.
func Verify(fsys disk.FS, name string, o VerifyOptions) (Report, error) {
	v := &verifier{fs: fsys, o: o, told: map[string]int{}, report: Report{Problems: []Problem{}}}
	e, err := fsys.Stat(name)
	if err != nil {
		return v.report, err
	}
	if !e.Dir {
		return v.report, v.one(name)
	}
	entries, err := fsys.List(name)
	if err != nil {
		return v.report, err
	}
	if isPartition(entries) {
		p, err := listPartition(fsys, name)
		if err == nil {
			v.total = p.bytes()
			_, err = v.partition(p)
		}
		return v.report, err
	}
	if len(partitionDirs(entries)) == 0 && !named(entries, metaFile) {
		return v.report, fmt.Errorf("%s holds no log: no %s and no partition directories", name, metaFile)
	}
	err = v.logDir(name, entries)
	return v.report, err
}

func named(entries []disk.Entry, name string) bool {
	for _, e := range entries {
		if e.Name == name {
			return true
		}
	}
	return false
}

func (p *partitionDir) bytes() int64 {
	n := int64(0)
	for _, size := range p.sizes {
		n += size
	}
	return n
}

// one verifies a single segment, with its indexes.
func (v *verifier) one(name string) error {
	at, suffix, ok := segment.ParseName(path.Base(name))
	if !ok || suffix != segment.LogSuffix {
		return fmt.Errorf("%s is no log: verify takes a log directory, a partition's directory or a .log file", name)
	}
	p, err := listPartition(v.fs, path.Dir(name))
	if err != nil {
		return err
	}
	p.segments = []kafka.Offset{at}
	v.total = p.sizes[at]
	_, err = v.segments(p)
	return err
}

// logDir verifies every partition of a log directory and its own files. The checkpoints are read before the logs: beside
// a running node a log may only have grown since.
func (v *verifier) logDir(name string, entries []disk.Entry) error {
	points := map[string]checkpoint.Offsets{}
	for _, file := range offsetCheckpoints() {
		p, err := v.points(path.Join(name, file))
		if err != nil {
			return err
		}
		points[file] = p
	}
	for _, file := range []string{metaFile, cleanFile, bootstrapFile} {
		if !named(entries, file) {
			continue
		}
		if err := v.file(path.Join(name, file)); err != nil {
			return err
		}
	}
	var dirs []*partitionDir
	for _, dir := range partitionDirs(entries) {
		p, err := listPartition(v.fs, path.Join(name, dir))
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		v.total += p.bytes()
		dirs = append(dirs, p)
	}
	for _, p := range dirs {
		end, err := v.partition(p)
		if err != nil {
			return err
		}
		if end < 0 || strings.Contains(path.Base(p.path), ".") && len(p.segments) == 0 {
			continue
		}
		v.against(name, p.name, end, points)
	}
	return nil
}

// against holds a log's end against the checkpoints of its directory.
func (v *verifier) against(dir string, tp kafka.TopicPartition, end kafka.Offset, points map[string]checkpoint.Offsets) {
	words := map[string]string{
		"recovery-point-offset-checkpoint": "is flushed up to", "replication-offset-checkpoint": "has high watermark",
		"log-start-offset-checkpoint": "starts at", cleanerFile: "is compacted up to",
	}
	for _, file := range offsetCheckpoints() {
		if o, ok := points[file][tp]; ok && o > end {
			v.problem(path.Join(dir, file), -1, o, "%s %s %d, but its log ends at %d", tp, words[file], o, end)
		}
	}
}

// partition verifies everything in one partition's directory and returns the log's end, -1 when that is not known.
func (v *verifier) partition(p *partitionDir) (kafka.Offset, error) {
	v.report.Partitions++
	end, err := v.segments(p)
	if err != nil {
		return -1, err
	}
	for _, name := range p.files {
		if err := v.file(path.Join(p.path, name)); err != nil {
			return -1, err
		}
		if at, suffix, ok := segment.ParseName(name); ok && suffix == segment.SnapshotSuffix && end >= 0 && at > end {
			v.problem(path.Join(p.path, name), -1, at, "a producer snapshot at %d, past the log's end %d", at, end)
		}
	}
	return end, nil
}

func (v *verifier) problem(file string, pos int64, o kafka.Offset, format string, args ...any) {
	v.told[file]++
	switch n := v.told[file]; {
	case n < maxProblems:
		v.report.Problems = append(v.report.Problems, Problem{file, pos, o, fmt.Sprintf(format, args...)})
	case n == maxProblems:
		v.report.Problems = append(v.report.Problems, Problem{file, -1, -1, "more problems, which are not listed"})
	}
}

// found turns damage into a problem and passes on what the disk says; a file that is gone was deleted beside us.
func (v *verifier) found(file string, err error) error {
	switch {
	case err == nil || gone(err):
		return nil
	case damage(err):
		v.problem(file, -1, -1, "%s", describe(err))
		return nil
	}
	return fault.Storage("inspect.Verify", err)
}
