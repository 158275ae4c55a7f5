package storage

import (
	"slices"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/log"
)

// Announce has every directory that works name an incarnation that is about to register, durably, and returns the directories with
// all that each of them names (ADR 0026). One that fails it is offline, and not among them.
func Announce(s *Storage, id kafka.IncarnationID) (dirs []kafka.DirectoryID, noted [][]kafka.IncarnationID) {
	for _, v := range s.Serving() {
		all := log.Noted(v.Dir)
		if !slices.Contains(all, id) {
			all = append(all, id)
			err := log.Note(v.Dir, all)
			if err != nil && !fault.IsKind(err, fault.Full) { // without room for it this start may cost a place, and nothing else
				s.Blame(v, err)
				continue
			}
		}
		dirs, noted = append(dirs, v.ID()), append(noted, all)
	}
	return dirs, noted
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
