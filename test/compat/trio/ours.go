package trio

import "context"

// What our own command line says of a cluster is the same whichever system the cluster is.

// oursAtFirst is while all is well.
var oursAtFirst = []step{
	{name: "ours: the cluster is well", line: "milena cluster health -q --wait 90s", tidy: figures},
	{name: "ours: the cluster", line: "milena cluster info", tidy: noFeatures},
	{name: "ours: the nodes", line: "milena cluster nodes", tidy: figures},
	{name: "ours: the quorum", line: "milena cluster quorum", tidy: figures},
	{name: "ours: a node that may not be stopped", line: "milena cluster drain 3 --dry-run --wait 1s", tidy: figures},
	{name: "ours: a node that is not there", line: "milena cluster drain 9 --dry-run --wait 1s", tidy: figures},
	{name: "ours: everybody leads who should", line: "milena cluster elect -y"},
	{name: "ours: a topic that is not there", line: "milena cluster elect nowhere -y"},
	{name: "ours: a partition that is well", line: "milena explain partition placed 0", tidy: figures},
	{name: "ours: a partition that is not there", line: "milena explain partition placed 9", tidy: figures},
	{name: "ours: a plan without a node", line: "milena reassign plan --topics moved --remove-broker 2", tidy: figures},
	{name: "ours: a plan that cannot be", line: "milena reassign plan --topics placed --remove-broker 2", tidy: figures},
	{name: "ours: nothing is moved", line: "milena reassign status"},
	{name: "ours: nothing is called back", line: "milena reassign cancel -y"},
}

// oursAway is while node 3 is gone.
var oursAway = []step{
	{name: "ours: what is not well", line: "milena cluster health", until: has("voter 3"), tidy: figures},
	{name: "ours: the nodes that are left", line: "milena cluster nodes", tidy: figures},
	{name: "ours: another must not be stopped", line: "milena cluster drain 1 --dry-run --wait 1s", tidy: figures},
	{name: "ours: who leads instead", line: "milena cluster elect placed -y", tidy: figures},
	{name: "ours: why a partition is under-replicated", line: "milena explain partition placed 0", tidy: figures},
	{name: "ours: why a partition has no leader", line: "milena explain partition sole 0", tidy: figures},
}

// oursBack is when it has come back.
var oursBack = []step{
	{name: "ours: all is well again", line: "milena cluster health -q --wait 90s", tidy: figures},
}

// oursMoving moves replicas, and leaderships.
var oursMoving = []step{
	{name: "ours: a plan", line: "milena reassign plan --topics moved --brokers 1,2 --out {dir}/ours.json", tidy: figures},
	{name: "ours: it is carried out", line: "milena reassign apply {dir}/ours.json -y --throttle 10MiB", tidy: figures},
	{name: "ours: nothing is left of it", line: "milena reassign apply {dir}/ours.json -y", tidy: figures},
	{name: "ours: and back", line: "milena reassign apply {dir}/ours.json --back -y", tidy: figures},
	{name: "ours: a move that takes its time", line: "milena reassign apply {dir}/ours.json -y --no-wait --throttle 1", tidy: figures},
	{name: "ours: how far it is", line: "milena reassign status", tidy: figures},
	{name: "ours: it is called back", line: "milena reassign cancel -y", tidy: figures},
	{name: "ours: nothing is throttled", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type brokers --entity-name 1", tidy: sorted},
}

// oursLeaving has the cluster whole again, and a node of it stopped as docs/operations.md says.
var oursLeaving = []step{
	{name: "node 3 comes back", do: func(ctx context.Context, t *trio) error { return t.Node(3).Start(ctx) }},
	{name: "ours: a topic may wait for less", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type topics --entity-name needy --add-config min.insync.replicas=2"},
	{name: "ours: partitions on one node go", line: "kafka-topics --bootstrap-server {nodes} --delete --topic sole"},
	{name: "ours: the cluster is whole", line: "milena cluster health -q --wait 90s", tidy: outcome},
	{name: "ours: a node may be stopped", line: "milena cluster drain 1 -q --wait 90s", tidy: outcome},
	{name: "ours: everybody has a share again", line: "milena cluster rebalance -q --leaders -y", tidy: outcome},
}
