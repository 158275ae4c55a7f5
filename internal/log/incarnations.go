package log

import (
	"strings"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log/checkpoint"
)

// noteFile names the incarnations of a broker that may have been the last to register with a directory (ADR 0020, 0026). It is a
// file of ours, a line for each id, oldest first: the last that is known to have registered, and those after it that died before
// they knew. A directory that was restored from before the last registration doesn't name that one.
const noteFile = ".milena-incarnations"

// mostNoted bounds the file: who starts so often without ever hearing of a registration was hardly registered in between.
const mostNoted = 1000

// Noted returns the incarnations that a directory names; nil when it names none, or says nothing that can be read.
func Noted(d *Dir) []kafka.IncarnationID {
	data, err := checkpoint.Load(d.fs, d.path+"/"+noteFile, 64<<10)
	if err != nil {
		return nil // as a directory that was restored: what it holds is not trusted for what was acknowledged
	}
	return parseNote(string(data))
}

func parseNote(text string) (out []kafka.IncarnationID) {
	for line := range strings.Lines(text) {
		id, err := kafka.ParseUUID(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil
		}
		out = append(out, kafka.IncarnationID(id))
	}
	return out
}

// Note has a directory name exactly these incarnations, durably; of too many the oldest and the newest ones.
func Note(d *Dir, all []kafka.IncarnationID) error {
	if over := len(all) - mostNoted; over > 0 {
		all = append(all[:1:1], all[1+over:]...)
	}
	var text strings.Builder
	for _, id := range all {
		text.WriteString(id.String() + "\n")
	}
	return checkpoint.Replace(d.fs, d.path, noteFile, []byte(text.String()))
}
