package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// clusterState is the cluster as one look found it.
type clusterState struct {
	id         string
	brokers    []brokerState       // by id
	partitions []partitionStanding // by topic and number
	quorum     *quorumState        // nil where nobody tells, which quorumErr explains
	quorumErr  error
	look       time.Time
}

// brokerState is one broker; a name that only stands in lists of replicas is one that is down.
type brokerState struct {
	id   int32
	addr string // "?" when nobody tells
	rack string // "" for none
	up   bool   // registered, and not fenced
}

// partitionStanding is one partition as the metadata has it.
type partitionStanding struct {
	kadm.PartitionDetail
	adding, removing []int32
}

// quorumState is the metadata quorum.
type quorumState struct {
	kmsg.DescribeQuorumResponseTopicPartition
	nodes []kmsg.DescribeQuorumResponseNode
}

// lookAround asks for all of it.
func lookAround(ctx context.Context, c *kgo.Client, adm *kadm.Client) (*clusterState, error) {
	s := &clusterState{look: time.Now()}
	topics, err := adm.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	s.id = topics.Cluster
	if err := s.readBrokers(ctx, c, topics.Brokers); err != nil {
		return nil, err
	}
	s.quorum, s.quorumErr = askQuorum(ctx, c)
	moves := map[string]move{}
	if !errors.Is(s.quorumErr, errNoController) { // who would know is not there
		if moves, err = listMoves(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, t := range topics.Topics.Sorted() {
		for _, p := range t.Partitions.Sorted() {
			m := moves[partitionName(p.Topic, p.Partition)]
			s.partitions = append(s.partitions, partitionStanding{p, m.AddingReplicas, m.RemovingReplicas})
			for _, id := range p.Replicas {
				s.noteBroker(id)
			}
		}
	}
	slices.SortFunc(s.brokers, func(a, b brokerState) int { return cmp.Compare(a.id, b.id) })
	return s, nil
}

// readBrokers takes who is there, and of brokers that tell it who is registered and fenced.
func (s *clusterState) readBrokers(ctx context.Context, c *kgo.Client, live kadm.BrokerDetails) error {
	for _, b := range live {
		s.brokers = append(s.brokers, brokerState{b.NodeID, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), orEmptyText(b.Rack), true})
	}
	request := func() kmsg.Request {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.IncludeFencedBrokers = true
		return req
	}
	resp, err := askAny(ctx, c, request, func(r *kmsg.DescribeClusterResponse) int16 { return r.ErrorCode })
	if err != nil {
		return err
	}
	for _, b := range resp.Brokers {
		if known := s.broker(b.NodeID); known != nil {
			known.up = !b.IsFenced // while all are fenced, clients are told of all
			continue
		}
		if b.IsFenced {
			s.brokers = append(s.brokers, brokerState{b.NodeID, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))), orEmptyText(b.Rack), false})
		}
	}
	return nil
}

func orEmptyText(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (s *clusterState) noteBroker(id int32) {
	if s.broker(id) == nil {
		s.brokers = append(s.brokers, brokerState{id: id, addr: "?"})
	}
}

// broker is one by its id, nil for none.
func (s *clusterState) broker(id int32) *brokerState {
	for i := range s.brokers {
		if s.brokers[i].id == id {
			return &s.brokers[i]
		}
	}
	return nil
}

// up is the ids of the brokers that are up.
func (s *clusterState) up() (ids []int32) {
	for _, b := range s.brokers {
		if b.up {
			ids = append(ids, b.id)
		}
	}
	return ids
}

func (s *clusterState) isUp(id int32) bool {
	b := s.broker(id)
	return b != nil && b.up
}

// missing is how many replicas are not in sync, leaving out those that a move is still bringing.
func (p *partitionStanding) missing() (out []int32) {
	for _, id := range p.Replicas {
		if !slices.Contains(p.ISR, id) && !slices.Contains(p.adding, id) {
			out = append(out, id)
		}
	}
	return out
}

func (p *partitionStanding) name() string { return partitionName(p.Topic, p.Partition) }

// preferred is who leads where nothing is in the way, -1 for a partition without replicas.
func (p *partitionStanding) preferred() int32 {
	if len(p.Replicas) == 0 {
		return -1
	}
	return p.Replicas[0]
}

func partitionName(topic string, partition int32) string {
	return topic + "-" + strconv.Itoa(int(partition))
}

// move is a partition on its way to other replicas.
type move = kmsg.ListPartitionReassignmentsResponseTopicPartition

// listMoves asks what is on its way, by partition.
func listMoves(ctx context.Context, c *kgo.Client) (map[string]move, error) {
	request := func() kmsg.Request { return kmsg.NewPtrListPartitionReassignmentsRequest() }
	resp, err := askAny(ctx, c, request, func(r *kmsg.ListPartitionReassignmentsResponse) int16 { return r.ErrorCode })
	if err != nil {
		return nil, err
	}
	if err := coded(resp.ErrorCode, resp.ErrorMessage, "asking what is moving"); err != nil {
		return nil, err
	}
	out := map[string]move{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			out[partitionName(t.Topic, p.Partition)] = p
		}
	}
	return out, nil
}

// askQuorum asks how the metadata quorum stands.
func askQuorum(ctx context.Context, c *kgo.Client) (*quorumState, error) {
	resp, err := quorumAnswer(ctx, c)
	if err != nil {
		return nil, err
	}
	q := &quorumState{resp.Topics[0].Partitions[0], resp.Nodes}
	slices.SortFunc(q.CurrentVoters, func(a, b voterState) int { return cmp.Compare(a.ReplicaID, b.ReplicaID) })
	slices.SortFunc(q.Observers, func(a, b voterState) int { return cmp.Compare(a.ReplicaID, b.ReplicaID) })
	return q, nil
}

type voterState = kmsg.DescribeQuorumResponseTopicPartitionReplicaState

// now is the leader's clock, by which the others' times are told: this machine's may be another.
func (q *quorumState) now() int64 {
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == q.LeaderID {
			return max(v.LastFetchTimestamp, v.LastCaughtUpTimestamp)
		}
	}
	return -1
}

// end is where the leader's log ends.
func (q *quorumState) end() int64 {
	for _, v := range q.CurrentVoters {
		if v.ReplicaID == q.LeaderID {
			return v.LogEndOffset
		}
	}
	return q.HighWatermark
}

// voterSilent is after what time without a word a voter counts as away: several times what keeps them in touch.
const voterSilent = 5 * time.Second

// since is how long ago a time of the answer was by the leader's clock, negative when it is not known.
func (q *quorumState) since(ms int64) time.Duration {
	if now := q.now(); ms >= 0 && now >= 0 {
		return max(0, time.Duration(now-ms)*time.Millisecond)
	}
	return -1
}

// away reports whether a voter or observer is silent, or has not been heard by this leader.
func (q *quorumState) away(v *voterState) bool {
	if v.ReplicaID == q.LeaderID {
		return false
	}
	d := q.since(v.LastFetchTimestamp)
	return d < 0 || d > voterSilent
}

// endpoint is where a voter is reached, "?" when the answer does not say.
func (q *quorumState) endpoint(id int32) string {
	for _, n := range q.nodes {
		if n.NodeID == id && len(n.Listeners) > 0 {
			l := n.Listeners[0]
			return net.JoinHostPort(l.Host, strconv.Itoa(int(l.Port)))
		}
	}
	return "?"
}

// minISRs is min.insync.replicas of topics.
func minISRs(ctx context.Context, c *kgo.Client, topics []string) (map[string]int, error) {
	out := map[string]int{}
	if len(topics) == 0 {
		return out, nil
	}
	request := func() kmsg.Request {
		req := kmsg.NewPtrDescribeConfigsRequest()
		for _, t := range topics {
			r := kmsg.NewDescribeConfigsRequestResource()
			r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, t, []string{"min.insync.replicas"}
			req.Resources = append(req.Resources, r)
		}
		return req
	}
	resp, err := askAny(ctx, c, request, func(*kmsg.DescribeConfigsResponse) int16 { return 0 })
	if err != nil {
		return nil, err
	}
	for _, r := range resp.Resources {
		err := coded(r.ErrorCode, r.ErrorMessage, "asking for the configs of %s", r.ResourceName)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) { // it was deleted meanwhile
			return nil, err
		}
		for _, c := range r.Configs {
			if c.Value == nil {
				continue
			}
			if out[r.ResourceName], err = strconv.Atoi(*c.Value); err != nil {
				return nil, fmt.Errorf("%s of %s: %w", c.Name, r.ResourceName, err)
			}
		}
	}
	return out, nil
}

// least is how many replicas of a partition have to be in sync for acks=all, which cannot be more than it has (KIP-966).
func (p *partitionStanding) least(minISR map[string]int) int {
	return min(max(1, minISR[p.Topic]), max(1, len(p.Replicas)))
}

// few joins at most so many names.
func few(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
