package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// readyDoc is what `ready -o json` prints.
type readyDoc struct {
	doc
	Ready      bool   `json:"ready"`
	Reason     string `json:"reason"` // why not, "" when ready
	Brokers    int    `json:"brokers"`
	Controller int32  `json:"controller"` // the node that leads the quorum, -1 unknown
}

// readyPause is how long --wait waits between two looks.
const readyPause = 100 * time.Millisecond

func (a *app) readyCommand() *cobra.Command {
	var wait time.Duration
	c := a.command(spec{
		use: "ready", short: "Exit 0 when the cluster serves clients (health checks)",
		long: `Exits 0 when the server answers, a broker is registered and unfenced, and a controller leads.
Otherwise 1, or 3 when nothing answers at the address.`,
		example: "  milena ready -b 127.0.0.1:9092 --wait 30s",
		doc:     readyDoc{},
		run: func(ctx context.Context, _ []string) error {
			deadline := time.Now().Add(wait)
			for {
				d, err := a.look(ctx)
				left := time.Until(deadline)
				if d.Ready || left <= 0 || ctx.Err() != nil {
					return a.tellReady(ctx, d, err)
				}
				select {
				case <-ctx.Done():
				case <-time.After(min(readyPause, left)):
				}
			}
		},
	})
	c.Flags().DurationVar(&wait, "wait", 0, "go on looking for so long")
	return c
}

func (a *app) tellReady(ctx context.Context, d readyDoc, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if a.asJSON() {
		if err := a.json(d); err != nil {
			return err
		}
		if err == nil && !d.Ready {
			return &failure{exit: exitFailed, told: true}
		}
		return err
	}
	if err != nil {
		return err
	}
	if !d.Ready {
		return failed("NOT_READY", "not ready: %s", d.Reason).try("milena ready --wait 30s waits for it")
	}
	return a.line("ready")
}

// look asks once. The error is that nothing answers.
func (a *app) look(ctx context.Context) (readyDoc, error) {
	d := readyDoc{doc: newDoc("ready"), Controller: -1}
	c, err := a.connect(ctx)
	if err != nil {
		d.Reason = a.asFailure(err).message
		return d, err
	}
	defer c.Close()
	within, cancel := context.WithTimeout(ctx, a.flags.timeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	meta, err := req.RequestWith(within, c)
	if err != nil {
		d.Reason = "no answer to Metadata: " + err.Error()
		return d, nil
	}
	d.Brokers = len(meta.Brokers) // fenced ones are not listed
	if d.Brokers == 0 {
		d.Reason = "no broker is registered and unfenced"
		return d, nil
	}
	leader, err := quorumLeader(within, c)
	switch {
	case err == nil:
		d.Controller = leader
	case errors.Is(err, kerr.ClusterAuthorizationFailed): // a controller has answered
		d.Controller = meta.ControllerID
	case errors.Is(err, errNoController):
		d.Reason = err.Error()
		return d, nil
	default:
		d.Reason = "no controller answers: " + err.Error()
		return d, nil
	}
	if d.Controller < 0 {
		d.Reason = "no controller leads"
		return d, nil
	}
	d.Ready = true
	return d, nil
}

// quorumLeader asks who leads the metadata quorum. The controller id of Metadata would not tell: in KRaft it is any broker.
func quorumLeader(ctx context.Context, c *kgo.Client) (int32, error) {
	q, err := describeQuorum(ctx, c)
	if err != nil {
		return -1, err
	}
	return q.LeaderID, nil
}

func describeQuorum(ctx context.Context, c *kgo.Client) (*kmsg.DescribeQuorumResponseTopicPartition, error) {
	resp, err := quorumAnswer(ctx, c)
	if err != nil {
		return nil, err
	}
	return &resp.Topics[0].Partitions[0], nil
}

// quorumAnswer asks for the metadata quorum; the answer is of one partition. It asks by connections of its own: behind a change that nobody
// carries out its question would wait, and behind the question, while no controller answers, everything else.
func quorumAnswer(ctx context.Context, c *kgo.Client) (*kmsg.DescribeQuorumResponse, error) {
	request := func() kmsg.Request {
		req := kmsg.NewPtrDescribeQuorumRequest()
		topic := kmsg.NewDescribeQuorumRequestTopic()
		topic.Topic = "__cluster_metadata"
		topic.Partitions = []kmsg.DescribeQuorumRequestTopicPartition{kmsg.NewDescribeQuorumRequestTopicPartition()}
		req.Topics = append(req.Topics, topic)
		return req
	}
	aside, err := kgo.NewClient(c.Opts()...)
	if err != nil {
		return nil, err
	}
	defer aside.Close()
	if err := aside.Ping(ctx); err != nil {
		return nil, err
	}
	resp, err := askAny(ctx, aside, request, func(r *kmsg.DescribeQuorumResponse) int16 {
		if r.ErrorCode == 0 && len(r.Topics) == 1 && len(r.Topics[0].Partitions) == 1 {
			return r.Topics[0].Partitions[0].ErrorCode
		}
		return r.ErrorCode
	})
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, errors.New("an empty answer to DescribeQuorum")
	}
	p := &resp.Topics[0].Partitions[0]
	err = kerr.ErrorForCode(p.ErrorCode)
	if errors.Is(err, kerr.NotLeaderForPartition) && p.LeaderID >= 0 {
		return nil, fmt.Errorf("node %d leads it, and was not reached", p.LeaderID)
	}
	return resp, err
}
