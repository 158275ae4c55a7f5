package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/migrate"
	"github.com/milena-io/milena/internal/world"
)

func (a *app) migrateCommand() *cobra.Command {
	return a.group("migrate", "Open a data directory of Apache Kafka in place, and give it back", a.migrateCheck(), a.migrateReturn())
}

// migrateCheckDoc is what `migrate check -o json` prints.
type migrateCheckDoc struct {
	doc
	OK           bool              `json:"ok"`
	Dirs         []string          `json:"dirs"`
	ClusterID    string            `json:"cluster_id"`
	NodeID       kafka.NodeID      `json:"node_id"`
	RanLast      string            `json:"ran_last"` // Apache Kafka or Milena
	Clean        bool              `json:"clean"`
	Metadata     string            `json:"metadata_version"`
	KRaftVersion int16             `json:"kraft_version"`
	Features     map[string]int16  `json:"features"`
	Topics       int               `json:"topics"`
	Partitions   int               `json:"partitions"`
	Bytes        int64             `json:"bytes"`
	Groups       int               `json:"groups"`
	Refused      []migrate.Finding `json:"refused"`
}

func (a *app) migrateCheck() *cobra.Command {
	var dirs logDirs
	c := a.command(spec{
		use: "check [LOG-DIR…]", short: "Say what a start on a data directory of Apache Kafka would do",
		long: `Looks at the log directories of a stopped node, all of them, and says what a start would carry on with and what it
would refuse, by name. Nothing is written.

Exit code 0 when a start would go on, 4 when it would refuse, 5 when the directory is in use.`,
		example: `  milena migrate check /var/lib/kafka
  milena migrate check --config server.properties -o json`,
		doc: migrateCheckDoc{}, args: func([]string) error { return nil },
		run: func(_ context.Context, args []string) error {
			at, err := dirs.find(a, args)
			if err != nil {
				return err
			}
			release, err := a.hold(at, false)
			if err != nil {
				return err
			}
			defer release()
			f, err := migrate.Inspect(a.seams.FS, at.all, at.metadata)
			if err != nil {
				return startFailure(err)
			}
			return a.printCheck(at, f)
		},
	})
	dirs.flag(c)
	return c
}

func (a *app) printCheck(at dirsFound, f *migrate.Found) error {
	d := migrateCheckDoc{doc: newDoc("migrate.check"), Dirs: at.all, NodeID: f.Node, RanLast: "Apache Kafka", Clean: f.Clean,
		Partitions: f.Partitions, Bytes: f.Bytes, Groups: f.ClassicGroups, Features: map[string]int16{}}
	d.Refused = append(at.check(f), migrate.Judge(f)...)
	d.OK, d.ClusterID = len(d.Refused) == 0, f.Metas[0].ClusterID
	if f.Milena {
		d.RanLast = "Milena"
	}
	if img := f.Metadata.Image; img != nil {
		d.Metadata, d.KRaftVersion, d.Topics = img.MetadataVersion().Release(), f.Metadata.KRaftVersion, img.TopicCount()
		for name, level := range img.Features() {
			d.Features[name] = level
		}
	}
	if a.asJSON() {
		if d.Refused == nil {
			d.Refused = []migrate.Finding{}
		}
		if err := a.json(d); err != nil {
			return err
		}
	} else if err := a.checkText(d); err != nil {
		return err
	}
	if !d.OK {
		return &failure{exit: exitFound, told: true}
	}
	return nil
}

func (a *app) checkText(d migrateCheckDoc) error {
	clean := "after a clean stop"
	if !d.Clean {
		clean = "and was not shut down cleanly: its logs are recovered first"
	}
	lines := []string{
		fmt.Sprintf("node %d of cluster %s in %s", d.NodeID, d.ClusterID, strings.Join(d.Dirs, ", ")),
		fmt.Sprintf("%s ran last, %s", d.RanLast, clean),
		fmt.Sprintf("metadata.version %s, kraft.version %d; both stay", d.Metadata, d.KRaftVersion),
		fmt.Sprintf("%s, %s, %s, %s", plural(int64(d.Topics), "topic"), plural(int64(d.Partitions), "partition"), size(d.Bytes), plural(int64(d.Groups), "group")),
	}
	for _, r := range d.Refused {
		lines = append(lines, "refused: "+r.Message, "         "+r.Try)
	}
	if d.OK {
		lines = append(lines, "milena start can go on with it")
	}
	for _, l := range lines {
		if err := a.line("%s", l); err != nil {
			return err
		}
	}
	return nil
}

// migrateReturnDoc is what `migrate return -o json` prints.
type migrateReturnDoc struct {
	doc
	Dirs    []string `json:"dirs"`
	DryRun  bool     `json:"dry_run"`
	Keys    []string `json:"deleted_keys"`
	Removed int      `json:"removed_files"`
}

func (a *app) migrateReturn() *cobra.Command {
	var dirs logDirs
	var dry bool
	c := a.command(spec{
		use: "return [LOG-DIR…]", short: "Make a data directory ready for Apache Kafka again",
		long: `Takes back what is ours in the log directories of a node that was stopped cleanly: milena.* keys of topics and
brokers are deleted in the metadata log, and our side files go. Everything else is Kafka's already. It may be repeated,
also after a crash in the middle.

Exit code 0 when Apache Kafka can start, 1 when the directory was not shut down cleanly, 5 when it is in use.`,
		example: `  milena migrate return /var/lib/kafka
  milena migrate return --config server.properties --dry-run`,
		doc: migrateReturnDoc{}, args: func([]string) error { return nil },
		run: func(_ context.Context, args []string) error {
			at, err := dirs.find(a, args)
			if err != nil {
				return err
			}
			release, err := a.hold(at, true)
			if err != nil {
				return err
			}
			defer release()
			return a.giveBack(at, dry)
		},
	})
	dirs.flag(c)
	c.Flags().BoolVar(&dry, "dry-run", false, "say what would be done, and do nothing")
	return c
}

func (a *app) giveBack(at dirsFound, dry bool) error {
	plan, err := migrate.PlanReturn(a.seams.FS, at.all, at.metadata)
	if err != nil {
		return startFailure(err)
	}
	if !dry {
		done := make(chan error, 1)
		migrate.Return(migrate.ReturnOptions{World: world.NewReal(), FS: a.seams.FS, Dirs: at.all, Metadata: at.metadata}, plan, func(err error) { done <- err })
		if err := <-done; err != nil {
			return startFailure(err)
		}
	}
	d := migrateReturnDoc{newDoc("migrate.return"), at.all, dry, []string{}, len(plan.Files)}
	for _, k := range plan.Keys {
		name := k.Resource.Name
		if name == "" {
			name = "cluster default"
		}
		d.Keys = append(d.Keys, name+"/"+k.Name)
	}
	if a.asJSON() {
		return a.json(d)
	}
	if err := a.line("%s deleted, %s of ours removed", plural(int64(len(d.Keys)), "milena.* key"), plural(int64(d.Removed), "file")); err != nil {
		return err
	}
	for _, k := range d.Keys {
		if err := a.line("  %s", k); err != nil {
			return err
		}
	}
	if dry {
		return a.line("nothing was changed: --dry-run")
	}
	return a.line("Apache Kafka can start on %s", strings.Join(at.all, ", "))
}

// hold takes the locks of the directories. Who only looks makes no lock file: a running process has one.
func (a *app) hold(at dirsFound, create bool) (release func(), err error) {
	var held []func() error
	release = func() {
		for _, f := range held {
			_ = f() // nothing was written under a lock that cannot be given back
		}
	}
	for _, dir := range at.withMetadata() {
		path := dir + "/.lock"
		if _, err := a.seams.FS.Stat(path); errors.Is(err, disk.ErrNotExist) && !create {
			continue
		}
		lock, err := a.seams.FS.Lock(path)
		if err != nil {
			release()
			return nil, startFailure(fmt.Errorf("%s: %w", filepath.FromSlash(dir), err))
		}
		held = append(held, lock.Close)
	}
	return release, nil
}
