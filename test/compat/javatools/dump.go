package javatools

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// dump lets kafka-dump-log read every segment and index the stopped broker left: the records of all partitions, the
// offsets topic with its decoder, and the metadata log and its snapshots with theirs.
func (b *bench) dump() error {
	files := map[string][]string{}
	err := filepath.WalkDir(b.node.DataDir(), func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		ext := filepath.Ext(path)
		folder := filepath.Base(filepath.Dir(path))
		if entry.IsDir() || strings.HasSuffix(folder, "-delete") {
			return nil
		}
		switch ext {
		case ".log", ".index", ".timeindex", ".txnindex":
			kind := ext
			if ext == ".log" && strings.HasPrefix(folder, "__consumer_offsets-") {
				kind = "offsets"
			}
			if ext == ".log" && strings.HasPrefix(folder, "__cluster_metadata-") {
				kind = "metadata"
			}
			files[kind] = append(files[kind], path)
		case ".checkpoint":
			files["metadata"] = append(files["metadata"], path)
		case ".snapshot":
			files["producers"] = append(files["producers"], path)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, kind := range []struct {
		name  string
		flags []string
		wants []string
	}{
		{".log", []string{"--print-data-log", "--deep-iteration"}, []string{"baseOffset:", "isvalid: true", "payload:"}},
		{"offsets", []string{"--print-data-log", "--offsets-decoder"}, []string{"tools-group"}},
		{"metadata", []string{"--cluster-metadata-decoder", "--skip-record-metadata"},
			[]string{"TOPIC_RECORD", "PARTITION_RECORD", "REGISTER_BROKER_RECORD", "FEATURE_LEVEL_RECORD", "CONFIG_RECORD"}},
		{".index", []string{"--index-sanity-check"}, []string{"passed sanity check"}},
		{".timeindex", []string{"--index-sanity-check"}, []string{"passed sanity check"}},
		{"producers", nil, []string{"producerId:"}},
	} {
		if err := b.dumpKind(files[kind.name], kind.flags, kind.wants); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	// Whole indexes are checked entry by entry against the log too.
	return b.dumpKind(append(files[".index"], files[".timeindex"]...), []string{"--verify-index-only"}, nil)
}

func (b *bench) dumpKind(files, flags, wants []string) error {
	if len(files) == 0 {
		return fmt.Errorf("there is no such file")
	}
	sort.Strings(files)
	out, err := Run(b.ctx, "kafka-dump-log", append([]string{"--files", strings.Join(files, ",")}, flags...)...)
	if err != nil {
		return err
	}
	const shown = 2000
	for _, bad := range []string{"isvalid: false", "Could not", "Exception", "Mismatches in", "Index offset-mismatch", "Found timestamp mismatch",
		"Found out of order", "invalid bytes", "could not be decoded", "corrupt"} {
		if at := strings.Index(out, bad); at >= 0 {
			return fmt.Errorf("kafka-dump-log says %q:\n%s", bad, out[max(0, at-shown):min(len(out), at+shown)])
		}
	}
	for _, file := range files {
		if !strings.Contains(out, "Dumping "+file) {
			return fmt.Errorf("kafka-dump-log passed over %s", file)
		}
	}
	for _, want := range wants {
		if !strings.Contains(out, want) {
			return fmt.Errorf("kafka-dump-log shows no %q in\n%s", want, out[:min(len(out), shown)])
		}
	}
	return nil
}
