// Package remote is a node's talk with the active controller, wherever that runs: Control takes commands to it, Forwarder the
// requests of clients, and Upstream brings the metadata log for an observer.
//
// node makes one of each and hands them to whoever submits commands, to dispatch, and to quorum. The package decides nothing about the
// cluster and keeps nothing of it: who leads it asks for each time, by Whereabouts.
//
// A command or request that finds no active controller, or one that is none any more, or whose connection is lost, is asked
// again until its time is over, as by Kafka's NodeToControllerChannelManager. It may have been received before, so that
// everything which comes this way is safe to repeat: RegisterBroker, Heartbeat, RegisterController and AssignReplicas say
// again what is so; AlterPartition and what clients ask is held against the state it was meant for, so that the second time is
// refused (INVALID_UPDATE_VERSION, TOPIC_ALREADY_EXISTS and so on, as by Kafka) or changes nothing; AllocateProducerIDs
// skips a block of ids that nobody gets. (One thing is not: an UnregisterBroker that is repeated may meet a broker that has registered
// again meanwhile. Apache Kafka repeats it, too, and the broker registers once more.)
//
// Invariants: each is answered once, never with a lock held, and no later than its time; only this node's own controller may do so
// at once. Different purposes have connections of their own, so that a heartbeat never stands behind ten thousand partitions that
// are being created. There is one connection for a purpose, of clients' requests one for changes and one for questions; when another
// controller leads, whatever waits for the old one's answer is asked again.
package remote
