package upkeep

import (
	"time"

	"github.com/milena-io/milena/internal/storage"
)

// holdEvery is how often it is looked whether too many files wait to be durable.
const holdEvery = 250 * time.Millisecond

// easeHolds flushes the logs of a directory when half of the files that logs may have open wait to be durable: under page-cache durability
// nobody else does, and clients that need one more would be refused.
func (u *Upkeep) easeHolds(v *storage.Volume) error {
	if u.o.Storage.Crowded() {
		for _, p := range u.in(v) {
			p.FlushOld(true)
		}
	}
	return nil
}
