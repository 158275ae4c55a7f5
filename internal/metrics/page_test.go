package metrics

import (
	"errors"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

func TestPageSaysWhatWasCounted(t *testing.T) {
	m, c := newMetrics(10)
	m.Opened(peer)
	m.Opened(peer)
	m.Closed(peer, "client")
	m.Refused(peer, "frame")
	m.Received(peer, 300)
	m.Sent(peer, 700)
	m.Synced(3 * time.Millisecond)
	m.Done(request(c, kafka.KeyProduce, time.Millisecond, 3*time.Millisecond, 11*time.Millisecond, 15*time.Millisecond), 250, 40)
	for _, replica := range []int32{-1, -1, 2} {
		fetch := request(c, kafka.KeyFetch, 0, 0, 0, time.Millisecond)
		fetch.Fetch.ReplicaID = replica
		m.Done(fetch, 50, 0)
	}
	m.Done(request(c, kafka.KeyNodeMessages, 0, 0, 0, time.Millisecond), 50, 0)
	page := scrape(t, m, "")
	for series, want := range map[string]float64{
		`milena_build_info{version="1.2.3",commit="abc"}`: 1,
		`milena_ready`: 0,
		`kafka_server_socket_server_metrics_connection_count{listener="PLAINTEXT"}`:          1,
		`kafka_server_socket_server_metrics_connection_creation_total{listener="PLAINTEXT"}`: 2,
		`kafka_server_socket_server_metrics_connection_close_total{listener="PLAINTEXT"}`:    1,
		`kafka_server_socket_server_metrics_incoming_byte_total{listener="PLAINTEXT"}`:       300,
		`kafka_server_socket_server_metrics_outgoing_byte_total{listener="PLAINTEXT"}`:       700,
		`kafka_server_socket_server_metrics_request_total{listener="PLAINTEXT"}`:             5,
		`kafka_server_socket_server_metrics_response_total{listener="PLAINTEXT"}`:            1,
		`milena_connections_closed_total{reason="client"}`:                                   1,
		`milena_connections_refused_total{what="frame"}`:                                     1,
		`milena_fsync_seconds_count`:                                                         1,
		`milena_fsync_seconds_sum`:                                                           0.003,
		`milena_request_bytes_total{request="Produce"}`:                                      250,
		`milena_response_bytes_total{request="Produce"}`:                                     40,
		`kafka_network_requestmetrics_requestspersec{request="Produce",version="3"}`:         1,
		`kafka_network_requestmetrics_requestspersec{request="Fetch",version="3"}`:           3,
		`kafka_network_requestmetrics_requestspersec{request="FetchConsumer",version="3"}`:   2,
		`kafka_network_requestmetrics_requestspersec{request="FetchFollower",version="3"}`:   1,
		`kafka_network_requestmetrics_requestspersec{request="NodeMessages",version="3"}`:    1,
		`kafka_network_requestmetrics_totaltimems_count{request="Produce"}`:                  1,
		`milena_request_seconds_count{request="Produce"}`:                                    1,
		`milena_request_seconds_sum{request="Produce"}`:                                      0.015,
	} {
		if got := value(t, page, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	for stage, wantMs := range map[string]float64{"totaltimems": 15, "requestqueuetimems": 1, "localtimems": 2, "remotetimems": 8, "responsesendtimems": 4} {
		got := value(t, page, "kafka_network_requestmetrics_"+stage+`{request="Produce",quantile="0.99"}`)
		if got < wantMs*7/8 || got > wantMs*9/8 {
			t.Errorf("%s is %v, want %v to an eighth", stage, got, wantMs)
		}
	}
	if page["kafka_brokers"] != nil {
		t.Error("the page tells of a node that nobody watches")
	}
}

func TestPageSaysWhatTheNodeTells(t *testing.T) {
	m, c := newMetrics(10)
	m.Watch(full())
	m.Serving(nil)
	scrape(t, m, "")
	c.move(time.Minute)
	page := scrape(t, m, "")
	for series, want := range map[string]float64{
		`milena_ready`:                                                                                                 1,
		`kafka_server_kafkaserver_brokerstate`:                                                                         3,
		`kafka_server_replicamanager_leadercount`:                                                                      2,
		`kafka_server_replicamanager_underreplicatedpartitions`:                                                        1,
		`kafka_server_replicamanager_underminisrpartitioncount`:                                                        1,
		`kafka_log_logmanager_offlinelogdirectorycount`:                                                                1,
		`kafka_log_logmanager_logdirectoryoffline{logdirectory="/data"}`:                                               0,
		`kafka_log_logmanager_logdirectoryoffline{logdirectory="/lost"}`:                                               1,
		`milena_log_dir_usable_bytes{dir="/data"}`:                                                                     400,
		`kafka_server_replicamanager_isrshrinks_total`:                                                                 3,
		`kafka_server_replicamanager_failedisrupdates_total`:                                                           1,
		`kafka_server_replicafetchermanager_maxlag{clientId="Replica"}`:                                                9,
		`kafka_server_fetcherlagmetrics_consumerlag{clientId="ReplicaFetcherThread-0-2",topic="orders",partition="2"}`: 9,
		`kafka_server_brokertopicmetrics_replicationbytesin_total`:                                                     70,
		`milena_replica_lag{topic="orders",partition="1",replica="2"}`:                                                 2,
		`milena_replica_durable_lag{topic="orders",partition="1",replica="2"}`:                                         4,
		`milena_replica_behind_seconds{topic="orders",partition="1",replica="2"}`:                                      1.5,
		`milena_replica_in_sync{topic="orders",partition="1",replica="3"}`:                                             0,
		`milena_replica_waits{topic="orders",partition="1",replica="3",for="first_fetch"}`:                             1,
		`kafka_network_socketserver_memorypoolused`:                                                                    10,
		`kafka_network_socketserver_memorypoolavailable`:                                                               90,
		`kafka_controller_kafkacontroller_activecontrollercount`:                                                       1,
		`kafka_controller_kafkacontroller_offlinepartitionscount`:                                                      1,
		`kafka_controller_kafkacontroller_fencedbrokercount`:                                                           1,
		`kafka_controller_controllerstats_uncleanleaderelections_total`:                                                3,
		`kafka_brokers`: 1,
		`kafka_broker_info{id="2",address="two:9092"}`:                                                 1,
		`kafka_server_raftmetrics_current_leader`:                                                      1,
		`kafka_server_raftmetrics_current_vote`:                                                        1,
		`kafka_server_raftmetrics_current_state{current_state="leader"}`:                               1,
		`kafka_server_raftmetrics_append_records_rate`:                                                 0,
		`kafka_server_brokertopicmetrics_messagesin_total`:                                             90,
		`kafka_server_brokertopicmetrics_messagesin_total{topic="orders"}`:                             80,
		`kafka_server_brokertopicmetrics_failedfetchrequests_total`:                                    2,
		`kafka_topic_partitions{topic="orders"}`:                                                       2,
		`kafka_log_log_size{topic="orders",partition="0"}`:                                             4096,
		`kafka_topic_partition_current_offset{topic="orders",partition="0"}`:                           90,
		`kafka_topic_partition_oldest_offset{topic="orders",partition="0"}`:                            10,
		`kafka_topic_partition_in_sync_replica{topic="orders",partition="1"}`:                          1,
		`kafka_topic_partition_leader_is_preferred{topic="orders",partition="0"}`:                      1,
		`kafka_cluster_partition_underminisr{topic="orders",partition="1"}`:                            1,
		`kafka_consumergroup_members{consumergroup="bill\"ing\\"}`:                                     2,
		`kafka_consumergroup_lag{consumergroup="bill\"ing\\",topic="orders",partition="0"}`:            40,
		`kafka_consumergroup_lag_sum{consumergroup="bill\"ing\\",topic="orders"}`:                      40,
		`kafka_consumergroup_current_offset_sum{consumergroup="bill\"ing\\",topic="orders"}`:           55,
		`kafka_consumergroup_current_offset{consumergroup="bill\"ing\\",topic="remote",partition="0"}`: 3,
		`milena_metrics_truncated`:                                                                     0,
	} {
		if got := value(t, page, series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if _, ok := page["kafka_consumergroup_lag_sum"].samples[`kafka_consumergroup_lag_sum{consumergroup="bill\"ing\\",topic="remote"}`]; ok {
		t.Error("a lag is told that nobody knows")
	}
	for _, of := range []string{"kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", "kafka_network_socketserver_networkprocessoravgidle_percent"} {
		if page["process_cpu_seconds_total"] != nil {
			if v := value(t, page, of); v < 0 || v > 1 {
				t.Errorf("%s is %v", of, v)
			}
		}
	}
}

func TestLimitLeavesSingleSeriesOut(t *testing.T) {
	n := full()
	for _, c := range []struct {
		limit                               int
		topics, partitions, offsets, groups bool
	}{
		{limit: 3, topics: true, partitions: true, offsets: true, groups: true},
		{limit: 2, topics: true, partitions: true, groups: true},
		{limit: 1, topics: true, groups: true},
		{limit: 0},
	} {
		m, _ := newMetrics(c.limit)
		n.asked = 0
		m.Watch(n)
		page := scrape(t, m, "")
		has := func(family string) bool { return page[family] != nil && len(page[family].samples) > 0 }
		topic := len(page["kafka_server_brokertopicmetrics_bytesin_total"].samples) == 2
		if topic != c.topics || has("kafka_log_log_size") != c.partitions || has("kafka_consumergroup_lag") != c.offsets || has("kafka_consumergroup_members") != c.groups {
			t.Errorf("limit %d: topics %v, partitions %v, offsets %v, groups %v", c.limit, topic, has("kafka_log_log_size"), has("kafka_consumergroup_lag"), has("kafka_consumergroup_members"))
		}
		if want := one(c.limit < 3); value(t, page, "milena_metrics_truncated") != float64(want) {
			t.Errorf("limit %d: truncated is not %d", c.limit, want)
		}
		if !c.partitions && n.asked > 0 {
			t.Errorf("limit %d: partitions were walked that are not shown", c.limit)
		}
		if value(t, page, "kafka_server_brokertopicmetrics_bytesin_total") != 900 || value(t, page, "kafka_server_replicamanager_leadercount") != 2 {
			t.Errorf("limit %d: the sums are gone", c.limit)
		}
	}
}

func TestGroupsThatCannotBeToldAreMissingAndCounted(t *testing.T) {
	n := full()
	m, _ := newMetrics(10)
	m.o.GroupsWait = time.Nanosecond
	m.Watch(n)
	n.err = errors.New("loading")
	scrape(t, m, "")
	n.err, n.silent = nil, true
	page := scrape(t, m, "")
	if page["kafka_consumergroup_members"] != nil || value(t, page, "milena_metrics_groups_missing_total") != 2 {
		t.Error("groups that nobody told of are on the page, or their absence is not")
	}
	if value(t, page, "kafka_topic_partitions{topic=\"orders\"}") != 2 {
		t.Error("the rest is gone with the groups")
	}
}

func TestNameThatIsNoTextCostsOnlyItsGroup(t *testing.T) {
	n := full()
	n.groups = append(n.groups, Group{Name: "a\xff", State: "Empty"}, Group{Name: "line\nbreak", State: "Empty"})
	m, _ := newMetrics(10)
	m.Watch(n)
	page := scrape(t, m, "")
	if len(page["kafka_consumergroup_members"].samples) != 2 {
		t.Errorf("%v", page["kafka_consumergroup_members"].order)
	}
}

func TestDialects(t *testing.T) {
	m, _ := newMetrics(10)
	m.Watch(full())
	for query, names := range map[string][]string{
		"": {
			"kafka_server_brokertopicmetrics_bytesin_total", "kafka_server_raftmetrics_current_leader",
			"kafka_controller_controllerstats_uncleanleaderelections_total",
		},
		"?dialect=strimzi": {"kafka_server_brokertopicmetrics_bytesin_total"},
		"?dialect=confluent": {
			"kafka_server_brokertopicmetrics_bytesinpersec", "kafka_server_raftmetrics_current_leader",
			"kafka_controller_controllerstats_uncleanleaderelectionspersec", "kafka_consumergroup_members",
			"kafka_server_socket_server_metrics_request_total",
		},
		"?dialect=reporter": {
			"kafka_server_brokertopicmetrics_bytesinpersec_total", "kafka_server_raft_metrics_current_leader",
			"milena_connections_closed_total",
		},
	} {
		page := scrape(t, m, query)
		for _, name := range names {
			if page[name] == nil {
				t.Errorf("%q has no %s", query, name)
			}
		}
	}
	for name, want := range map[string][2]string{
		"kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent": {
			"kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_oneminuterate",
			"kafka_server_kafkarequesthandlerpool_requesthandleravgidlepercent_total"},
		"kafka_network_socketserver_networkprocessoravgidle_percent": {
			"kafka_network_socketserver_networkprocessoravgidlepercent", "kafka_network_socketserver_networkprocessoravgidlepercent"},
	} {
		if c, r := confluent.rename(name), reporter.rename(name); c != want[0] || r != want[1] {
			t.Errorf("%s is %s and %s", name, c, r)
		}
	}
}

func TestRateOfTheMetadataLog(t *testing.T) {
	n := full()
	m, c := newMetrics(10)
	m.Watch(n)
	scrape(t, m, "")
	for range 20 {
		c.move(15 * time.Second)
		n.standing.Quorum.LogEnd += 30
		if got := value(t, scrape(t, m, ""), "kafka_server_raftmetrics_append_records_rate"); got != 2 {
			t.Fatalf("two records a second are %v", got)
		}
	}
	for range 6 {
		c.move(15 * time.Second)
		scrape(t, m, "")
	}
	if got := value(t, scrape(t, m, ""), "kafka_server_raftmetrics_append_records_rate"); got != 0 {
		t.Errorf("a log that stands still grows by %v", got)
	}
}

func TestQuantilesForgetWhatIsLongAgo(t *testing.T) {
	m, c := newMetrics(10)
	slow := func() float64 {
		return value(t, scrape(t, m, ""), `kafka_network_requestmetrics_totaltimems{request="Produce",quantile="0.50"}`)
	}
	m.Done(request(c, kafka.KeyProduce, 0, 0, 0, time.Second), 1, 1)
	if got := slow(); got < 1000 {
		t.Errorf("a second is %v ms", got)
	}
	for range 15 {
		c.move(time.Minute)
		slow()
	}
	if got := slow(); got != 0 {
		t.Errorf("after a quarter of an hour it is %v ms still", got)
	}
	if got := value(t, scrape(t, m, ""), `kafka_network_requestmetrics_totaltimems_count{request="Produce"}`); got != 1 {
		t.Errorf("the counter says %v", got)
	}
}
