package faults

import "math/rand/v2"

// Variety is what else a seed's cluster is and does, beside its faults. It is drawn apart from the rest of the swarm, and kept with
// a run that failed, so that an older one stays what it was when there is more to draw.
type Variety struct {
	Apart   bool `json:",omitempty"` // three controllers and three brokers instead of nodes that are both
	Deletes bool `json:",omitempty"` // records are deleted (DeleteRecords)
	Again   bool `json:",omitempty"` // a topic is deleted and made again under its name
	Configs bool `json:",omitempty"` // min.insync.replicas is changed while records are written
	Dirs    bool `json:",omitempty"` // every broker has two log directories, of which one may fail alone
	Voters  bool `json:",omitempty"` // controllers lose their votes and get them back
	Late    bool `json:",omitempty"` // nodes hear of the metadata late, and then of several changes at once
}

// Vary draws the variety of a seed.
func Vary(seed uint64) Variety {
	dice := rand.New(rand.NewPCG(seed, 13))
	one := func(in int) bool { return dice.IntN(in) == 0 }
	return Variety{Apart: one(6), Deletes: one(3), Again: one(4), Configs: one(4), Dirs: one(4), Voters: one(4), Late: one(3)}
}
