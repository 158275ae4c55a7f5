package crash

import "github.com/milena-io/milena/internal/log"

// guest is what keeps its state in a log and has made promises of its own. It is a value, as a promise is.
type guest interface {
	// recover starts on the log that recovery left, says nothing to anybody, and tells what it found: recovering once more
	// finds the same.
	recover(o log.Options, l *log.Log) (state string, err error)
	// goOn starts and serves. It may write; nobody looks at the disk after it.
	goOn(o log.Options, l *log.Log) error
}
