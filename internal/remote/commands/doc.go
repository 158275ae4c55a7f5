// Package commands is what a broker asks of the controller, as Kafka's requests between nodes, both ways: the broker's command to
// a request, the request to the controller's command, its reply or refusal to an answer, and that back to the reply.
//
// remote has the broker's side of it, broker/nodes the controller's. It does no IO and decides nothing.
//
// Whoever stands at the other end may be Apache Kafka of the same version range, so nothing depends on what only we say. What
// Kafka's messages have no field for travels in tags of our own, which Kafka skips: a refusal's reason in words where it has only a
// code, and a broker's word about its log directories. A command read from its request is the command that was written, and so
// is a reply, but for what has no meaning at the other end: Colocated, and the id of a topic that is to be made, which the
// controller draws.
package commands
