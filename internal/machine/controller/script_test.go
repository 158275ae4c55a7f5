package controller

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected outcomes in testdata")

// TestScripts runs testdata: each line is a command, the indented lines under it are the records that it caused, with what
// became of each partition, and what was refused.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text := string(must.Get(os.ReadFile(name)))
			got := (&script{lab: newLab(t)}).run(text)
			if *rewrite {
				must.OK(os.WriteFile(name, []byte(got), 0o644))
			} else if got != text {
				t.Fatalf("it went\n%s", firstDifference(text, got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			return strings.Join(g[max(0, i-3):min(len(g), i+4)], "\n") + fmt.Sprintf("\nfrom line %d on", i+1)
		}
	}
	return got
}

// script is a lab whose commands are words.
type script struct {
	*lab
	out         strings.Builder
	incarnation byte
}

func (s *script) run(text string) string {
	s.m.o.Rebalance = 5 * time.Minute
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") {
			continue // an outcome, written anew below
		}
		fmt.Fprintln(&s.out, line)
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, cmd := range s.commands(words) {
			reply, err := s.do(cmd)
			for _, r := range s.last {
				s.say("%s", s.record(r))
			}
			if err != nil {
				s.say("refused: %s %s", fault.CodeOf(err), *fault.MessageOf(err))
			}
			s.problems(reply)
		}
	}
	return s.out.String()
}

func (s *script) say(format string, args ...any) { fmt.Fprintf(&s.out, "  "+format+"\n", args...) }

func (s *script) problems(reply any) {
	say := func(what any, p Problem) {
		if !p.OK() {
			s.say("%v: %s %s", what, p.Code, p.Message)
		}
	}
	switch reply := reply.(type) {
	case Beat:
		if reply.MayShutdown {
			s.say("may shut down")
		}
	case []CreatedTopic:
		for _, t := range reply {
			say(t.Name, t.Problem)
		}
	case []AlteredPartition:
		for _, p := range reply {
			say(p.ID.Partition, p.Problem)
		}
	case []ElectedLeader:
		for _, e := range reply {
			say(e.TopicPartition, e.Problem)
		}
	case []AlteredReassignment:
		for _, r := range reply {
			say(r.TopicPartition, r.Problem)
		}
	case []AlteredConfig:
		for _, c := range reply {
			say(c.Name, c.Problem)
		}
	case []UpdatedFeature:
		for _, f := range reply {
			say(f.Name, f.Problem)
		}
	}
}

// record is a record in words.
func (s *script) record(r staterecord.Record) string {
	switch r := r.(type) {
	case *staterecord.PartitionChange:
		t := s.m.Committed().Topic(r.TopicID)
		return fmt.Sprintf("%s-%d: %s", t.Name, r.PartitionID, s.whole(t.Name, r.PartitionID))
	case *staterecord.Partition:
		t := s.m.Committed().Topic(r.TopicID)
		return fmt.Sprintf("%s-%d: %s", t.Name, r.PartitionID, s.whole(t.Name, r.PartitionID))
	case *staterecord.Topic:
		return "topic " + r.Name
	case *staterecord.RegisterBroker:
		return fmt.Sprintf("broker %d registered", r.BrokerID)
	case *staterecord.UnregisterBroker:
		return fmt.Sprintf("broker %d unregistered", r.BrokerID)
	case *staterecord.RegisterController:
		return fmt.Sprintf("controller %d registered", r.ControllerID)
	case *staterecord.BrokerRegistrationChange:
		switch {
		case r.Fenced == staterecord.FenceOff:
			return fmt.Sprintf("broker %d fenced", r.BrokerID)
		case r.Fenced == staterecord.Unfence:
			return fmt.Sprintf("broker %d unfenced", r.BrokerID)
		}
		return fmt.Sprintf("broker %d shuts down", r.BrokerID)
	case *staterecord.Config:
		if r.Value == nil {
			return fmt.Sprintf("%q has no %s", r.ResourceName, r.Name)
		}
		return fmt.Sprintf("%q has %s=%s", r.ResourceName, r.Name, *r.Value)
	case *staterecord.FeatureLevel:
		return fmt.Sprintf("%s is %d", r.Name, r.Level)
	}
	return fmt.Sprintf("%T", r)
}

// whole is all of a partition, with its reassignment.
func (s *script) whole(topic string, id int32) string {
	p, _ := s.m.Committed().TopicNamed(topic).Partition(id)
	out := s.partition(topic, id)
	if len(p.Adding()) > 0 {
		out += fmt.Sprint(" adding ", p.Adding())
	}
	if len(p.Removing()) > 0 {
		out += fmt.Sprint(" removing ", p.Removing())
	}
	return out
}

// commands reads one line.
func (s *script) commands(words []string) []any {
	rest := words[1:]
	switch words[0] {
	case "brokers": // registered and unfenced
		var all []any
		for _, w := range rest {
			s.start(node(w))
		}
		return all
	case "topic": // name, replicas of each partition, configs
		return []any{s.newTopic(rest)}
	case "beat":
		return []any{s.heartbeat(node(rest[0]))}
	case "shutdown":
		h := s.heartbeat(node(rest[0]))
		h.WantShutdown = true
		return []any{h}
	case "fence":
		h := s.heartbeat(node(rest[0]))
		h.WantFence = true
		return []any{h}
	case "dead":
		return []any{BrokerDead{Broker: node(rest[0]), Epoch: s.epoch(node(rest[0]))}}
	case "dead-before": // the incarnation before this one
		return []any{BrokerDead{Broker: node(rest[0]), Epoch: s.epoch(node(rest[0])) - 1}}
	case "start": // again, after a stop that was clean, unclean, proven, or on a disk that was wiped or restored
		r := s.incarnate(node(rest[0]), rest[1:])
		if slices.Contains(rest, "wiped") || slices.Contains(rest, "restored") {
			return []any{r, r} // who may be an older process is to ask twice
		}
		return []any{r}
	case "late": // what an earlier process asked for comes, whose disk knew of nobody who registered since
		r := s.incarnate(node(rest[0]), []string{"restored"})
		return []any{r}
	case "unregister":
		return []any{UnregisterBroker{Broker: node(rest[0])}}
	case "isr":
		return []any{s.wish(rest[0], rest[1], false)}
	case "settled": // with this ISR
		return []any{s.wish(rest[0], rest[1], true)}
	case "elect":
		return []any{s.election(rest)}
	case "reassign":
		return []any{s.reassignment(rest)}
	case "grow":
		return []any{CreatePartitions{Topics: []GrowTopic{{Name: rest[0], Count: int32(must.Get(strconv.Atoi(rest[1])))}}}}
	case "config":
		return []any{s.config(rest)}
	case "feature": // name, level, the wire's upgrade type
		level, kind := must.Get(strconv.Atoi(rest[1])), must.Get(strconv.Atoi(rest[2]))
		return []any{UpdateFeatures{Features: []FeatureUpdate{{rest[0], int16(level), int8(kind)}}}}
	case "controller":
		return []any{s.controllerNamed(rest)}
	case "wait": // while all brokers but those named keep their sessions
		return s.wait(must.Get(time.ParseDuration(rest[0])), rest[1:])
	}
	s.t.Fatalf("no command %q", words[0])
	return nil
}

func node(word string) kafka.NodeID { return kafka.NodeID(must.Get(strconv.Atoi(word))) }

func nodeList(word string) []kafka.NodeID {
	var ids []kafka.NodeID
	for _, w := range strings.Split(word, ",") {
		ids = append(ids, node(w))
	}
	return ids
}

func partitionNamed(word string) kafka.TopicPartition {
	i := strings.LastIndexByte(word, '-')
	return kafka.TopicPartition{Topic: word[:i], Partition: int32(must.Get(strconv.Atoi(word[i+1:])))}
}

func (s *script) heartbeat(id kafka.NodeID) Heartbeat {
	return Heartbeat{Broker: id, Epoch: s.epoch(id), MetadataOffset: s.next - 1}
}

func (s *script) newTopic(words []string) CreateTopics {
	n := NewTopic{ID: topicID(words[0]), Name: words[0], Partitions: -1, Replicas: -1}
	for _, w := range words[1:] {
		if name, value, ok := strings.Cut(w, "="); ok {
			n.Configs = append(n.Configs, ConfigSet{name, &value})
		} else {
			n.Assignment = append(n.Assignment, Assigned{int32(len(n.Assignment)), nodeList(w)})
		}
	}
	return CreateTopics{Topics: []NewTopic{n}}
}

func (s *script) incarnate(id kafka.NodeID, how []string) RegisterBroker {
	s.incarnation++
	r := registration(id, 100+s.incarnation)
	r.PreviousEpoch = -1
	last := s.epoch(id)
	for _, h := range how {
		switch h {
		case "clean":
			r.PreviousEpoch = last
		case "proven":
			r.Dead = last
		case "wiped":
			r.LogDirs[0][1]++
		case "restored":
			r.Noted = [][]kafka.IncarnationID{{{0: 0xee}}}
		case "same-disk":
			r.Noted = [][]kafka.IncarnationID{{{0: 0xee}, s.m.Committed().Broker(id).Incarnation}}
		default:
			s.t.Fatalf("start %s", h)
		}
	}
	return r
}

func (s *script) wish(partition, isr string, settled bool) AlterPartition {
	tp := partitionNamed(partition)
	t := s.m.Committed().TopicNamed(tp.Topic)
	if t == nil {
		s.t.Fatalf("no topic %s after\n%s", tp.Topic, s.out.String())
	}
	p, _ := t.Partition(tp.Partition)
	if p.Leader == kafka.NoNode {
		s.t.Fatalf("no leader of %s after\n%s", partition, s.out.String())
	}
	return AlterPartition{Broker: p.Leader, Epoch: s.epoch(p.Leader), Partitions: []PartitionWish{{
		ID:          kafka.TopicIDPartition{TopicID: t.ID, Partition: tp.Partition},
		LeaderEpoch: p.LeaderEpoch, PartitionEpoch: p.PartitionEpoch, ISR: nodeList(isr), Settled: settled,
	}}}
}

func (s *script) election(words []string) ElectLeaders {
	c := ElectLeaders{Unclean: words[0] == "unclean", All: len(words) == 1}
	if id, ok := strings.CutPrefix(words[0], "last="); ok {
		c.Unclean, c.Last = true, &nodeList(id)[0]
	}
	for _, w := range words[1:] {
		c.Partitions = append(c.Partitions, partitionNamed(w))
	}
	return c
}

// reassignment reads partition and replicas, by turns; "same-factor" first refuses another number of replicas.
func (s *script) reassignment(words []string) AlterReassignments {
	c := AlterReassignments{AllowFactorChange: words[0] != "same-factor"}
	if !c.AllowFactorChange {
		words = words[1:]
	}
	for pair := range slices.Chunk(words, 2) {
		r := Reassignment{TopicPartition: partitionNamed(pair[0])}
		switch pair[1] {
		case "cancel":
		case "nobody":
			r.Replicas = []kafka.NodeID{}
		default:
			r.Replicas = nodeList(pair[1])
		}
		c.Partitions = append(c.Partitions, r)
	}
	return c
}

func (s *script) config(words []string) AlterConfigs {
	a := alter(ofTopic, words[0], words[1:]...)
	if rest, ok := strings.CutPrefix(words[0], "broker:"); ok {
		a.Type, a.Name = ofBroker, rest
	}
	return AlterConfigs{Resources: []AlterResource{a}}
}

func (s *script) controllerNamed(words []string) RegisterController {
	c := RegisterController{Controller: node(words[0]), Incarnation: kafka.IncarnationID{1}, Features: slices.Clone(options().Supported)}
	for _, w := range words[1:] {
		name, level, _ := strings.Cut(w, "=")
		i := slices.IndexFunc(c.Features, func(f staterecord.FeatureRange) bool { return f.Name == name })
		c.Features[i].Max = int16(must.Get(strconv.Atoi(level)))
	}
	return c
}

// wait lets time pass in steps in which brokers send heartbeats, and returns what is due then.
func (s *script) wait(long time.Duration, silent []string) []any {
	for end := s.now.Add(long); s.now.Mono < end.Mono; {
		s.now = s.now.Add(min(time.Second, end.Mono-s.now.Mono))
		for b := range s.m.Committed().Brokers() {
			if !slices.Contains(silent, strconv.Itoa(int(b.ID))) && !b.Fenced {
				s.do(s.heartbeat(b.ID))
			}
		}
	}
	return s.m.Due(s.now)
}
