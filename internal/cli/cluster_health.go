package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena/internal/kafka"
)

// healthDoc is what `cluster health -o json` prints.
type healthDoc struct {
	doc
	Healthy         bool      `json:"healthy"`
	Brokers         int       `json:"brokers"`
	BrokersUp       int       `json:"brokers_up"`
	Controller      int32     `json:"controller"` // the node that leads the quorum, -1 unknown
	Voters          int       `json:"voters"`
	VotersAway      int       `json:"voters_away"`
	Partitions      int       `json:"partitions"`
	UnderReplicated int       `json:"under_replicated"`
	Offline         int       `json:"offline"`
	UnderMinISR     int       `json:"under_min_isr"`
	Moving          int       `json:"moving"` // partitions on their way to other replicas, which is no fault
	Findings        []finding `json:"findings"`
}

// finding is one thing that is not as it should be.
type finding struct {
	Kind    string   `json:"kind"`    // no_controller, voter_away, broker_down, broker_silent, offline, under_min_isr, under_replicated, log_dir_offline
	Subject []string `json:"subject"` // partitions, or the number of a node
	Text    string   `json:"text"`
}

func (a *app) clusterHealth() *cobra.Command {
	var wait time.Duration
	c := a.command(spec{
		use: "health", short: "Exit 0 when every broker is up, the quorum is full and every replica in sync",
		long: `Tells what is not as it should be: brokers that are down, voters of the metadata quorum that are away, partitions
without a leader, with fewer replicas in sync than min.insync.replicas, or with a replica that is not in sync, log
directories that are offline. Ends with status 4 when there is any of it.`,
		example: "  milena cluster health --wait 5m    # before the next node is stopped",
		doc:     healthDoc{},
		run: func(ctx context.Context, _ []string) error {
			d, err := a.healthWithin(ctx, wait)
			if err != nil {
				return err
			}
			if a.asJSON() {
				err = a.json(d)
			} else {
				err = a.printHealth(d)
			}
			if err == nil && !d.Healthy {
				return &failure{exit: exitFound, told: true, message: "the cluster is unhealthy"}
			}
			return err
		},
	})
	c.Flags().DurationVar(&wait, "wait", 0, "go on looking for so long until all is well")
	return c
}

// healthPause is how long --wait waits between two looks.
const healthPause = 250 * time.Millisecond

// healthWithin looks until all is well, or the time is over; nobody who answers is then the failure.
func (a *app) healthWithin(ctx context.Context, wait time.Duration) (d healthDoc, err error) {
	began, told := time.Now(), ""
	for deadline := began.Add(wait); ; {
		err = a.admin(ctx, func(ctx context.Context, c *kgo.Client, adm *kadm.Client) error {
			s, err := lookAround(ctx, c, adm)
			if err == nil {
				d, err = healthOf(ctx, c, s)
			}
			return err
		})
		left := time.Until(deadline)
		if err == nil && d.Healthy || left <= 0 || ctx.Err() != nil {
			return d, err
		}
		if why := d.inShort(err); why != told && time.Since(began) > time.Second {
			a.note("not well yet, waiting up to %s: %s", duration(left.Round(time.Second)), why)
			told = why
		}
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-time.After(min(healthPause, left)):
		}
	}
}

// inShort is what a look found by kinds, or why there was none: it changes when something comes or goes, and not with every partition.
func (d *healthDoc) inShort(err error) string {
	if err != nil {
		return err.Error()
	}
	words := []string{}
	for _, f := range d.Findings {
		word := strings.ReplaceAll(f.Kind, "_", " ")
		if f.Kind == "voter_away" || f.Kind == "broker_down" || f.Kind == "broker_silent" {
			word += " " + strings.Join(f.Subject, ",")
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// healthOf judges what a look found.
func healthOf(ctx context.Context, c *kgo.Client, s *clusterState) (healthDoc, error) {
	d := healthDoc{doc: newDoc("cluster.health"), Controller: -1, Brokers: len(s.brokers), Partitions: len(s.partitions), Findings: []finding{}}
	d.judgeQuorum(s)
	d.judgeBrokers(s)
	var suspects []string
	for i := range s.partitions {
		if p := &s.partitions[i]; len(p.missing()) > 0 && !slices.Contains(suspects, p.Topic) {
			suspects = append(suspects, p.Topic)
		}
	}
	least, err := minISRs(ctx, c, suspects)
	if err != nil {
		return d, err
	}
	d.judgePartitions(s, least)
	all, err := askHeld(ctx, c, s.up())
	if err != nil {
		return d, err
	}
	for _, id := range s.up() {
		if all[id].silent {
			d.find("broker_silent", []string{fmt.Sprint(id)}, "broker %d  up by the metadata, and it does not answer (%s)", id, s.broker(id).addr)
		}
		for _, dir := range dirsTold(all[id]) {
			if dir.Offline {
				d.find("log_dir_offline", []string{fmt.Sprint(id)}, "broker %d  its log directory %s is offline", id, dir.Path)
			}
		}
	}
	d.Healthy = len(d.Findings) == 0
	return d, nil
}

func (d *healthDoc) find(kind string, subject []string, format string, args ...any) {
	d.Findings = append(d.Findings, finding{kind, subject, fmt.Sprintf(format, args...)})
}

func (d *healthDoc) judgeQuorum(s *clusterState) {
	if s.quorum == nil || s.quorum.LeaderID < 0 {
		why := "nobody leads it"
		switch {
		case errors.Is(s.quorumErr, kerr.NotLeaderForPartition): // what a voter answers that knows no leader
			why += "; more than half of its voters have to be up"
		case s.quorumErr != nil:
			why = s.quorumErr.Error()
		}
		d.find("no_controller", []string{}, "the metadata quorum: %s; of brokers and partitions this is how it was when somebody led it last", why)
		return
	}
	d.Controller, d.Voters = s.quorum.LeaderID, len(s.quorum.CurrentVoters)
	for i := range s.quorum.CurrentVoters {
		v := &s.quorum.CurrentVoters[i]
		if !s.quorum.away(v) {
			continue
		}
		d.VotersAway++
		heard := "this leader has not heard it"
		if t := s.quorum.since(v.LastFetchTimestamp); t >= 0 {
			heard = "last heard " + ago(t)
		}
		if slices.ContainsFunc(s.quorum.Observers, func(o voterState) bool { return o.ReplicaID == v.ReplicaID }) {
			heard += fmt.Sprintf("; node %d is there with another directory, and without a vote: kafka-metadata-quorum remove-controller "+
				"--controller-id %d --controller-directory-id %s, and add-controller with the node's properties", v.ReplicaID, v.ReplicaID, kafka.UUID(v.ReplicaDirectoryID))
		}
		d.find("voter_away", []string{fmt.Sprint(v.ReplicaID)}, "voter %d  away from the metadata quorum: %s", v.ReplicaID, heard)
	}
}

func (d *healthDoc) judgeBrokers(s *clusterState) {
	for _, b := range s.brokers {
		if b.up {
			d.BrokersUp++
			continue
		}
		d.find("broker_down", []string{fmt.Sprint(b.id)}, "broker %d  down (%s)", b.id, b.addr)
	}
}

// judgePartitions tells of partitions by what is wrong with them, the gravest alone.
func (d *healthDoc) judgePartitions(s *clusterState, least map[string]int) {
	var offline, under, behind []string
	var missing []int32
	for i := range s.partitions {
		p := &s.partitions[i]
		if len(p.adding)+len(p.removing) > 0 {
			d.Moving++
		}
		gone := p.missing()
		if len(gone) > 0 {
			d.UnderReplicated++
		}
		switch {
		case p.Leader < 0:
			d.Offline++
			offline = append(offline, p.name())
		case len(gone) > 0 && len(p.ISR) < p.least(least):
			d.UnderMinISR++
			under = append(under, p.name())
		case len(gone) > 0:
			behind = append(behind, p.name())
			missing = append(missing, gone...)
		}
	}
	const most = 6
	if len(offline) > 0 {
		d.find("offline", offline, "%s  no leader: neither written nor read", few(offline, most))
	}
	if len(under) > 0 {
		d.find("under_min_isr", under, "%s  fewer in sync than min.insync.replicas: acks=all is refused", few(under, most))
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	if len(behind) > 0 {
		d.find("under_replicated", behind, "%s  missing %s %s", few(behind, most), pluralWord(len(missing), "replica"), idList(missing))
	}
}

func (a *app) printHealth(d healthDoc) error {
	quorum := fmt.Sprintf("quorum %d of %d", d.Voters-d.VotersAway, d.Voters)
	if d.Controller >= 0 {
		quorum += fmt.Sprintf(", led by %d", d.Controller)
	} else {
		quorum = "no controller"
	}
	moving := ""
	if d.Moving > 0 {
		moving = fmt.Sprintf(" · %d moving", d.Moving)
	}
	if d.Healthy {
		return a.line("healthy   %s · %s · %s, all in sync%s", plural(int64(d.Brokers), "broker"), quorum, plural(int64(d.Partitions), "partition"), moving)
	}
	err := a.line("unhealthy   %d of %s up · %s · of %s %d under-replicated, %d offline, %d under min ISR%s", d.BrokersUp, plural(int64(d.Brokers), "broker"),
		quorum, plural(int64(d.Partitions), "partition"), d.UnderReplicated, d.Offline, d.UnderMinISR, moving)
	for _, f := range d.Findings {
		if err == nil {
			err = a.line("  %s", f.Text)
		}
	}
	for _, f := range d.Findings {
		if kind := f.Kind; err == nil && (kind == "offline" || kind == "under_min_isr" || kind == "under_replicated") {
			at := strings.LastIndexByte(f.Subject[0], '-')
			return a.line("  next: milena explain partition %s %s", f.Subject[0][:at], f.Subject[0][at+1:])
		}
	}
	return err
}
