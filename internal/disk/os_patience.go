package disk

import (
	"time"

	"github.com/milena-io/milena/internal/fault"
)

// patience is how long a call waits, with pauses that double, for others to close files.
const (
	firstPause = time.Millisecond
	lastPause  = 2 * time.Second
)

// patient repeats a call that found too many files open. A node bounds what it keeps open, but what is being read and sent
// at a moment comes on top of that; a sync of names or a checkpoint that failed for such a moment would cost a log dir.
func patient(call func() error) error {
	for pause := firstPause; ; pause *= 2 {
		err := call()
		if !fault.OutOfFiles(err) || pause > lastPause {
			return err
		}
		time.Sleep(pause)
	}
}
