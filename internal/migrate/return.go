package migrate

import (
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
	"github.com/milena-io/milena/internal/log/checkpoint"
	"github.com/milena-io/milena/internal/log/segment"
	"github.com/milena-io/milena/internal/quorum"
	"github.com/milena-io/milena/internal/world"
)

// Plan is what giving directories back to Apache Kafka takes, in this order. Every step leaves directories that both
// programs can start from, and may be done again:
//
//  1. the checkpoints forget the metadata log, which Kafka does not keep there: whoever opens it now recovers it;
//  2. our keys are deleted in the metadata log, in one batch of a new epoch;
//  3. our files go.
//
// The clean-shutdown markers stay as the stop left them: no partition is touched.
type Plan struct {
	Checkpoints []string // files that name the metadata log
	Keys        []Key
	Files       []string
}

// PlanReturn looks what there is to do. Directories that were not closed cleanly are refused: what they need first is a
// start and a clean stop.
func PlanReturn(fsys disk.FS, dirs []string, metadata string) (Plan, error) {
	const op = "migrate.return"
	var p Plan
	f := &Found{Clean: true}
	if err := f.identity(fsys, dirs); err != nil {
		return p, err
	}
	if !f.Clean {
		return p, fault.New(op, kafka.ErrKafkaStorageError, "%s was not shut down cleanly: start it, and stop it with Ctrl-C or SIGTERM", strings.Join(dirs, ", "))
	}
	m, begun, err := readMetadata(fsys, metadata+"/"+metadataPartition.String())
	if err != nil {
		return p, err
	}
	if !begun || m.Unknown != nil {
		return p, fault.New(op, kafka.ErrKafkaStorageError, "%s holds no metadata log that could be given back", metadata)
	}
	p.Keys = ownKeys(m.Image)
	for _, dir := range withMetadata(dirs, metadata) {
		if err := p.look(fsys, dir); err != nil {
			return p, err
		}
	}
	return p, nil
}

// withMetadata lists all directories, each once.
func withMetadata(dirs []string, metadata string) []string {
	if slices.Contains(dirs, metadata) {
		return dirs
	}
	return append(slices.Clone(dirs), metadata)
}

// look adds what one directory has of ours.
func (p *Plan) look(fsys disk.FS, dir string) error {
	const op = "migrate.return"
	entries, err := fsys.List(dir)
	if err != nil {
		return fault.Storage(op, err)
	}
	for _, e := range entries {
		path := dir + "/" + e.Name
		if !e.Dir {
			switch {
			case ours(e.Name):
				p.Files = append(p.Files, path)
			case strings.HasSuffix(e.Name, "-offset-checkpoint"):
				points, err := loadPoints(fsys, path)
				if err != nil {
					return err
				}
				if _, found := points[metadataPartition]; found {
					p.Checkpoints = append(p.Checkpoints, path)
				}
			}
			continue
		}
		if _, ok := log.ParseDirName(e.Name); !ok {
			continue
		}
		files, err := fsys.List(path)
		if err != nil {
			return fault.Storage(op, err)
		}
		for _, f := range files {
			if !f.Dir && ours(f.Name) {
				p.Files = append(p.Files, path+"/"+f.Name)
			}
		}
	}
	return nil
}

// ours reports whether a file is one that Kafka knows nothing of.
func ours(name string) bool {
	if strings.HasPrefix(name, ".milena-") {
		return true
	}
	_, suffix, ok := segment.ParseName(name)
	return ok && (strings.HasPrefix(suffix, segment.HistorySuffix) || strings.HasPrefix(suffix, segment.SealSuffix))
}

func loadPoints(fsys disk.FS, path string) (checkpoint.Offsets, error) {
	data, err := checkpoint.Load(fsys, path, 1<<30)
	if err != nil {
		return nil, err
	}
	points, err := checkpoint.ParseOffsets(data)
	return points, ignoreDamage(err) // a damaged one counts as empty, with both
}

// ReturnOptions is where Return works. The caller holds the locks of all directories.
type ReturnOptions struct {
	World    world.World
	FS       disk.FS
	Dirs     []string
	Metadata string // the directory that holds the metadata log
}

// Return carries a plan out; done is called once, when everything is on stable storage.
func Return(o ReturnOptions, p Plan, done func(error)) {
	if err := p.forgetMetadata(o.FS); err != nil {
		done(err)
		return
	}
	finish := func(err error) {
		if err == nil {
			err = p.removeFiles(o)
		}
		done(err)
	}
	if len(p.Keys) == 0 {
		finish(nil)
		return
	}
	decide(o, newStripper(), finish)
}

func (p Plan) forgetMetadata(fsys disk.FS) error {
	for _, path := range p.Checkpoints {
		points, err := loadPoints(fsys, path)
		if err != nil {
			return err
		}
		delete(points, metadataPartition)
		slash := strings.LastIndexByte(path, '/')
		if err := checkpoint.Replace(fsys, path[:slash], path[slash+1:], points.Format()); err != nil {
			return err
		}
	}
	return nil
}

// decide opens the quorum of one voter, has its machine decide the one command it knows, and closes it.
func decide(o ReturnOptions, machine quorum.Machine, done func(error)) {
	at := o.Metadata + "/" + metadataPartition.String()
	metas := &Found{}
	if err := metas.identity(o.FS, []string{o.Metadata}); err != nil {
		done(err)
		return
	}
	c := log.DefaultConfig()
	c.Accept.MaxMessageBytes, c.Keep.Delete = math.MaxInt32, false
	l, err := log.Open(log.Options{FS: o.FS, Path: at, Partition: metadataPartition, Config: c, Now: o.World.Now()})
	if err != nil {
		done(err)
		return
	}
	flusher := disk.NewFlusher(o.World, o.Metadata)
	q, err := quorum.Open(quorum.Options{
		World: o.World, FS: o.FS, Dir: at, Log: quorum.DiskLog(l), Flusher: flusher, Machine: machine,
		Self:   quorum.Key{NodeID: metas.Node, DirectoryID: metas.Metas[0].DirectoryID},
		Config: quorum.Config{SnapshotBytes: math.MaxInt64, SnapshotInterval: math.MaxInt64 * time.Nanosecond, IdleInterval: -1},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		done(errors.Join(err, l.Close(o.World.Now())))
		return
	}
	q.Start()
	q.Submit(strip{}, func(_ quorum.Reply, err error) {
		q.Close()
		flusher.Flush(nil, func(error) { // after this nothing is being flushed any more
			done(errors.Join(err, l.Close(o.World.Now())))
		})
	})
}

func (p Plan) removeFiles(o ReturnOptions) error {
	const op = "migrate.return"
	dirs := map[string]bool{}
	later, err := PlanReturn(o.FS, o.Dirs, o.Metadata) // closing the metadata log made another of our files
	if err != nil {
		return err
	}
	for _, path := range later.Files {
		if err := o.FS.Remove(path); err != nil && !errors.Is(err, disk.ErrNotExist) {
			return fault.Storage(op, err)
		}
		dirs[path[:strings.LastIndexByte(path, '/')]] = true
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := o.FS.SyncDir(dir); err != nil {
			return fault.Storage(op, err)
		}
	}
	return nil
}
