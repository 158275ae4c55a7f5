package metrics

import (
	"strconv"
	"time"
)

// followers writes what leaders know of their followers: who is slow, since when, and what it waits for.
func (p *page) followers(all []Partition) {
	var labels []string
	for i := range all {
		for j := range all[i].Followers {
			labels = append(labels, label("topic", all[i].Topic, "partition", strconv.Itoa(int(all[i].Partition)), "replica", strconv.Itoa(int(all[i].Followers[j].Node))))
		}
	}
	each := func(name, help string, sample func(labels string, f *Follower)) {
		p.family(name, gauge, help)
		n := 0
		for i := range all {
			for j := range all[i].Followers {
				sample(labels[n], &all[i].Followers[j])
				n++
			}
		}
	}
	known := func(of func(*Follower) int64) func(string, *Follower) {
		return func(l string, f *Follower) {
			if f.Known {
				p.int(l, of(f))
			}
		}
	}
	since := func(of func(*Follower) time.Duration) func(string, *Follower) {
		return func(l string, f *Follower) {
			if d := of(f); d >= 0 {
				p.float(l, d.Seconds())
			}
		}
	}
	each("milena_replica_in_sync", "1 when the follower is in sync.", func(l string, f *Follower) { p.int(l, one(f.InSync)) })
	each("milena_replica_lag", "Records of the leader that the follower has not.", known(func(f *Follower) int64 { return f.Lag }))
	each("milena_replica_durable_lag", "Records of the leader that the follower's disk has not.", known(func(f *Follower) int64 { return f.NotDurable }))
	each("milena_replica_behind_seconds", "Since when the follower has lacked something; 0 for nothing.", since(func(f *Follower) time.Duration { return f.Behind }))
	each("milena_replica_since_fetch_seconds", "Since when the follower has not fetched.", since(func(f *Follower) time.Duration { return f.SinceFetch }))
	each("milena_replica_waits", "1, with what the follower waits for.", func(l string, f *Follower) { p.int(and(l, label("for", f.Waits)), 1) })
}

// replication writes what ReplicaManager and ReplicaFetcherManager count.
func (p *page) replication(r *Replication) {
	const manager, fetchers = "kafka_server_replicamanager_", "kafka_server_replicafetchermanager_"
	count := func(name, help string, n uint64) {
		p.family(name, counter, help)
		p.uint("", n)
	}
	count(manager+"isrshrinks_total", "Times that an ISR of what is led here lost a member because it lagged.", r.ISRShrinks)
	count(manager+"isrexpands_total", "Times that an ISR of what is led here won a member.", r.ISRExpands)
	count(manager+"failedisrupdates_total", "Changes of an ISR that the controller refused.", r.FailedISRUpdates)
	client := label("clientId", "Replica")
	gaugeOf := func(name, help string, n int64) {
		p.family(name, gauge, help)
		p.int(client, n)
	}
	gaugeOf(fetchers+"maxlag", "Most records below a leader's high watermark that a follower here has not.", r.MaxLag)
	gaugeOf(fetchers+"failedpartitionscount", "Partitions followed here that cannot be fetched at the moment.", int64(r.FailedPartitions))
	gaugeOf(fetchers+"deadthreadcount", "Fetcher threads that ended; ours don't.", 0)
}

// followed writes the lag of single partitions that are followed here.
func (p *page) followed(all []Followed) {
	p.family("kafka_server_fetcherlagmetrics_consumerlag", gauge, "Records below the leader's high watermark that this follower has not.")
	for i := range all {
		f := &all[i]
		client := "ReplicaFetcherThread-" + strconv.Itoa(f.Fetcher) + "-" + strconv.Itoa(int(f.Leader))
		p.int(label("clientId", client, "topic", f.Topic, "partition", strconv.Itoa(int(f.Partition))), f.Lag)
	}
}
