package metrics

import (
	"strconv"
	"time"
)

// standing writes the figures of the node and the cluster as a whole.
func (p *page) standing(s *Standing) {
	p.alone("kafka_server_kafkaserver_brokerstate", gauge, "State of the broker: 1 starting, 2 recovery, 3 running, 6 stopping.", int64(s.State))
	r := &s.Replicas
	const manager = "kafka_server_replicamanager_"
	p.alone(manager+"leadercount", gauge, "Partitions that this broker leads.", int64(r.Led))
	p.alone(manager+"partitioncount", gauge, "Replicas of this broker.", int64(r.All))
	p.alone(manager+"underreplicatedpartitions", gauge, "Partitions led here with a replica that is not in sync.", int64(r.UnderReplicated))
	p.alone(manager+"underminisrpartitioncount", gauge, "Partitions led here with fewer replicas in sync than min.insync.replicas.", int64(r.UnderMinISR))
	p.alone(manager+"atminisrpartitioncount", gauge, "Partitions led here with just min.insync.replicas in sync.", int64(r.AtMinISR))
	p.alone(manager+"offlinereplicacount", gauge, "Replicas of this broker in a log directory that failed.", int64(r.Offline))
	p.alone(manager+"reassigningpartitions", gauge, "Partitions led here that are being moved.", int64(r.Reassigning))
	p.replication(&s.Replication)
	p.dirs(s.Dirs)
	p.cleaner(&s.Cleaner, s.Dirs)
	p.alone("milena_log_damages_total", counter, "Stretches of logs that were found not to check since the start.", s.Damages)
	p.alone("milena_log_damages_repaired_total", counter, "Stretches that were repaired from other replicas since the start.", s.Repair.Mended)
	p.alone("milena_log_partitions_to_repair", gauge, "Partitions with damage that is being repaired, or that no other replica could give yet.", int64(s.Repair.Unmended))
	p.alone("milena_scrub_compared_bytes_total", counter, "Bytes of logs that were compared with other replicas' since the start.", s.Repair.Compared)
	p.alone("milena_scrub_differences_total", counter, "Stretches in which a replica here was found to differ from the others.", s.Repair.Differing)
	p.scrub(&s.Scrub)
	const socket = "kafka_network_socketserver_"
	p.alone(socket+"memorypoolused", gauge, "Bytes that requests and answers hold.", s.Memory.Used)
	p.alone(socket+"memorypoolavailable", gauge, "Bytes that requests and answers may still take.", max(0, s.Memory.Limit-s.Memory.Used))
	p.controller(&s.Controller, s.Brokers)
}

func (p *page) dirs(dirs []Dir) {
	offline := 0
	for _, d := range dirs {
		offline += int(one(d.Offline))
	}
	p.alone("kafka_log_logmanager_offlinelogdirectorycount", gauge, "Log directories that failed.", int64(offline))
	p.family("kafka_log_logmanager_logdirectoryoffline", gauge, "1 when the log directory failed.")
	for _, d := range dirs {
		p.int(label("logdirectory", d.Path), one(d.Offline))
	}
	p.family("milena_log_dir_total_bytes", gauge, "Size of the volume that the log directory is on.")
	for _, d := range dirs {
		if d.TotalBytes >= 0 {
			p.int(label("dir", d.Path), d.TotalBytes)
		}
	}
	p.family("milena_log_dir_usable_bytes", gauge, "Bytes that are left on that volume.")
	for _, d := range dirs {
		if d.UsableBytes >= 0 {
			p.int(label("dir", d.Path), d.UsableBytes)
		}
	}
	p.family("milena_log_dir_full", gauge, "1 while clients' records are refused because the volume is full.")
	for _, d := range dirs {
		p.int(label("dir", d.Path), one(d.Full))
	}
	p.family("milena_log_dir_reserve_bytes", gauge, "Bytes that are kept on that volume for metadata and deletions, less what a full volume took.")
	for _, d := range dirs {
		p.int(label("dir", d.Path), d.ReserveBytes)
	}
	p.family("kafka_log_logmanager_remaininglogstorecover", gauge, "Logs of the directory that are still to be recovered after an unclean stop (KIP-831).")
	for _, d := range dirs {
		p.int(label("dir", d.Path), d.Unrecovered)
	}
	p.family("milena_log_dir_flush_seconds", gauge, "How long the flush of the log directory that is under way has been; 0 while none is.")
	for _, d := range dirs {
		p.float(label("dir", d.Path), d.FlushAge.Seconds())
	}
}

// cleaner writes the MBeans of LogCleaner and LogCleanerManager.
func (p *page) cleaner(c *Cleaner, dirs []Dir) {
	percent := func(ratio float64) int64 { return int64(100 * ratio) }
	const threads, manager = "kafka_log_logcleaner_", "kafka_log_logcleanermanager_"
	p.alone(threads+"max_clean_time_secs", gauge, "Longest time that a thread took for its last log, in seconds.", int64(c.MaxClean.Seconds()))
	p.alone(threads+"cleaner_recopy_percent", gauge, "Bytes of the last cleaned logs that survived.", percent(c.Recopied))
	p.alone(threads+"max_buffer_utilization_percent", gauge, "How full the map of keys was at most.", percent(c.MaxBuffer))
	p.alone(threads+"max_compaction_delay_secs", gauge, "How long a record has been dirty past max.compaction.lag.ms, in seconds.", int64(c.MaxDelay.Seconds()))
	p.alone(threads+"deadthreadcount", gauge, "Cleaner threads that ended; ours don't.", 0)
	p.alone(manager+"max_dirty_percent", gauge, "Dirty part of the filthiest log.", percent(c.MaxDirty))
	p.alone(manager+"time_since_last_run_ms", gauge, "Time since the logs were last looked through.", c.SinceLastRun.Milliseconds())
	p.family(manager+"uncleanable_partitions_count", gauge, "Partitions that do not compact.")
	for _, d := range dirs {
		p.int(label("logDirectory", d.Path), int64(d.Uncleanable))
	}
	p.family(manager+"uncleanable_bytes", gauge, "Bytes of those partitions.")
	for _, d := range dirs {
		p.int(label("logDirectory", d.Path), d.UncleanableBytes)
	}
}

func (p *page) scrub(s *Scrub) {
	p.alone("milena_scrub_running", gauge, "1 while sealed segments are being read and checked.", one(s.Running))
	p.alone("milena_scrub_logs_left", gauge, "Logs that the scrub under way has still to read.", int64(s.Left))
	p.alone("milena_scrub_bytes_total", counter, "Bytes that scrubs have read since the start.", s.Bytes)
	p.alone("milena_scrub_rounds_total", counter, "Scrubs that were finished since the start.", s.Rounds)
	p.family("milena_scrub_last_finished_seconds", gauge, "When the last scrub was finished, in seconds since 1970; 0 for not since the start.")
	p.float("", float64(s.LastFinished)/1000)
	p.alone("milena_scrub_damages", gauge, "Stretches that do not check in what the last finished scrub read.", int64(s.Damages))
}

func (p *page) controller(c *Controller, brokers []Broker) {
	active, fenced := 0, 0
	for _, b := range brokers {
		fenced += int(one(b.Fenced))
		active += int(one(!b.Fenced))
	}
	const prefix = "kafka_controller_kafkacontroller_"
	p.alone(prefix+"activecontrollercount", gauge, "1 when this node is the active controller.", one(c.Active))
	p.alone(prefix+"activebrokercount", gauge, "Registered brokers that are not fenced.", int64(active))
	p.alone(prefix+"fencedbrokercount", gauge, "Registered brokers that are fenced.", int64(fenced))
	p.alone(prefix+"globaltopiccount", gauge, "Topics of the cluster.", int64(c.Topics))
	p.alone(prefix+"globalpartitioncount", gauge, "Partitions of the cluster.", int64(c.Partitions))
	p.alone(prefix+"offlinepartitionscount", gauge, "Partitions that nobody leads.", int64(c.OfflinePartitions))
	p.alone(prefix+"preferredreplicaimbalancecount", gauge, "Partitions that another than the first replica leads.", int64(c.NotPreferred))
	p.family("kafka_controller_controllerstats_uncleanleaderelections_total", counter, "Elections of a leader that was not in sync, seen since the start.")
	p.uint("", c.UncleanElections)
	p.family("kafka_controller_controllerstats_electionfromeligibleleaderreplicas_total", counter, "Elections of a leader from the eligible replicas (KIP-966), seen since the start.")
	p.uint("", c.EligibleElections)
	p.family("milena_failovers_total", counter, "Brokers whose leaderships this controller has moved because their processes had ended.")
	p.uint("", c.Failovers.Count)
	p.family("milena_failover_last_seconds", gauge, "Time from the suspicion that a broker's process had ended until its leaderships were moved, the last time.")
	p.float("", c.Failovers.Last.Seconds())
	p.family("milena_failover_max_seconds", gauge, "Likewise, at most since the start.")
	p.float("", c.Failovers.Max.Seconds())
	p.alone("kafka_server_brokermetadatametrics_last_applied_record_offset", gauge, "Offset of the metadata log up to which this broker acts.", c.LastAppliedOffset)
	p.alone("kafka_server_brokermetadatametrics_last_applied_record_timestamp", gauge, "Timestamp of that record in ms.", c.LastAppliedTimestamp)
	p.alone("kafka_brokers", gauge, "Brokers of the cluster that are not fenced.", int64(active))
	p.family("kafka_broker_info", gauge, "1 for each registered broker.")
	for _, b := range brokers {
		p.int(label("id", strconv.Itoa(int(b.ID)), "address", b.Address), 1)
	}
}

// quorum writes Kafka's raft-metrics. Averages are of the last minute.
func (m *Metrics) quorum(p *page, now time.Duration, s *Standing) {
	q := &s.Quorum
	const prefix = "kafka_server_raftmetrics_"
	p.alone(prefix+"current_leader", gauge, "Node that leads the metadata quorum, -1 when it is not known.", int64(q.Leader))
	p.alone(prefix+"current_epoch", gauge, "Epoch of the metadata quorum.", int64(q.Epoch))
	state := "unattached"
	switch {
	case q.Leading:
		state = "leader"
	case q.Leader >= 0:
		state = "follower"
	}
	p.alone(prefix+"current_vote", gauge, "Node that this one voted for in the epoch, -1 for nobody.", int64(q.Vote))
	p.family(prefix+"current_state", gauge, "1 for the state that the node is in: leader, follower or unattached.")
	p.int(label("current_state", state), 1)
	p.alone(prefix+"high_watermark", gauge, "Offset up to which the metadata log is committed.", int64(q.HighWatermark))
	p.alone(prefix+"log_end_offset", gauge, "End of this node's metadata log.", int64(q.LogEnd))
	p.family(prefix+"append_records_rate", gauge, "Records a second that were appended to the metadata log, over the last minute.")
	p.float("", m.seen.appends.rate(now, float64(q.LogEnd)))
	latency := func(name, help string, l Latency, sum, count *drift) {
		p.family(prefix+name+"_latency_avg", gauge, help+", in ms, on average over the last minute.")
		avg, n := sum.rate(now, millis(l.Sum)), count.rate(now, float64(l.Count))
		if n > 0 {
			avg /= n
		}
		p.float("", avg)
		p.family(prefix+name+"_latency_max", gauge, help+", in ms, at most since the start.")
		p.float("", millis(l.Max))
	}
	latency("election", "Time from this node's campaign until a leader was known", q.Election, &m.seen.elections[0], &m.seen.elections[1])
	latency("commit", "Time from the append of an entry by this leader until it was committed", q.Commit, &m.seen.commits[0], &m.seen.commits[1])
	if q.Leading {
		p.alone(prefix+"number_of_voters", gauge, "Voters of the metadata quorum.", int64(q.Voters))
		p.alone(prefix+"number_of_observers", gauge, "Observers of the metadata quorum.", int64(q.Observers))
	}
}
