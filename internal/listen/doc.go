// Package listen is the edge where clients connect: a Session for each connection, and the sockets as its shell.
//
// node makes a Server and hands it the table of handlers. A Session has no goroutine and does no IO: frames go in, ordered
// answers come out, and every decision about order and limits is machine/inflight's; so a simulation runs it on one
// goroutine over a Link. The Server adds what sockets need: accepting, one goroutine a connection that reads, one at a
// time that writes, and a reaper. It never interprets a request beyond its class and never waits for a handler.
//
// Invariants: handlers of one connection are called one after another, on the goroutine that reads, in the order of the
// requests. One goroutine at a time writes to a connection. A stuck client holds its own connection and nothing else:
// whoever answers a request only queues the answer. Memory of a connection is bounded by its limits, and of all
// connections by the Budget. No method of the Session calls out with its lock held.
package listen
