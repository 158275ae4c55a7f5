package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/inspect"
	"github.com/milena-io/milena/internal/kafka"
)

// listingDoc is what `log ls -o json` prints.
type listingDoc struct {
	doc
	Path string `json:"path"`
	OK   bool   `json:"ok"`
	inspect.Listing
}

func (a *app) logList() *cobra.Command {
	var segments bool
	c := a.command(spec{
		use: "ls PATH", short: "List the partitions of a log directory with their segments, offsets and state",
		long: `Lists what lies in a log directory, or in one partition's directory: segments, sizes, offsets, the newest timestamp, the
state of indexes, producers of the newest snapshot, and what is visibly damaged. It reads indexes, small files and the
headers at the end of each segment; verify is what reads everything. Nothing is written, and a server may run.

Exit code 4 when something is damaged.`,
		example: `  milena log ls milena-data
  milena log ls milena-data/orders-0 --segments
  milena log ls milena-data -o json | jq -r '.partitions[] | select(.kind!="current") | .dir'`,
		doc: listingDoc{}, name: true, args: oneName("directory"),
		run: func(_ context.Context, args []string) error {
			path := filepath.ToSlash(args[0])
			bar := a.newProgress("listing", count)
			l, err := inspect.List(a.seams.FS, path, func(done, total int64) { bar.set(done, total, "") })
			bar.done()
			if err != nil {
				return err
			}
			return a.printListing(listingDoc{newDoc("log.ls"), path, len(l.Problems) == 0, l}, segments)
		},
	})
	c.Flags().BoolVar(&segments, "segments", false, "a line for each segment")
	return c
}

func (a *app) printListing(d listingDoc, segments bool) error {
	var err error
	switch {
	case a.asJSON():
		err = a.json(d)
	case a.flags.output == "name":
		for _, p := range d.Partitions {
			if err == nil {
				err = a.line("%s", p.Dir)
			}
		}
	default:
		err = a.printListed(d, segments)
	}
	if err != nil {
		return err
	}
	if !d.OK {
		return &failure{exit: exitFound, told: true}
	}
	return nil
}

func (a *app) printListed(d listingDoc, segments bool) error {
	var rows [][]string
	bytes, n := int64(0), 0
	for _, p := range d.Partitions {
		bytes, n = bytes+p.Bytes, n+len(p.Segments)
		if segments {
			rows = append(rows, segmentRows(p)...)
			continue
		}
		rows = append(rows, []string{
			p.Dir, strconv.Itoa(len(p.Segments)), size(p.Bytes), known(p.Start), known(p.End), known(p.HighWatermark), known(p.RecoveryPoint),
			moment(p.MaxTimestampMs), producers(p.Producers), partitionState(p),
		})
	}
	header := []string{"PARTITION", " SEGMENTS", " SIZE", " START", " END", " HIGH-WATERMARK", " RECOVERY-POINT", "NEWEST", " PRODUCERS", "STATE"}
	if segments {
		header = []string{"PARTITION", " BASE", " END", " SIZE", "FIRST", "NEWEST", "INDEX", "TIMEINDEX", "TXNINDEX"}
	}
	if err := a.table(header, rows); err != nil {
		return err
	}
	for _, p := range d.Problems {
		if err := a.line("%s", p.Text()); err != nil {
			return err
		}
	}
	stopped := "not stopped cleanly, or running"
	if d.Clean {
		stopped = "stopped cleanly"
	}
	if d.ClusterID != "" {
		a.note("node.id %d of cluster %s, %s", d.NodeID, d.ClusterID, stopped)
	}
	a.note("%s, %s, %s, %s", plural(int64(len(d.Partitions)), "partition"), plural(int64(n), "segment"), size(bytes), plural(int64(len(d.Problems)), "problem"))
	return nil
}

func segmentRows(p inspect.ListedPartition) [][]string {
	var rows [][]string
	for _, s := range p.Segments {
		rows = append(rows, []string{
			p.Dir, known(s.Base), known(s.End), size(s.Bytes), moment(s.FirstTimestampMs), moment(s.MaxTimestampMs),
			indexState(s.Index), indexState(s.TimeIndex), indexState(s.TxnIndex),
		})
	}
	return rows
}

func indexState(i inspect.ListedIndex) string {
	switch i.State {
	case inspect.IndexMissing:
		return "-"
	case inspect.IndexOK:
		return strconv.Itoa(i.Entries)
	}
	return fmt.Sprintf("%d %s", i.Entries, i.State)
}

// partitionState is the worst that is to be said of a partition.
func partitionState(p inspect.ListedPartition) string {
	switch {
	case p.Damaged > 0:
		return plural(int64(p.Damaged), "problem")
	case p.Kind != "current":
		return p.Kind
	}
	for _, s := range p.Segments {
		if s.Index.State == inspect.IndexPreallocated || s.TimeIndex.State == inspect.IndexPreallocated {
			return "not closed"
		}
	}
	return "ok"
}

func producers(p inspect.ListedProducers) string {
	if p.Transactions > 0 {
		return fmt.Sprintf("%d (%d open)", p.Count, p.Transactions)
	}
	return strconv.Itoa(p.Count)
}

func known(o kafka.Offset) string {
	if o < 0 {
		return "-"
	}
	return strconv.FormatInt(int64(o), 10)
}

func moment(ms int64) string {
	if ms < 0 {
		return "-"
	}
	return timestamp(ms)
}
