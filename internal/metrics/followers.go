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
