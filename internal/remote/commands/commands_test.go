package commands_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/remote/commands"
	"github.com/milena-io/milena/internal/wire"
)

// travel is one command's way there and back.
type travel struct {
	command controller.Command
	reply   any // of the type that the command is answered with
	read    func(kmsg.Request) controller.Command
	answer  func(kmsg.Request, any, error) kmsg.Response
	version int16 // the newest
}

func travels() []travel {
	return []travel{
		{controller.RegisterBroker{}, controller.Registered{},
			func(m kmsg.Request) controller.Command {
				return commands.ReadRegisterBroker(m.(*kmsg.BrokerRegistrationRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerRegisterBroker(m.(*kmsg.BrokerRegistrationRequest), r, err)
			}, 4},
		{controller.Heartbeat{}, controller.Beat{},
			func(m kmsg.Request) controller.Command {
				return commands.ReadHeartbeat(m.(*kmsg.BrokerHeartbeatRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerHeartbeat(m.(*kmsg.BrokerHeartbeatRequest), r, err)
			}, 1},
		{controller.AlterPartition{}, []controller.AlteredPartition{},
			func(m kmsg.Request) controller.Command {
				return commands.ReadAlterPartition(m.(*kmsg.AlterPartitionRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerAlterPartition(m.(*kmsg.AlterPartitionRequest), r, err)
			}, 3},
		{controller.AssignReplicas{}, []controller.AssignedReplica{},
			func(m kmsg.Request) controller.Command {
				return commands.ReadAssignReplicas(m.(*kmsg.AssignReplicasToDirsRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerAssignReplicas(m.(*kmsg.AssignReplicasToDirsRequest), r, err)
			}, 0},
		{controller.AllocateProducerIDs{}, controller.ProducerIDs{},
			func(m kmsg.Request) controller.Command {
				return commands.ReadAllocateProducerIDs(m.(*kmsg.AllocateProducerIDsRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerAllocateProducerIDs(m.(*kmsg.AllocateProducerIDsRequest), r, err)
			}, 0},
		{controller.RegisterController{}, nil,
			func(m kmsg.Request) controller.Command {
				return commands.ReadRegisterController(m.(*kmsg.ControllerRegistrationRequest))
			},
			func(m kmsg.Request, r any, err error) kmsg.Response {
				return commands.AnswerRegisterController(m.(*kmsg.ControllerRegistrationRequest), r, err)
			}, 0},
	}
}

// dice fill values with chance. What Kafka's messages cannot tell apart is drawn one way: an array that may not be null is
// nil when it is empty, but for lists of nodes, which are never nil.
type dice struct{ *rand.Rand }

func (d dice) fill(v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Colocated" {
				d.fill(v.Field(i), name)
			}
		}
	case reflect.Pointer:
		if d.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			d.fill(v.Elem(), field)
		}
	case reflect.Slice:
		n := d.IntN(4)
		nullable := field == "Noted" || field == "Cordoned"
		if n == 0 && field != "ISR" && !(nullable && d.IntN(2) == 0) {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			d.fill(v.Index(i), "")
		}
	case reflect.Array:
		for i := range v.Len() {
			d.fill(v.Index(i), field)
		}
	case reflect.String:
		v.SetString(strings.Repeat("ö", d.IntN(5)))
	case reflect.Bool:
		v.SetBool(d.IntN(2) == 0)
	case reflect.Uint8, reflect.Uint16:
		v.SetUint(uint64(d.Uint32() & 0xff))
	default:
		v.SetInt(int64(d.Uint64()>>1) >> d.IntN(63))
	}
}

// some draws a value of a type.
func (d dice) some(like any) any {
	v := reflect.New(reflect.TypeOf(like)).Elem()
	d.fill(v, "")
	return v.Interface()
}

// settled makes of what was drawn what the messages can carry.
func (d dice) settled(v any) any {
	switch c := v.(type) {
	case controller.RegisterBroker:
		return c
	case controller.AlterPartition:
		for i := range c.Partitions { // an epoch for each member, or none at all
			w := &c.Partitions[i]
			if w.Epochs = nil; len(w.ISR) > 0 && d.IntN(2) == 0 {
				for range w.ISR {
					w.Epochs = append(w.Epochs, kafka.BrokerEpoch(d.IntN(9)))
				}
				w.Epochs[d.IntN(len(w.Epochs))] = 7
			}
		}
		return c
	}
	return v
}

// arrive is what stands at the other end of the wire: a table that decodes, as a listener has it, of pools that poison.
func arrive(t *testing.T, m kmsg.Request, version int16) kmsg.Request {
	t.Helper()
	key := kafka.APIKey(m.Key())
	table := wire.NewTable(map[kafka.APIKey]wire.Handler{key: func(*wire.Request) {}})
	api, _ := table.API(key)
	m.SetVersion(version)
	frame := m.AppendTo(wire.BeginRequest(nil, &api, version, 1, "c"))[4:]
	d, err := table.Decode(frame, func(int64) bool { return true })
	if err != nil {
		t.Fatalf("%v v%d: %v", key, version, err)
	}
	clear(frame) // it has gone back to its pool
	return d.Body
}

// back is the answer's way.
func back(t *testing.T, m kmsg.Response, version int16) kmsg.Response {
	t.Helper()
	m.SetVersion(version)
	out := kmsg.ResponseForKey(m.Key())
	out.SetVersion(version)
	if err := out.ReadFrom(m.AppendTo(nil)); err != nil {
		t.Fatalf("%v v%d: %v", kafka.APIKey(m.Key()), version, err)
	}
	return out
}

// TestWhatIsReadIsWhatWasWritten: every command that travels, with random values, and every reply.
func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(1, 2))}
	for _, tr := range travels() {
		for range 500 {
			want := d.settled(d.some(tr.command))
			asked := arrive(t, commands.Write("cluster", want), tr.version)
			if got := tr.read(asked); !reflect.DeepEqual(got, want) {
				t.Fatalf("%T:\ngot  %+v\nwant %+v", want, got, want)
			}
			var reply any
			if tr.reply != nil {
				reply = d.some(tr.reply)
			}
			got, err := commands.Reply(want, back(t, tr.answer(asked, reply, nil), tr.version))
			if err != nil || !reflect.DeepEqual(got, reply) {
				t.Fatalf("%T:\ngot  %+v, %v\nwant %+v", reply, got, err, reply)
			}
		}
	}
}

// TestRefusalsTravelWithTheirWords: code and sentence, also where Kafka's answer has no place for a sentence.
func TestRefusalsTravelWithTheirWords(t *testing.T) {
	for _, tr := range travels() {
		asked := arrive(t, commands.Write("cluster", tr.command), tr.version)
		for _, code := range []kafka.ErrorCode{kafka.ErrStaleBrokerEpoch, kafka.ErrNotController, kafka.ErrUnknownServerError} {
			answer := back(t, tr.answer(asked, nil, fault.New("x", code, "why %d", 1)), tr.version)
			_, err := commands.Reply(tr.command, answer)
			if m := fault.MessageOf(err); fault.CodeOf(err) != code || m == nil || *m != "why 1" {
				t.Errorf("%T: %v", tr.command, err)
			}
			if commands.NotController(answer) != (code == kafka.ErrNotController) {
				t.Errorf("%T refused with %v: not the controller %v", tr.command, code, commands.NotController(answer))
			}
		}
		answer := back(t, tr.answer(asked, nil, fault.Shutdown("quorum")), tr.version)
		if !commands.NotController(answer) {
			t.Errorf("%T: a controller that stops is still asked", tr.command)
		}
	}
}

// TestOlderVersionsSayLess: what a version has no field for is missing, and nothing else changes.
func TestOlderVersionsSayLess(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(3, 4))}
	for range 200 {
		wish := d.settled(d.some(controller.AlterPartition{})).(controller.AlterPartition)
		got := commands.ReadAlterPartition(arrive(t, commands.WriteAlterPartition(wish), 2).(*kmsg.AlterPartitionRequest))
		for i := range wish.Partitions {
			wish.Partitions[i].Epochs = nil
		}
		if !reflect.DeepEqual(got, wish) {
			t.Fatalf("AlterPartition v2:\ngot  %+v\nwant %+v", got, wish)
		}
		broker := d.some(controller.RegisterBroker{}).(controller.RegisterBroker)
		older := commands.ReadRegisterBroker(arrive(t, commands.WriteRegisterBroker("c", broker), 1).(*kmsg.BrokerRegistrationRequest))
		broker.LogDirs, broker.PreviousEpoch = nil, -1
		if !reflect.DeepEqual(older, broker) {
			t.Fatalf("BrokerRegistration v1:\ngot  %+v\nwant %+v", older, broker)
		}
	}
}

// TestCreatedTopicsComeInTheOrderAsked, whatever the order of the answer is.
func TestCreatedTopicsComeInTheOrderAsked(t *testing.T) {
	cmd := controller.CreateTopics{Topics: []controller.NewTopic{
		{Name: "b", Partitions: 3, Replicas: 2}, {Name: "a", Partitions: -1, Replicas: -1, Assignment: []controller.Assigned{{Partition: 0, Replicas: []kafka.NodeID{1, 2}}}},
	}}
	in := arrive(t, commands.WriteCreateTopics(cmd), 7).(*kmsg.CreateTopicsRequest)
	if len(in.Topics) != 2 || in.Topics[0].NumPartitions != 3 || in.Topics[1].ReplicaAssignment[0].Replicas[1] != 2 {
		t.Fatalf("%+v", in)
	}
	out := in.ResponseKind().(*kmsg.CreateTopicsResponse)
	why := "no room"
	for _, name := range []string{"a", "b"} {
		r := kmsg.NewCreateTopicsResponseTopic()
		r.Topic, r.TopicID, r.NumPartitions = name, [16]byte{name[0]}, 3
		if name == "b" {
			r.ErrorCode, r.ErrorMessage = int16(kafka.ErrPolicyViolation), &why
		}
		out.Topics = append(out.Topics, r)
	}
	reply, err := commands.Reply(cmd, back(t, out, 7))
	if err != nil {
		t.Fatal(err)
	}
	got := reply.([]controller.CreatedTopic)
	if got[0].Name != "b" || got[0].Code != kafka.ErrPolicyViolation || got[0].Message != why || got[1].ID != (kafka.TopicID{'a'}) || !got[1].OK() {
		t.Fatalf("%+v", got)
	}
	out.Topics = out.Topics[:1]
	if _, err := commands.Reply(cmd, out); err == nil {
		t.Fatal("a topic that the answer doesn't name is there")
	}
}

// TestWhatOnlyTheControllerGivesDoesNotTravel.
func TestWhatOnlyTheControllerGivesDoesNotTravel(t *testing.T) {
	for _, cmd := range []controller.Command{controller.Bootstrap{}, controller.BrokerDead{}, controller.ExpireSessions{}, controller.BalanceLeaders{}} {
		if m := commands.Write("c", cmd); m != nil {
			t.Errorf("%T travels as %T", cmd, m)
		}
	}
}

// TestTheShownOffsetTravels, and an answer of Apache Kafka's has none.
func TestTheShownOffsetTravels(t *testing.T) {
	m := kmsg.NewPtrEnvelopeResponse()
	if _, ok := commands.Shown(m); ok {
		t.Fatal("an offset from nowhere")
	}
	commands.SetShown(m, 77)
	if end, ok := commands.Shown(back(t, m, 0).(*kmsg.EnvelopeResponse)); !ok || end != 77 {
		t.Fatal(end, ok)
	}
}
