package sim

import (
	"encoding/json"
	"slices"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/kafka"
)

// quorum is what the watch knows of the metadata quorum (R14).
type quorum struct {
	r     *run
	acted kafka.Offset // the furthest that any node has acted on
	led   map[kafka.LeaderEpoch]kafka.NodeID
	last  kafka.LeaderEpoch                  // that was led
	votes []kafka.NodeID                     // who has a vote, as a leader said last
	chose [3][]kafka.NodeID                  // who had one before last was seen led, and when it was, and all that ever had: some of them chose
	kept  map[kafka.NodeID]kafka.LeaderEpoch // what the disk of a voter that is down says of its epoch
}

func newQuorum(r *run) quorum {
	return quorum{r: r, acted: kafka.NoOffset, led: map[kafka.LeaderEpoch]kafka.NodeID{}, last: kafka.NoLeaderEpoch, kept: map[kafka.NodeID]kafka.LeaderEpoch{}}
}

// acts hears that a node acts on the metadata up to an offset: then a majority of the voters has it, of all that may vote or of those that
// the leader says do, who may be fewer. One that is down counts, and one that doesn't say yet who votes, or says that its vote was taken:
// it had one when that was committed.
func (q *quorum) acts(m *machine, upTo kafka.Offset) {
	if upTo <= q.acted {
		return
	}
	q.acted = upTo
	var all []kafka.NodeID
	has := map[kafka.NodeID]bool{}
	for _, v := range q.r.machines {
		if !v.controls() {
			continue
		}
		all = append(all, v.id)
		has[v.id] = true
		if v.node != nil {
			end, votes := q.ends(v)
			has[v.id] = !votes || end > upTo
		}
	}
	most := func(of []kafka.NodeID) bool {
		n := 0
		for _, id := range of {
			if has[id] {
				n++
			}
		}
		return n > len(of)/2
	}
	if !most(all) && !most(q.votes) {
		q.r.broken("R14 quorum", "node %d acts on the metadata up to offset %d, and of the voters %v have it: %v", m.id, upTo, all, has)
	}
}

// ends returns where a controller's log ends and whether it says that it has a vote, and notes what it leads: an epoch has one leader.
func (q *quorum) ends(v *machine) (end kafka.Offset, votes bool) {
	d := v.node.Probe().Quorum()
	for i := range d.Voters {
		if d.Voters[i].ID == v.id {
			end, votes = d.Voters[i].LogEnd, true
		}
	}
	if d.Leading {
		if other, led := q.led[d.Epoch]; led && other != v.id {
			q.r.broken("R14 quorum", "nodes %d and %d both lead the quorum in epoch %d", other, v.id, d.Epoch)
		}
		q.led[d.Epoch] = v.id
		before := q.votes
		q.votes = nil
		for i := range d.Voters {
			q.votes = append(q.votes, d.Voters[i].ID)
		}
		if d.Epoch > q.last {
			q.last, q.chose = d.Epoch, [3][]kafka.NodeID{before, q.votes, q.everybody()}
		}
	}
	return end, votes
}

// buried looks at the epoch that a voter's disk remembers: of the last epoch that was led a majority of those knows who had
// a vote then, for it voted. A voter that runs counts.
func (q *quorum) buried(m *machine, left *disk.Mem) {
	if !m.controls() {
		return
	}
	q.kept[m.id] = epochOn(left)
	if slices.ContainsFunc(q.chose[:], q.knownTo) || q.r.watch.newest == nil {
		return
	}
	q.r.broken("R14 quorum", "node %d led the quorum in epoch %d, and the disks of no majority of any of %v know of it", q.led[q.last], q.last, q.chose)
}

// everybody are the nodes that had a vote at the beginning.
func (q *quorum) everybody() (ids []kafka.NodeID) {
	for _, v := range q.r.machines {
		if v.controls() {
			ids = append(ids, v.id)
		}
	}
	return ids
}

// knownTo reports whether a majority of some voters knows of the last epoch.
func (q *quorum) knownTo(voters []kafka.NodeID) bool {
	know := 0
	for _, v := range q.r.machines {
		if slices.Contains(voters, v.id) && (v.proc != nil || q.kept[v.id] >= q.last) {
			know++
		}
	}
	return know > len(voters)/2
}

// epochOn reads the epoch from a voter's disk, -1 where there is none.
func epochOn(fs *disk.Mem) kafka.LeaderEpoch {
	state := struct {
		Epoch kafka.LeaderEpoch `json:"leaderEpoch"`
	}{kafka.NoLeaderEpoch}
	f, err := fs.Open(firstDir+"/"+kafka.MetadataTopic+"-0/quorum-state", 0)
	if err != nil {
		return kafka.NoLeaderEpoch
	}
	b := make([]byte, 4096)
	n, _ := f.ReadAt(b, 0)
	if json.Unmarshal(b[:n], &state) != nil {
		return kafka.NoLeaderEpoch
	}
	return state.Epoch
}
