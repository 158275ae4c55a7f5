package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/wire"
)

// explainedDoc is what `explain partition -o json` prints.
type explainedDoc struct {
	doc
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	State     string  `json:"state"` // ok, offline, under_min_isr, under_replicated, not_preferred or moving: the gravest
	Leader    int32   `json:"leader"`
	Epoch     int32   `json:"leader_epoch"`
	Preferred int32   `json:"preferred_leader"`
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"`
	ELR       []int32 `json:"elr"`
	MinISR    int     `json:"min_insync_replicas"`
	SinceMs   int64   `json:"for_ms"` // how long it has been so, -1 where nobody tells

	Missing []missingReplica `json:"missing"`
	Effect  string           `json:"effect"`
	Next    []string         `json:"next"` // what to do
}

// missingReplica is one that is not in sync, and why.
type missingReplica struct {
	Node       int32  `json:"node"`
	Up         bool   `json:"broker_up"`
	Offline    bool   `json:"offline"`        // the broker is up, and the replica's log directory is not
	Gone       bool   `json:"directory_gone"` // of those that are offline: none of the directories that the broker has failed
	Waits      string `json:"waits"`          // the leader's word for what it waits for, "" where it does not tell
	Lag        int64  `json:"lag"`
	NotDurable int64  `json:"not_durable"`
	BehindMs   int64  `json:"behind_ms"`
	SilentMs   int64  `json:"silent_ms"`
	Why        string `json:"why"`
}

func (a *app) explainCommand() *cobra.Command {
	partition := a.command(spec{
		use: "partition TOPIC PARTITION", short: "Why a partition is offline, under-replicated or not led by its preferred replica",
		long: `Tells how a partition is, which replica is missing, what that one waits for and since when, what clients notice, and what
to do. TOPIC-PARTITION does as well as two words.`,
		example: "  milena explain partition payments 4",
		doc:     explainedDoc{},
		args:    func(args []string) error { _, _, err := partitionNamed(args); return err },
		run: func(ctx context.Context, args []string) error {
			topic, number, err := partitionNamed(args)
			if err != nil {
				return err
			}
			return a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
				return a.explainPartition(ctx, c, adm, topic, number)
			})
		},
	})
	partition.Aliases = []string{"urp"}
	return a.group("explain", "Why something is as it is", partition)
}

// partitionNamed reads TOPIC PARTITION or TOPIC-PARTITION.
func partitionNamed(args []string) (string, int32, error) {
	var topic, number string
	switch len(args) {
	case 1:
		at := strings.LastIndexByte(args[0], '-')
		if at <= 0 {
			return "", 0, usage("which partition of %s? milena explain partition %s 0", args[0], args[0])
		}
		topic, number = args[0][:at], args[0][at+1:]
	case 2:
		topic, number = args[0], args[1]
	default:
		return "", 0, usage("which partition? milena explain partition TOPIC PARTITION")
	}
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil || n < 0 {
		return "", 0, usage("%q is no number of a partition", number)
	}
	return topic, int32(n), nil
}

func (a *app) explainPartition(ctx context.Context, c *kgo.Client, adm *kadm.Client, topic string, number int32) error {
	s, err := lookAround(ctx, c, adm)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(s.partitions, func(p partitionStanding) bool { return p.Topic == topic && p.Partition == number })
	if at < 0 {
		n := 0
		for _, p := range s.partitions {
			if p.Topic == topic {
				n++
			}
		}
		if n == 0 {
			return a.noTopic(ctx, adm, topic)
		}
		return failed("UNKNOWN_TOPIC_OR_PARTITION", "topic %s has the partitions 0 to %d", topic, n-1)
	}
	p := &s.partitions[at]
	least, err := minISRs(ctx, c, []string{topic})
	if err != nil {
		return err
	}
	eligible, last := beside(ctx, c, topic, number)
	d := explainedDoc{
		doc: newDoc("explain.partition"), Topic: topic, Partition: number, Leader: p.Leader, Epoch: p.LeaderEpoch, Preferred: p.preferred(),
		Replicas: orEmpty(p.Replicas), ISR: orEmpty(p.ISR), ELR: orEmpty(eligible), MinISR: p.least(least), SinceMs: -1,
		Missing: []missingReplica{}, Next: []string{},
	}
	d.judge(s, p, followersOf(ctx, c, p), func(id int32) bool {
		all, _ := askHeld(ctx, c, []int32{id})
		return !slices.ContainsFunc(all[id].dirs, func(dir kmsg.DescribeLogDirsResponseDir) bool { return dir.ErrorCode != 0 })
	})
	d.comesBack(s, p, last)
	if s.quorumErr != nil {
		a.note("no controller answers: this is how it was when the last one did (milena cluster health)")
	}
	if a.asJSON() {
		return a.json(d)
	}
	return a.printExplained(d, p)
}

// beside is who may lead beside those in sync, and who led last where nobody may (KIP-966); none where the cluster does not tell.
func beside(ctx context.Context, c *kgo.Client, topic string, number int32) (eligible, last []int32) {
	request := func() kmsg.Request {
		req := kmsg.NewPtrDescribeTopicPartitionsRequest()
		t := kmsg.NewDescribeTopicPartitionsRequestTopic()
		t.Topic = topic
		req.Topics = append(req.Topics, t)
		return req
	}
	resp, err := askAny(ctx, c, request, func(*kmsg.DescribeTopicPartitionsResponse) int16 { return 0 })
	if err != nil {
		return nil, nil
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.Partition == number {
				return p.EligibleLeaderReplicas, p.LastKnownELR
			}
		}
	}
	return nil, nil
}

// comesBack adds what to do where nobody may lead, and who led last is there: its disk was away when it registered, or is another one.
func (d *explainedDoc) comesBack(s *clusterState, p *partitionStanding, last []int32) {
	if d.State != "offline" || len(p.ISR)+len(d.ELR) > 0 || len(last) != 1 || !s.isUp(last[0]) || slices.Contains(p.OfflineReplicas, last[0]) {
		return
	}
	d.Next = slices.Insert(d.Next, 0, fmt.Sprintf("broker %d led it last, and its disk was away, replaced or restored when it registered: if it is as it was left, "+
		"milena cluster elect %s -p %d --unclean --last-leader %d has it lead or nobody, and nothing is lost", last[0], p.Topic, p.Partition, last[0]))
}

// followersOf asks the leader of a partition for what it knows of the others; nothing where it is down or does not tell.
func followersOf(ctx context.Context, c *kgo.Client, p *partitionStanding) (all []wire.FollowerState) {
	if p.Leader < 0 {
		return nil
	}
	dirs, err := logDirsOf(ctx, c, p.Leader, map[string][]int32{p.Topic: {p.Partition}}, true)
	if err != nil {
		return nil
	}
	for _, d := range dirs {
		for _, t := range d.Topics {
			for i := range t.Partitions {
				if f, err := wire.Followers(&t.Partitions[i]); err == nil && f != nil {
					all = f
				}
			}
		}
	}
	return all
}

// judge fills in the state, who is missing and why, what it means and what to do. Of a broker whose replica is offline intact tells
// whether none of the directories that it has failed.
func (d *explainedDoc) judge(s *clusterState, p *partitionStanding, followers []wire.FollowerState, intact func(int32) bool) {
	for _, id := range p.missing() {
		m := missingReplica{Node: id, Up: s.isUp(id), Offline: s.isUp(id) && slices.Contains(p.OfflineReplicas, id), Lag: -1, NotDurable: -1, BehindMs: -1, SilentMs: -1}
		for _, f := range followers {
			if f.Node == id {
				m.Waits, m.Lag, m.NotDurable, m.BehindMs, m.SilentMs = f.Waits, f.Lag, f.NotDurable, f.BehindMs, f.SilentMs
			}
		}
		m.Gone = m.Offline && intact(id)
		m.Why = m.why(p)
		d.SinceMs = max(d.SinceMs, m.BehindMs, m.SilentMs)
		d.Missing = append(d.Missing, m)
	}
	switch {
	case p.Leader < 0:
		d.offline(s, p)
	case len(d.Missing) > 0:
		d.behind(p)
	case p.Leader != d.Preferred:
		d.State, d.Effect = "not_preferred", fmt.Sprintf("broker %d leads more than its share, %d less; clients notice nothing", p.Leader, d.Preferred)
		d.Next = append(d.Next, fmt.Sprintf("milena cluster elect %s -p %d", p.Topic, p.Partition))
	case len(p.adding)+len(p.removing) > 0:
		d.State, d.Effect = "moving", "clients notice nothing; the leader sends the new replicas what they lack"
		d.Next = append(d.Next, "milena reassign status")
	default:
		d.State, d.Effect = "ok", "every replica is in sync, and the preferred one leads"
	}
}

// why is a replica's reason in words, the leader's view of it included.
func (m *missingReplica) why(p *partitionStanding) string {
	lag := ""
	if m.Lag > 0 {
		lag = fmt.Sprintf("; its log ended %s behind", plural(m.Lag, "record"))
	}
	heard := ""
	if m.SilentMs >= 0 {
		heard = ", last heard " + ago(time.Duration(m.SilentMs)*time.Millisecond)
	}
	switch {
	case !m.Up && heard == "":
		return "its broker is down" + forTime(m.BehindMs) + lag
	case !m.Up:
		return "its broker is down" + heard + lag
	case m.Gone:
		return "its log directory is not there: a disk that is not mounted, or was replaced by an empty one" + lag
	case m.Offline:
		return "its log directory is offline: milena cluster info shows which" + lag
	}
	switch m.Waits {
	case "fetch":
		return "its broker is up and does not fetch" + heard + lag
	case "first_fetch":
		return fmt.Sprintf("it has not fetched since broker %d began to lead in epoch %d", p.Leader, p.LeaderEpoch) + forTime(m.BehindMs)
	case "registration":
		return "its broker is starting, stopping or registered anew, and may not join until that is over"
	case "records":
		return "it fetches, and is " + plural(m.Lag, "record") + " behind" + forTime(m.BehindMs)
	case "flush":
		return fmt.Sprintf("it has every record in memory, and its disk lacks %s%s: a slow disk", plural(m.NotDurable, "record"), forTime(m.BehindMs))
	case "controller":
		return "it has everything; the controller has not taken it in yet"
	case "nothing", "":
		return "its leader does not tell why; its broker is up"
	}
	return "it waits for " + m.Waits
}

func forTime(ms int64) string {
	if ms < 0 {
		return ""
	}
	return ", for " + duration((time.Duration(ms) * time.Millisecond).Round(100*time.Millisecond))
}

// behind is a partition with a leader that lacks replicas.
func (d *explainedDoc) behind(p *partitionStanding) {
	d.State = "under_replicated"
	spare := len(p.ISR) - d.MinISR
	switch {
	case spare < 0:
		d.State = "under_min_isr"
		d.Effect = fmt.Sprintf("writes with acks=all are refused with NOT_ENOUGH_REPLICAS (min.insync.replicas=%d); what is there is read", d.MinISR)
	case spare == 0:
		d.Effect = fmt.Sprintf("writes with acks=all still succeed (min.insync.replicas=%d); one more loss makes the partition read-only", d.MinISR)
	default:
		d.Effect = fmt.Sprintf("clients notice nothing; %s may be lost before writes with acks=all are refused (min.insync.replicas=%d)", plural(int64(spare), "more replica"), d.MinISR)
	}
	for _, m := range d.Missing {
		switch {
		case !m.Up:
			d.next("start broker %d; when it is gone for good: milena reassign plan --remove-broker %d", m.Node, m.Node)
		case m.Gone:
			d.next("mount the disk and start broker %d again; when it is gone for good: milena reassign refetch %s %d --broker %d", m.Node, p.Topic, p.Partition, m.Node)
		case m.Offline:
			d.next("repair the disk of broker %d and start it again", m.Node)
		case m.Waits == "flush":
			d.next("look at the disk of broker %d: milena_fsync_seconds and the log on that node", m.Node)
		case m.Waits == "records":
			d.next("wait, if the lag shrinks (ask again); else look at the network and the load of broker %d", m.Node)
		case m.Waits == "fetch" || m.Waits == "first_fetch":
			d.next("look at the log of broker %d for what keeps it from fetching from broker %d", m.Node, d.Leader)
		}
	}
}

// offline is a partition without a leader.
func (d *explainedDoc) offline(s *clusterState, p *partitionStanding) {
	d.State = "offline"
	d.Effect = "it is neither written nor read; clients wait and retry"
	candidates := slices.Concat(p.ISR, d.ELR)
	var down []int32
	for _, id := range candidates {
		if !s.isUp(id) && !slices.Contains(down, id) {
			down = append(down, id)
		}
	}
	switch {
	case len(down) > 0:
		d.next("start broker %s: it has every acknowledged record, and leads as soon as it is up", strings.ReplaceAll(idList(down), ",", " or "))
	case len(candidates) > 0:
		d.next("repair the log directory on broker %s: it has every acknowledged record", strings.ReplaceAll(idList(candidates), ",", " or "))
	}
	if up := slices.DeleteFunc(slices.Clone(p.Replicas), func(id int32) bool {
		return slices.Contains(candidates, id) || !s.isUp(id) || slices.Contains(p.OfflineReplicas, id)
	}); len(up) > 0 {
		d.next("if it is lost for good: milena cluster elect %s -p %d --unclean lets broker %s lead, and loses what only the others had", p.Topic, p.Partition, strings.ReplaceAll(idList(up), ",", " or "))
	}
}

func (d *explainedDoc) next(format string, args ...any) {
	d.Next = append(d.Next, fmt.Sprintf(format, args...))
}

func (a *app) printExplained(d explainedDoc, p *partitionStanding) error {
	since := ""
	if d.SinceMs >= 0 {
		t := time.Duration(d.SinceMs) * time.Millisecond
		since = fmt.Sprintf(" since %s (%s)", time.Now().Add(-t).Format(time.TimeOnly), duration(t.Round(100*time.Millisecond)))
	}
	head := map[string]string{
		"offline":       fmt.Sprintf("%s has no leader", p.name()),
		"under_min_isr": fmt.Sprintf("%s has %d of %d replicas in sync%s: fewer than min.insync.replicas", p.name(), len(p.ISR), len(p.Replicas), since),
		"not_preferred": fmt.Sprintf("%s is led by broker %d, and %d is preferred", p.name(), p.Leader, d.Preferred),
		"moving":        fmt.Sprintf("%s is on its way to other replicas", p.name()),
		"ok":            fmt.Sprintf("%s is as it should be", p.name()),
	}[d.State]
	if head == "" {
		head = fmt.Sprintf("%s has %d of %d replicas in sync%s", p.name(), len(p.ISR), len(p.Replicas), since)
	}
	leader := "none"
	if p.Leader >= 0 {
		leader = fmt.Sprint(p.Leader)
	}
	lines := []string{head, fmt.Sprintf("  leader %s   epoch %d   replicas %s   in sync %s", leader, p.LeaderEpoch, idList(p.Replicas), orNone(p.ISR))}
	if len(d.ELR) > 0 {
		lines[1] += "   eligible " + idList(d.ELR)
	}
	if len(p.adding)+len(p.removing) > 0 {
		lines = append(lines, fmt.Sprintf("  moving     to %s from %s", orNone(p.adding), orNone(p.removing)))
	}
	for _, m := range d.Missing {
		lines = append(lines, fmt.Sprintf("  missing    %d: %s", m.Node, m.Why))
	}
	lines = append(lines, "Effect: "+d.Effect+".")
	for _, n := range d.Next {
		lines = append(lines, "Do: "+n)
	}
	return a.line("%s", strings.Join(lines, "\n"))
}

func orNone(ids []int32) string {
	if len(ids) == 0 {
		return "none"
	}
	return idList(ids)
}
