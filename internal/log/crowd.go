package log

// Files of which nobody knows yet whether they are on disk stay open, and so do those that are being sent. A process may
// have so many and no more: readers that have something to send already go no further than half of what logs may have
// open, clients' records need a file only while it is one of those, and whoever else writes has what is left.

// Parts of what may be open, for Handles.Crowded.
const (
	readersPart = 2
	clientsPart = 1
)

// crowded reports whether a client's record would open one file too many.
func (l *Log) crowded() bool {
	return !l.active().Open() && l.options.Shared.Handles.Crowded(clientsPart)
}
