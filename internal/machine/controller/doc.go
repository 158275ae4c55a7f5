// Package controller is the controller of the cluster as a pure machine: it decides which records go into the metadata
// log. It owns the rules of registration, fencing, leadership, topics, partitions, dynamic configs, features and
// producer ids (Apache Kafka 4.3's QuorumController with its control managers).
//
// quorum drives it: Decide answers a Command with records and a reply, Apply is the only writer of state, Revert and
// Commit move between what is proposed and what is final. node and the handlers make the commands. The state is an
// image.Image for each position; commands are decided from the newest one, queries read Committed. The package is pure:
// no goroutine, lock, clock, random, net or disk; chance comes from a seed and the offset of the decision.
//
// Invariants: a partition's ISR is a subset of its replicas, and a leader is in the ISR and is a broker that is unfenced
// and not shutting down when it is elected; epochs only grow; nothing is decided from the order of a Go map; a command
// that names several things refuses each by itself. One piece of state is not in the log: the sessions of brokers, which
// a new leader grants afresh.
package controller
