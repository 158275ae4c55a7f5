package cli

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/inspect"
)

func (a *app) logCommand() *cobra.Command {
	return a.group("log", "Read and verify a data directory, offline or beside a running server", a.logList(), a.logDump(), a.logVerify(), a.logCompactPreview())
}

// dumpLine stands for a line of `log dump -o json`: every kind of entry has its own fields beside its kind.
type dumpLine struct {
	Kind string `json:"kind"`
}

func (a *app) logDump() *cobra.Command {
	var o inspect.DumpOptions
	c := a.command(spec{
		use: "dump PATH…", short: "Print what a file, a partition's or a log directory says", doc: dumpLine{}, args: names("file or directory"),
		long: `Prints segments, indexes, snapshots and checkpoints in the words of kafka-dump-log; -o json prints a line of JSON
for each. Records of the metadata log and of consumer offsets are decoded. Nothing is written, and a server may run.

Exit code 4 when something was damaged.`,
		example: `  milena log dump milena-data/orders-0/00000000000000000000.log --records --limit 2
  milena log dump milena-data/__cluster_metadata-0 --records -o json | jq -c 'select(.kind=="record") | .decoded'`,
		run: func(ctx context.Context, args []string) error {
			damaged := 0
			for _, path := range args {
				err := inspect.Dump(a.seams.FS, filepath.ToSlash(path), o, func(e inspect.Entry) error {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if f, ok := e.(inspect.Finding); ok {
						damaged++
						if !a.asJSON() { // a problem is no data
							a.print(failed("DAMAGED", "%s", f.Problem.Text()))
							return nil
						}
					}
					if a.asJSON() {
						return a.json(e)
					}
					return a.line("%s", e.Text())
				})
				if err != nil {
					return err
				}
			}
			if damaged > 0 {
				return &failure{exit: exitFound, told: true}
			}
			return nil
		},
	})
	c.Flags().BoolVar(&o.Records, "records", false, "also the records of every batch")
	c.Flags().Int64Var(&o.Limit, "limit", 0, "stop after `n` batches or entries of each file")
	return c
}

// verifyDoc is what `log verify -o json` prints.
type verifyDoc struct {
	doc
	Path string `json:"path"`
	OK   bool   `json:"ok"`
	inspect.Report
}

func (a *app) logVerify() *cobra.Command {
	var o inspect.VerifyOptions
	c := a.command(spec{
		use: "verify PATH", short: "Find what is wrong with a log directory, a partition's directory or a segment",
		long: `Reads every batch and checks its CRC, that offsets and leader epochs rise, that index entries point at batches, and
that snapshots and checkpoints hold what they should. Each problem names its file and byte. Nothing is written, and a
server may run.

Exit code 0 when all is well, 4 when there is a problem.`,
		doc: verifyDoc{}, args: oneName("file or directory"),
		run: func(ctx context.Context, args []string) error {
			path := filepath.ToSlash(args[0])
			bar := a.newProgress("verifying", size)
			o.Progress = func(done, total int64) { bar.set(done, total, "") }
			r, err := inspect.Verify(a.seams.FS, path, o)
			bar.done()
			if err != nil {
				return err
			}
			return a.printReport(verifyDoc{newDoc("log.verify"), path, len(r.Problems) == 0, r})
		},
	})
	c.Flags().BoolVar(&o.Records, "records", false, "also decompress every batch and walk its records")
	return c
}

func (a *app) printReport(d verifyDoc) error {
	if a.asJSON() {
		if err := a.json(d); err != nil {
			return err
		}
	} else {
		for _, p := range d.Problems {
			if err := a.line("%s", p.Text()); err != nil {
				return err
			}
		}
		text := fmt.Sprintf("%s, %s, %s, %s", size(d.Bytes), plural(int64(d.Segments), "segment"), batches(d.Batches), plural(int64(len(d.Problems)), "problem"))
		if err := a.line("%s", text); err != nil {
			return err
		}
	}
	if !d.OK {
		return &failure{exit: exitFound, told: true}
	}
	return nil
}

func batches(n int64) string {
	if n == 1 {
		return "1 batch"
	}
	return fmt.Sprintf("%d batches", n)
}
