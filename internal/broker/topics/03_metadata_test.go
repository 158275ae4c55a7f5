package topics

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/config"
	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/must"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
	"github.com/milena-io/milena/internal/world"
)

// plainly is what an area is set to.
type plainly struct{}

func (plainly) AutoCreate() bool            { return false }
func (plainly) DeleteEnabled() bool         { return true }
func (plainly) MaxDescribedPartitions() int { return 2000 }
func (plainly) TopicLayers() config.Layers  { return config.Layers{} }
func (plainly) ClusterID() string           { return "a cluster" }

// Clients are told of the brokers that are live, and when none is of all that are registered: never of nobody.
func TestMetadataTellsOfSomebody(t *testing.T) {
	for name, c := range map[string]struct {
		fenced []bool
		want   []int32
	}{
		"all are live":           {[]bool{false, false, false}, []int32{1, 2, 3}},
		"one is fenced":          {[]bool{false, true, false}, []int32{1, 3}},
		"all are fenced":         {[]bool{true, true, true}, []int32{1, 2, 3}},
		"the only one is fenced": {[]bool{true}, []int32{1}},
	} {
		img := image.Empty()
		for i, fenced := range c.fenced {
			img = must.Get(img.Apply(kafka.Offset(i), &staterecord.RegisterBroker{
				BrokerID: kafka.NodeID(i + 1), Fenced: fenced, Endpoints: []staterecord.Endpoint{{Name: "PLAINTEXT", Host: "h", Port: 9092}},
			}))
		}
		area := New(world.NewVirtual(1), func() *image.Image { return img }, nil, nil, plainly{})
		var got *kmsg.MetadataResponse
		body := kmsg.NewPtrMetadataRequest()
		body.Version, body.Topics = 12, []kmsg.MetadataRequestTopic{}
		area.Metadata(&wire.Request{Body: body, Peer: wire.Peer{Listener: "PLAINTEXT"}, Reply: func(r wire.Reply) { got = r.Message.(*kmsg.MetadataResponse) }})
		var told []int32
		for _, b := range got.Brokers {
			told = append(told, b.NodeID)
		}
		if len(told) != len(c.want) || got.ControllerID < 1 {
			t.Errorf("%s: clients are told of %v, and that %d controls; want %v", name, told, got.ControllerID, c.want)
			continue
		}
		for i := range told {
			if told[i] != c.want[i] {
				t.Errorf("%s: clients are told of %v, want %v", name, told, c.want)
			}
		}
	}
}
