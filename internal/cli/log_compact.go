package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/inspect"
	"github.com/milena-io/milena/internal/log/clean"
)

// compactionDoc is what `log compact-preview -o json` prints.
type compactionDoc struct {
	doc
	Path       string               `json:"path"`
	Partitions []inspect.Compaction `json:"partitions"`
	SavedBytes int64                `json:"saved_bytes"`
	Problems   []inspect.Problem    `json:"problems"`
}

func (a *app) logCompactPreview() *cobra.Command {
	var ratio float64
	var retention, minLag string
	c := a.command(spec{
		use: "compact-preview PATH", short: "Tell what a compaction of a partition, or of all of a log directory, would do",
		long: `Runs a compaction without writing anything: how many records and bytes would be gone, and whether it is due. It knows
nothing of topics' configs: every partition is previewed as if its cleanup.policy had compact, by the flags below. No server
may have the directory open.

Exit code 4 when a log is damaged.`,
		example: `  milena log compact-preview milena-data/orders-0
  milena log compact-preview milena-data -o json | jq '.partitions[] | select(.due)'`,
		doc: compactionDoc{}, args: oneName("directory"),
		run: func(_ context.Context, args []string) error {
			o := clean.DefaultPreviewOptions(time.Now().UnixMilli())
			keep, err := parseDuration(retention)
			if err != nil {
				return usage("--delete-retention: %v", err)
			}
			lag, err := parseDuration(minLag)
			if err != nil {
				return usage("--min-lag: %v", err)
			}
			if ratio < 0 || ratio > 1 {
				return usage("--dirty-ratio %g: between 0 and 1", ratio)
			}
			o.Policy.DirtyRatio, o.Policy.DeleteRetentionMs, o.Policy.MinLagMs = ratio, keep.Milliseconds(), lag.Milliseconds()
			return a.previewCompaction(filepath.ToSlash(args[0]), o)
		},
	})
	f := c.Flags()
	f.Float64Var(&ratio, "dirty-ratio", 0.5, "min.cleanable.dirty.ratio: the `part` that must be dirty for a compaction to be due")
	f.StringVar(&retention, "delete-retention", "1d", "delete.retention.ms: the `time` that tombstones stay")
	f.StringVar(&minLag, "min-lag", "0s", "min.compaction.lag.ms: the `time` that records stay as they are")
	return c
}

func (a *app) previewCompaction(path string, o clean.PreviewOptions) error {
	bar := a.newProgress("previewing", count)
	list, problems, err := inspect.PreviewCompaction(a.seams.FS, path, o, func(done, total int64) { bar.set(done, total, "") })
	bar.done()
	if err != nil {
		return err
	}
	d := compactionDoc{doc: newDoc("log.compact-preview"), Path: path, Partitions: list, Problems: problems}
	for _, c := range list {
		d.SavedBytes += c.SavedBytes
	}
	if a.asJSON() {
		err = a.json(d)
	} else {
		err = a.printCompactions(d)
	}
	if err == nil && len(problems) > 0 {
		err = &failure{exit: exitFound, told: true}
	}
	return err
}

func (a *app) printCompactions(d compactionDoc) error {
	var rows [][]string
	for _, c := range d.Partitions {
		due := "no"
		if c.Due {
			due = "yes"
		}
		rows = append(rows, []string{
			c.Dir, due, fmt.Sprintf("%.2f", c.DirtyRatio), known(c.FirstDirty), known(c.UpTo), size(c.Bytes), size(c.SavedBytes),
			strconv.Itoa(c.ReadRecords), strconv.Itoa(c.LeftRecords), strconv.Itoa(c.Keyless),
		})
	}
	if err := a.table([]string{"PARTITION", "DUE", " DIRTY", " FROM", " UP-TO", " SIZE", " SAVED", " RECORDS", " LEFT", " KEYLESS"}, rows); err != nil {
		return err
	}
	for _, p := range d.Problems {
		if err := a.line("%s", p.Text()); err != nil {
			return err
		}
	}
	a.note("%s would be gone", size(d.SavedBytes))
	return nil
}
