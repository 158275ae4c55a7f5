package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/milena-io/milena/test/compat/broker"
	"github.com/milena-io/milena/test/compat/offline"
)

// archive writes the golden files: NAME.tar.gz with directories as they stood on the broker's disk, NAME.json with what
// must be read from them, and the README that lists all.
type archive struct {
	dir     string
	version string
	flags   string // that the command was run with
	readme  []string
}

// manifest is what a test may expect of one archive.
type manifest struct {
	Kafka      string               `json:"kafka"`
	About      string               `json:"about"`
	Facts      map[string]any       `json:"facts,omitempty"`
	Partitions map[string]partition `json:"partitions"`
}

// partition is what stands in one partition directory, found by the offline reader and compared by the makers with
// what they had sent.
type partition struct {
	Files     []string          `json:"files"`
	EndOffset int64             `json:"log_end_offset"`
	Torn      string            `json:"torn,omitempty"`
	Batches   []offline.Batch   `json:"batches"`
	Records   []record          `json:"records,omitempty"`
	Markers   map[string]string `json:"markers,omitempty"` // offset: abort or commit
}

// record is a data record; a value longer than 256 bytes stands as its SHA-256.
type record struct {
	offline.Record
	ValueSHA256 string `json:"value_sha256,omitempty"`
}

func (a *archive) begin() error {
	if err := os.RemoveAll(a.dir); err != nil {
		return err
	}
	return os.MkdirAll(a.dir, 0o755)
}

// add packs directories (relative to root) into NAME.tar.gz. Files given in whole archives of a node are packed too:
// an empty list means everything below root.
func (a *archive) add(name, about, root string, facts map[string]any, dirs ...string) error {
	if len(dirs) == 0 {
		dirs = []string{"."}
	}
	m := manifest{Kafka: a.version, About: about, Facts: facts, Partitions: map[string]partition{}}
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	pack := tar.NewWriter(zip)
	for _, dir := range dirs {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil || rel == "." {
				return err
			}
			if d.IsDir() {
				if p, ok, err := describe(path); err != nil {
					return err
				} else if ok {
					m.Partitions[filepath.ToSlash(rel)] = p
				}
				return pack.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: filepath.ToSlash(rel) + "/", Mode: 0o755,
					ModTime: time.Unix(0, 0)})
			}
			return packFile(pack, path, filepath.ToSlash(rel))
		})
		if err != nil {
			return err
		}
	}
	dump, err := dumpLogs(root, m.Partitions)
	if err != nil {
		return err
	}
	if err := packBytes(pack, "DUMP.txt", dump); err != nil {
		return err
	}
	if err := pack.Close(); err != nil {
		return err
	}
	if err := zip.Close(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a.dir, name+".tar.gz"), packed.Bytes(), 0o644); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	a.readme = append(a.readme, fmt.Sprintf("| `%s` | %s |", name, about))
	return os.WriteFile(filepath.Join(a.dir, name+".json"), append(text, '\n'), 0o644)
}

// preallocated is the most that is kept of an index file: a killed broker leaves the metadata log's at 10 MiB of zeros.
const preallocated = 4096

func packFile(pack *tar.Writer, path, name string) error {
	base := filepath.Base(name)
	if base == ".lock" {
		return nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if entry := map[string]int{".index": 8, ".timeindex": 12}[filepath.Ext(base)]; entry > 0 && len(data) > preallocated {
		data = data[:preallocated/entry*entry]
	}
	return packBytes(pack, name, data)
}

func packBytes(pack *tar.Writer, name string, data []byte) error {
	err := pack.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)),
		ModTime: time.Unix(0, 0)})
	if err == nil {
		_, err = pack.Write(data)
	}
	return err
}

// describe reads a partition directory; ok is false when dir is none.
func describe(dir string) (p partition, ok bool, err error) {
	segments, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil || len(segments) == 0 {
		return partition{}, false, err
	}
	read, err := offline.Read(dir)
	if err != nil {
		return partition{}, false, err
	}
	p = partition{Torn: read.Torn, Batches: read.Batches, Markers: map[string]string{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return partition{}, false, err
	}
	for _, e := range entries {
		p.Files = append(p.Files, e.Name())
	}
	for _, b := range read.Batches {
		p.EndOffset = b.LastOffset + 1
		if !b.Control || !b.Transactional {
			continue
		}
		records, err := b.Records()
		if err != nil {
			return partition{}, false, err
		}
		p.Markers[fmt.Sprint(b.BaseOffset)] = map[byte]string{0: "abort", 1: "commit"}[records[0].Key[3]]
	}
	if filepath.Base(dir) == "__cluster_metadata-0" {
		return p, true, nil
	}
	records, err := read.Records()
	for _, r := range records {
		short := record{Record: r}
		if len(r.Value) > 256 {
			short.Value, short.ValueSHA256 = nil, fmt.Sprintf("%x", sha256.Sum256(r.Value))
		}
		p.Records = append(p.Records, short)
	}
	return p, true, err
}

// dumpLogs is what Apache Kafka's own reader says of every segment, as a second opinion.
func dumpLogs(root string, partitions map[string]partition) ([]byte, error) {
	byDecoder := map[string][]string{}
	for dir := range partitions {
		decoder := "--print-data-log"
		switch base := filepath.Base(dir); {
		case strings.HasPrefix(base, "__consumer_offsets-"):
			decoder = "--offsets-decoder"
		case strings.HasPrefix(base, "__transaction_state-"):
			decoder = "--transaction-log-decoder"
		case strings.HasPrefix(base, "__cluster_metadata-"):
			decoder = "--cluster-metadata-decoder"
		}
		for _, pattern := range []string{"*.log", "*.checkpoint", "*.snapshot", "*.txnindex"} {
			found, err := filepath.Glob(filepath.Join(root, dir, pattern))
			if err != nil {
				return nil, err
			}
			byDecoder[decoder] = append(byDecoder[decoder], found...)
		}
	}
	cp, err := broker.ToolsClassPath()
	if err != nil {
		return nil, err
	}
	decoders := make([]string, 0, len(byDecoder))
	for d := range byDecoder {
		decoders = append(decoders, d)
	}
	sort.Strings(decoders)
	var all bytes.Buffer
	for _, decoder := range decoders {
		files := byDecoder[decoder]
		sort.Strings(files)
		cmd := exec.Command("java", "-Xmx256m", "-cp", cp, "org.apache.kafka.tools.DumpLogSegments", decoder,
			"--deep-iteration", "--files", strings.Join(files, ","))
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("dump: %w\n%s", err, out)
		}
		all.Write(bytes.ReplaceAll(out, []byte(root+string(filepath.Separator)), nil))
	}
	return all.Bytes(), nil
}

func (a *archive) end() error {
	sort.Strings(a.readme)
	text := `# Golden data of Apache Kafka ` + a.version + `

Directories as the real broker left them on disk. Made by the command below and never edited by hand; making them again
changes ids, epochs and some timestamps, so do it only for a new version.

    cd test/golden && go run .` + a.flags + `

` + "Each `NAME.tar.gz` holds partition directories, or a whole data directory, as they were (index files cut to 4 KiB where\n" +
		"the broker had preallocated more), and `DUMP.txt`, what Apache Kafka's own DumpLogSegments prints of them. `NAME.json`\n" +
		"says what must be found: `facts` of the scene and, by directory, the files, the log end offset, every batch header,\n" +
		"every data record (keys and values in base64, null is null, long values as `value_sha256`) and the transaction\nmarkers. The records were compared with what the clients had sent.\n\n| archive | holds |\n|---|---|\n" + strings.Join(a.readme, "\n") + "\n"
	return os.WriteFile(filepath.Join(a.dir, "README.md"), []byte(text), 0o644)
}
