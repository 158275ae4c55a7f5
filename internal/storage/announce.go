package storage

import (
	"fmt"
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Announce has every directory that works name an incarnation that is about to register, durably, and returns the directories with
// all that each of them names (ADR 0026). One that fails it is offline, and not among them. Where one has no room for that the error
// is of the kind fault.Full, and nobody may register: the directory would not name who did, and the next start would take it for one
// that was restored from before, and lose its place in every ISR.
func Announce(s *Storage, id kafka.IncarnationID) (dirs []kafka.DirectoryID, noted [][]kafka.IncarnationID, err error) {
	for _, v := range s.Serving() {
		all := log.Noted(v.Dir)
		if !slices.Contains(all, id) {
			all = append(all, id)
			err := log.Note(v.Dir, all)
			if fault.IsKind(err, fault.Full) {
				return nil, nil, &fault.Error{Op: "storage.Announce", Kind: fault.Full, Code: kafka.ErrKafkaStorageError, Cause: err, Message: fmt.Sprintf(
					"log directory %s is full, its reserve is used up, and there is no room to note who registers: free some bytes of its volume; the broker registers then", v.Path)}
			}
			if err != nil {
				s.Blame(v, err)
				continue
			}
		}
		dirs, noted = append(dirs, v.ID()), append(noted, all)
	}
	return dirs, noted, nil
}

// Registered has every directory name the incarnation alone: it did register, so that those before it are of no account.
func Registered(s *Storage, id kafka.IncarnationID) {
	for _, v := range s.Serving() {
		if all := log.Noted(v.Dir); len(all) == 1 && all[0] == id {
			continue
		}
		if err := log.Note(v.Dir, []kafka.IncarnationID{id}); err != nil && !fault.IsKind(err, fault.Full) {
			s.Blame(v, err)
		}
	}
}

// LastEpoch is the broker epoch of the incarnation that closed the directories, when it closed every one of log.dirs cleanly, else
// -1 (KIP-966, BrokerRegistration.PreviousBrokerEpoch).
func LastEpoch(s *Storage) kafka.BrokerEpoch {
	last := kafka.BrokerEpoch(-1)
	for i, v := range s.Volumes {
		if v.Offline() != nil {
			return -1
		}
		clean, epoch := v.Dir.Clean()
		if !clean || i > 0 && epoch != last {
			return -1
		}
		last = epoch
	}
	return last
}
