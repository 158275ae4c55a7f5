package trio

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// files are what some tools read.
var files = map[string]string{
	"topics.json":   `{"version":1,"topics":[{"topic":"moved"}]}`,
	"none.json":     `{"version":1,"topics":[{"topic":"nowhere"}]}`,
	"reorder.json":  `{"version":1,"partitions":[{"topic":"placed","partition":0,"replicas":[2,1,3]}]}`,
	"move.json":     `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[3,2]},{"topic":"moved","partition":1,"replicas":[2,3]}]}`,
	"pending.json":  `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[1,2]},{"topic":"moved","partition":1,"replicas":[2,1,3]}]}`,
	"beside.json":   `{"version":1,"partitions":[{"topic":"sole","partition":1,"replicas":[1]}]}`,
	"unknown.json":  `{"version":1,"partitions":[{"topic":"moved","partition":7,"replicas":[1,2]},{"topic":"nowhere","partition":0,"replicas":[1,2]}]}`,
	"nobody.json":   `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[1,9]}]}`,
	"twice.json":    `{"version":1,"partitions":[{"topic":"moved","partition":0,"replicas":[1,1]}]}`,
	"election.json": `{"partitions":[{"topic":"placed","partition":2}]}`,
}

// script is what is asked, in order.
var script = slices.Concat(topics, describes, configs, quorum, failing, oursAtFirst, away, oursAway, back, oursBack, elections, pending, moves, oursMoving, leaving, oursLeaving)

var topics = []step{
	{name: "a topic with its replicas told", line: "kafka-topics --bootstrap-server {nodes} --create --topic placed --replica-assignment 1:2:3,2:3:1,3:1:2"},
	{name: "one partition with all replicas needed", line: "kafka-topics --bootstrap-server {nodes} --create --topic needy --replica-assignment 1:2:3 --config min.insync.replicas=3"},
	{name: "partitions on one node", line: "kafka-topics --bootstrap-server {nodes} --create --topic sole --replica-assignment 3,1"},
	{name: "two replicas", line: "kafka-topics --bootstrap-server {nodes} --create --topic moved --replica-assignment 1:2,2:1"},
	{name: "replicas by number", line: "kafka-topics --bootstrap-server {nodes} --create --topic spread --partitions 3 --replication-factor 3 --config min.insync.replicas=2"},
	{name: "more replicas than nodes", line: "kafka-topics --bootstrap-server {nodes} --create --topic much --partitions 1 --replication-factor 4"},
	{name: "a replica twice", line: "kafka-topics --bootstrap-server {nodes} --create --topic much --replica-assignment 1:1"},
	{name: "a replica on nobody", line: "kafka-topics --bootstrap-server {nodes} --create --topic much --replica-assignment 1:9"},
	{name: "partitions with unlike numbers of replicas", line: "kafka-topics --bootstrap-server {nodes} --create --topic much --replica-assignment 1:2,3"},
	{name: "both a number and an assignment", line: "kafka-topics --bootstrap-server {nodes} --create --topic much --partitions 3 --replica-assignment 1:2"},
	{name: "the topics", line: "kafka-topics --bootstrap-server {nodes} --list"},
	{name: "what was made", line: "kafka-topics --bootstrap-server {nodes} --describe --topic placed", until: has("Partition: 2\tLeader: 3")},
	{name: "what was made for one node", line: "kafka-topics --bootstrap-server {nodes} --describe --topic sole", until: has("Partition: 1\tLeader: 1")},
	{name: "more partitions, placed", line: "kafka-topics --bootstrap-server {nodes} --alter --topic sole --partitions 3 --replica-assignment 3,1,2"},
	{name: "more partitions", line: "kafka-topics --bootstrap-server {nodes} --alter --topic spread --partitions 5"},
	{name: "fewer partitions", line: "kafka-topics --bootstrap-server {nodes} --alter --topic spread --partitions 2"},
	{name: "as many partitions", line: "kafka-topics --bootstrap-server {nodes} --alter --topic spread --partitions 5"},
	{name: "the partition that was added", line: "kafka-topics --bootstrap-server {nodes} --describe --topic sole", until: has("Partition: 2\tLeader: 2")},
}

var describes = []step{
	{name: "nothing is under-replicated", line: "kafka-topics --bootstrap-server {nodes} --describe --under-replicated-partitions", until: empty},
	{name: "nothing is unavailable", line: "kafka-topics --bootstrap-server {nodes} --describe --unavailable-partitions", until: empty},
	{name: "at its min.insync.replicas", line: "kafka-topics --bootstrap-server {nodes} --describe --at-min-isr-partitions --topic needy", until: has("Topic: needy")},
	{name: "nothing is under its min.insync.replicas", line: "kafka-topics --bootstrap-server {nodes} --describe --under-min-isr-partitions", until: empty},
	{name: "topics with overrides", line: "kafka-topics --bootstrap-server {nodes} --describe --topics-with-overrides", tidy: sorted},
	{name: "log directories", line: "kafka-log-dirs --bootstrap-server {nodes} --describe --broker-list 1,2 --topic-list moved", tidy: sizes},
	{name: "log directories of nobody", line: "kafka-log-dirs --bootstrap-server {nodes} --describe --broker-list 9"},
	{name: "the nodes", line: "kafka-broker-api-versions --bootstrap-server {nodes}", tidy: nodesOnly},
	{name: "the cluster's endpoints", line: "kafka-cluster list-endpoints --bootstrap-server {nodes}", tidy: squeezed},
	{name: "the controllers' endpoints", line: "kafka-cluster list-endpoints --bootstrap-controller {controllers}", tidy: squeezed},
	{name: "the cluster's id", line: "kafka-cluster cluster-id --bootstrap-server {nodes}", tidy: ids},
	{name: "the cluster's id from a controller", line: "kafka-cluster cluster-id --bootstrap-controller {controllers}", tidy: ids},
	{name: "features", line: "kafka-features --bootstrap-server {nodes} describe", tidy: func(out string) string { return epochs(squeezed(out)) }},
	{name: "features of a controller", line: "kafka-features --bootstrap-controller {controllers} describe", tidy: func(out string) string { return epochs(squeezed(out)) }},
	{name: "a metadata version that nobody knows", line: "kafka-features --bootstrap-server {nodes} upgrade --metadata 99.0-IV0"},
	{name: "a level that nobody supports", line: "kafka-features --bootstrap-server {nodes} upgrade --feature metadata.version=99"},
	{name: "a feature that nobody knows", line: "kafka-features --bootstrap-server {nodes} upgrade --feature no.such=1"},
	{name: "the level that is there", line: "kafka-features --bootstrap-server {nodes} upgrade --feature eligible.leader.replicas.version=1"},
	{name: "a level that is too low", line: "kafka-features --bootstrap-server {nodes} downgrade --feature metadata.version=3"},
}

var configs = []step{
	{name: "a throttle of a leader", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type brokers --entity-name 1 --add-config leader.replication.throttled.rate=1000000,follower.replication.throttled.rate=2000000"},
	{name: "a throttle of a topic", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type topics --entity-name moved --add-config leader.replication.throttled.replicas=[0:1,1:2],follower.replication.throttled.replicas=*"},
	{name: "a throttle that is none", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type topics --entity-name moved --add-config leader.replication.throttled.replicas=[0:x]"},
	{name: "the throttles of a node", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type brokers --entity-name 1", until: has("follower.replication"), tidy: sorted},
	{name: "the throttles of a topic", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type topics --entity-name moved", until: has("follower.replication"), tidy: sorted},
	{name: "a throttle goes", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type brokers --entity-name 1 --delete-config leader.replication.throttled.rate,follower.replication.throttled.rate"},
	{name: "the topic's throttle goes", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type topics --entity-name moved --delete-config leader.replication.throttled.replicas,follower.replication.throttled.replicas"},
	{name: "a default of all nodes", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type brokers --entity-default --add-config min.insync.replicas=1"},
	{name: "a config of a node that is not there", line: "kafka-configs --bootstrap-server {nodes} --alter --entity-type brokers --entity-name 9 --add-config log.cleaner.threads=1"},
}

var quorum = []step{
	{name: "the quorum", line: "kafka-metadata-quorum --bootstrap-server {nodes} describe --status", tidy: status},
	{name: "the quorum from a controller", line: "kafka-metadata-quorum --bootstrap-controller {controllers} describe --status", tidy: status},
	{name: "the quorum's replicas", line: "kafka-metadata-quorum --bootstrap-server {nodes} describe --replication", tidy: followers},
	{name: "the quorum's replicas for people", line: "kafka-metadata-quorum --bootstrap-server {nodes} describe --replication --human-readable", tidy: func(out string) string {
		head, _, _ := strings.Cut(squeezed(out), "\n")
		return head + "\n"
	}},
	{name: "a voter that is none", line: "kafka-metadata-quorum --bootstrap-server {nodes} remove-controller --controller-id 9 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ"},
	{name: "a voter with another directory", line: "kafka-metadata-quorum --bootstrap-server {nodes} remove-controller --controller-id 3 --controller-directory-id AAAAAAAAAAAAAAAAAAAAAQ"},
}

var failing = []step{
	{name: "preferred leaders, which lead", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --all-topic-partitions"},
	{name: "the preferred leader of one, which leads", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --topic placed --partition 1"},
	{name: "an unclean election where one leads", line: "kafka-leader-election --bootstrap-server {nodes} --election-type unclean --topic placed --partition 1"},
	{name: "an election of a topic that is not there", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --topic nowhere --partition 0"},
	{name: "an election of a partition that is not there", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --topic placed --partition 9"},
	{name: "a node that is not there is unregistered", line: "kafka-cluster unregister --bootstrap-server {nodes} --id 9"},
	{name: "partitions that are not there are moved", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/unknown.json --execute"},
	{name: "a partition is moved to nobody", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/nobody.json --execute"},
	{name: "a partition is moved to one node twice", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/twice.json --execute"},
	{name: "a plan for a topic that is not there", line: "kafka-reassign-partitions --bootstrap-server {nodes} --topics-to-move-json-file {dir}/none.json --broker-list 1,2 --generate"},
	{name: "nothing is moved", line: "kafka-reassign-partitions --bootstrap-server {nodes} --list"},
	{name: "nothing is cancelled", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/move.json --cancel"},
}

// away is what the tools say while node 3 is gone.
var away = []step{
	{name: "node 3 is killed", do: func(_ context.Context, t *trio) error { return t.Node(3).Kill9() }},
	{name: "what is under-replicated", line: "kafka-topics --bootstrap-server {nodes} --describe --under-replicated-partitions --topic placed", until: lines(3)},
	{name: "what is unavailable", line: "kafka-topics --bootstrap-server {nodes} --describe --unavailable-partitions", until: lines(1)},
	{name: "what is under its min.insync.replicas", line: "kafka-topics --bootstrap-server {nodes} --describe --under-min-isr-partitions --topic needy", until: has("Isr: 1,2\t")},
	{name: "others lead what it led", line: "kafka-topics --bootstrap-server {nodes} --describe --topic placed", until: has("Partition: 2\tLeader: 1")},
	{name: "an unclean election of what has no other replica", line: "kafka-leader-election --bootstrap-server {nodes} --election-type unclean --topic sole --partition 0"},
	{name: "a preferred leader that is gone", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --path-to-json-file {dir}/election.json"},
	{name: "the nodes that are left", line: "kafka-broker-api-versions --bootstrap-server {nodes}", tidy: nodesOnly},
	{name: "the endpoints that are left", line: "kafka-cluster list-endpoints --bootstrap-server {nodes}", tidy: squeezed},
	{name: "the endpoints with those of fenced nodes", line: "kafka-cluster list-endpoints --bootstrap-server {nodes} --include-fenced-brokers", tidy: squeezed},
	{name: "the quorum is as it was", line: "kafka-metadata-quorum --bootstrap-server {nodes} describe --status", tidy: status},
}

// pending is a reassignment that does not come to its end, since it may not send more than a byte a second.
var pending = []step{
	{name: "20 MB are written", do: func(_ context.Context, t *trio) error {
		a, err := t.tools.run("kafka-producer-perf-test", strings.Fields("--topic moved --num-records 20000 --record-size 1000 --throughput -1 --producer-props acks=all bootstrap.servers="+
			strings.Join(t.Bootstrap(), ",")))
		if err == nil && a.Status != 0 {
			err = errors.New(a.Out)
		}
		return err
	}},
	{name: "a reassignment that takes long", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/pending.json --execute --throttle 1"},
	{name: "it is listed", line: "kafka-reassign-partitions --bootstrap-server {nodes} --list"},
	{name: "it is verified", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/pending.json --verify", tidy: sorted},
	{name: "it is described", line: "kafka-topics --bootstrap-server {nodes} --describe --topic moved", until: has("Adding Replicas")},
	{name: "its throttles", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type brokers --entity-name 3", tidy: sorted},
	{name: "another beside it is refused", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/beside.json --execute"},
	{name: "another beside it", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/beside.json --execute --additional"},
	{name: "it is cancelled", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/pending.json --cancel", tidy: sorted},
	{name: "it is gone", line: "kafka-reassign-partitions --bootstrap-server {nodes} --list"},
	{name: "its throttles are gone", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type brokers --entity-name 3", tidy: sorted},
	{name: "the replicas are as they were", line: "kafka-topics --bootstrap-server {nodes} --describe --topic moved"},
}

var back = []step{
	{name: "node 3 is started", do: func(ctx context.Context, t *trio) error { return t.Node(3).Start(ctx) }},
	{name: "all is replicated again", line: "kafka-topics --bootstrap-server {nodes} --describe --under-replicated-partitions", until: empty},
	{name: "it leads what only it has", line: "kafka-topics --bootstrap-server {nodes} --describe --topic sole", until: has("Partition: 0\tLeader: 3")},
	{name: "it does not lead what others have", line: "kafka-topics --bootstrap-server {nodes} --describe --topic placed"},
}

var elections = []step{
	{name: "its preferred leaderships come back", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --path-to-json-file {dir}/election.json"},
	{name: "and are there", line: "kafka-leader-election --bootstrap-server {nodes} --election-type preferred --path-to-json-file {dir}/election.json"},
	{name: "it leads again", line: "kafka-topics --bootstrap-server {nodes} --describe --topic placed", until: has("Partition: 2\tLeader: 3")},
}

var moves = []step{
	{name: "a plan", line: "kafka-reassign-partitions --bootstrap-server {nodes} --topics-to-move-json-file {dir}/topics.json --broker-list 2,3 --generate", tidy: proposal},
	{name: "the preferred replica is another", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/reorder.json --execute"},
	{name: "which is done at once", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/reorder.json --verify", until: has("is completed")},
	{name: "replicas move, throttled", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/move.json --execute --throttle 10000000"},
	{name: "they have moved", line: "kafka-reassign-partitions --bootstrap-server {nodes} --reassignment-json-file {dir}/move.json --verify", until: func(out string) bool { return strings.Count(out, "is completed") == 2 }},
	{name: "where they are now", line: "kafka-topics --bootstrap-server {nodes} --describe --topic moved", until: func(out string) bool { return strings.Count(out, "Isr: ") == 2 && !strings.Contains(out, "Adding") }},
	{name: "no node is throttled any more", line: "kafka-configs --bootstrap-server {nodes} --describe --entity-type brokers --entity-name 2", tidy: sorted},
	{name: "the log directories of those who have them", line: "kafka-log-dirs --bootstrap-server {nodes} --describe --broker-list 2,3 --topic-list moved", tidy: sizes},
}

var leaving = []step{
	{name: "node 3 stops", do: func(_ context.Context, t *trio) error { return t.Node(3).Stop() }},
	{name: "others lead", line: "kafka-topics --bootstrap-server {nodes} --describe --topic placed", until: func(out string) bool { return !strings.Contains(out, "Leader: 3") && !strings.Contains(out, "none") }},
	{name: "it is unregistered", line: "kafka-cluster unregister --bootstrap-server {nodes} --id 3"},
	{name: "a topic goes", line: "kafka-topics --bootstrap-server {nodes} --delete --topic spread"},
	{name: "the topics that are left", line: "kafka-topics --bootstrap-server {nodes} --list", until: func(out string) bool { return !strings.Contains(out, "spread") }},
}

// has is an answer with a text in it.
func has(text string) func(string) bool {
	return func(out string) bool { return strings.Contains(out, text) }
}

// lines is an answer of that many lines.
func lines(n int) func(string) bool {
	return func(out string) bool { return strings.Count(out, "\n") == n }
}

func empty(out string) bool { return strings.TrimSpace(out) == "" }
