package offline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Log is everything in one partition directory.
type Log struct {
	Dir     string
	Batches []Batch
	Torn    string // why reading ended before the end of the last segment, "" when it did not
}

// Read reads all segments of a partition directory. Batches must stand at rising offsets, a segment must not begin
// below its name, and only the last segment may end in a torn batch.
func Read(dir string) (*Log, error) { return read(dir, false) }

// ReadCut reads what a power cut has left, before the next start: segments are not synced when they are rolled, so that any of
// them may end early, or in a torn batch. The log ends there; what stands in later segments was not synced either, or was promised by
// nobody.
func ReadCut(dir string) (*Log, error) { return read(dir, true) }

func read(dir string, cut bool) (*Log, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return nil, err
	}
	sort.Strings(files)
	log := &Log{Dir: dir}
	next := int64(0)
	for i, file := range files {
		base, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(file), ".log"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: the name is no offset", file)
		}
		if base < next {
			return nil, fmt.Errorf("%s: begins below %d, the end of the segment before", file, next)
		}
		if cut && i > 0 && base > next {
			log.Torn = fmt.Sprintf("%s begins at %d; what is left before it ends at %d", filepath.Base(file), base, next)
			return log, nil
		}
		next = base
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for position := 0; position < len(data); {
			batch, err := parse(data[position:])
			if err != nil && cut || errors.Is(err, ErrTorn) && i == len(files)-1 {
				log.Torn = fmt.Sprintf("%s at %d: %v", filepath.Base(file), position, err)
				return log, nil
			}
			if err != nil {
				return nil, fmt.Errorf("%s at %d: %w", file, position, err)
			}
			if batch.BaseOffset < next || batch.LastOffset < batch.BaseOffset {
				return nil, fmt.Errorf("%s at %d: offsets %d to %d, expected %d or more", file, position,
					batch.BaseOffset, batch.LastOffset, next)
			}
			batch.File, batch.Position = filepath.Base(file), int64(position)
			log.Batches = append(log.Batches, batch)
			next = batch.LastOffset + 1
			position += batch.Size
		}
	}
	return log, nil
}

// Records returns the records of all data batches, control batches left out.
func (l *Log) Records() ([]Record, error) {
	var all []Record
	for _, batch := range l.Batches {
		if batch.Control {
			continue
		}
		records, err := batch.Records()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.Dir, err)
		}
		all = append(all, records...)
	}
	return all, nil
}
