// Package segment is one segment of a partition's log: the .log file and its three indexes, in Kafka's formats.
//
// log calls it; migrate walks the files of logs that are not open. It never decides when to roll, delete or flush, never assigns an offset and never looks
// inside records. Who may call what: one writer at a time appends, seals, activates and cuts, and publishes what it did
// under the log's lock; readers take a Look under that lock's read side and use it after they let it go.
// Invariants: positions of batches never change; bytes below Size are immutable but for a cut; an index entry that does
// not fit the log is never followed, the index is rebuilt; no file stays open for a sealed segment that nobody reads.
package segment

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/milena-io/milena/internal/kafka"
)

// Suffixes of the files that belong to a segment or a point of the log.
const (
	LogSuffix       = ".log"
	IndexSuffix     = ".index"
	TimeIndexSuffix = ".timeindex"
	TxnIndexSuffix  = ".txnindex"
	SnapshotSuffix  = ".snapshot"
	HistorySuffix   = ".producers" // ours, beside a snapshot; Kafka ignores it
	SealSuffix      = ".seal"      // ours, beside a sealed segment; Kafka ignores it

	DeletedSuffix = ".deleted" // renamed, waiting to be removed
	CleanedSuffix = ".cleaned" // output of a compaction that was not finished
	SwapSuffix    = ".swap"    // complete output of a compaction that waits to replace its sources
)

// Name returns a file's name: the offset in 20 digits and the suffix.
func Name(o kafka.Offset, suffix string) string { return fmt.Sprintf("%020d%s", int64(o), suffix) }

// ParseName splits a name into its offset and everything after the digits.
func ParseName(name string) (kafka.Offset, string, bool) {
	digits, _, found := strings.Cut(name, ".")
	if !found || len(digits) != 20 {
		return 0, "", false
	}
	o, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, "", false
	}
	return kafka.Offset(o), name[20:], true
}
