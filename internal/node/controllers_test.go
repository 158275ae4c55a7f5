package node

import (
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
)

// A listener of controllers offers what the active controller answers (KIP-919), describes controllers, and serves no records.
func TestTheListenerOfControllers(t *testing.T) {
	r := newRig(t, "listeners", "PLAINTEXT://one:9092,CONTROLLER://one:9094")
	l := r.connect("CONTROLLER")
	offered := map[kafka.APIKey]bool{}
	for _, k := range askOn[*kmsg.ApiVersionsResponse](l, kmsg.NewPtrApiVersionsRequest()).ApiKeys {
		offered[kafka.APIKey(k.ApiKey)] = true
	}
	for key, want := range map[kafka.APIKey]bool{
		kafka.KeyApiVersions: true, kafka.KeyCreateTopics: true, kafka.KeyDescribeQuorum: true, kafka.KeyDescribeCluster: true,
		kafka.KeyIncrementalAlterConfigs: true, kafka.KeyUpdateFeatures: true,
		kafka.KeyFetch: true, kafka.KeyAddRaftVoter: true, kafka.KeyBrokerRegistration: true,
		kafka.KeyProduce: false, kafka.KeyMetadata: false, kafka.KeyListGroups: false, kafka.KeyDescribeLogDirs: false,
	} {
		if offered[key] != want {
			t.Errorf("%v is offered: %v", key, offered[key])
		}
	}
	describe := func(kind int8) *kmsg.DescribeClusterResponse {
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = 1, kind
		return askOn[*kmsg.DescribeClusterResponse](l, req)
	}
	got := describe(2)
	if len(got.Brokers) != 1 || got.EndpointType != 2 || got.ControllerID != 1 || got.ClusterID != r.n.ClusterID() {
		t.Fatalf("%+v", got)
	}
	if b := got.Brokers[0]; b.NodeID != 1 || b.Host != "one" || b.Port != 9094 {
		t.Errorf("the controller is %+v", b)
	}
	got = describe(1)
	wantCode(t, got.ErrorCode, kafka.ErrMismatchedEndpointType)
	if said(got.ErrorMessage) != "The request was sent to an endpoint of type CONTROLLER, but we wanted an endpoint of type BROKER" {
		t.Errorf("it says %q", said(got.ErrorMessage))
	}
	wantCode(t, describe(7).ErrorCode, kafka.ErrUnsupportedEndpointType)

	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version, req.TimeoutMillis = 7, 1000
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "made", 1, 1
	req.Topics = append(req.Topics, topic)
	wantCode(t, askOn[*kmsg.CreateTopicsResponse](l, req).Topics[0].ErrorCode, kafka.ErrNone)
	wantCode(t, r.write("made", 0, plain("x")).ErrorCode, kafka.ErrNone)
	l.send(kmsg.NewPtrMetadataRequest())
	if f := l.receive(time.Minute); f != nil {
		t.Error("a controller answers Metadata")
	}
}

// It is bound beside the others, its port is told to voters, and it is given back with the node.
func TestTheListenerOfControllersHasASocket(t *testing.T) {
	var addr net.Addr
	t.Run("open", func(t *testing.T) {
		s := newStation(t, "listeners=PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:0")
		addr = s.n.Addr("CONTROLLER")
		nc, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		c := &caller{t, nc}
		req := kmsg.NewPtrDescribeClusterRequest()
		req.Version, req.EndpointType = 1, 2
		c.send(kmsg.NewRequestFormatter(kmsg.FormatterClientID("test")).AppendRequest(nil, req, 1))
		got := c.receive(req).(*kmsg.DescribeClusterResponse)
		if len(got.Brokers) != 1 || int(got.Brokers[0].Port) != addr.(*net.TCPAddr).Port {
			t.Errorf("controllers %+v, it listens on %v", got.Brokers, addr)
		}
		if err := nc.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		t.Fatalf("the address of a stopped node is taken: %v", err)
	}
	_ = l.Close()
}
