package node_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/disk"
	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// calm is a cluster of three controllers, 1 to 3, and three brokers, 4 to 6, whose quorum writes nothing of itself, with a topic and
// a record in each partition.
func calm(t *testing.T, seed uint64) *cluster {
	c := newCluster(t, seed)
	for id := range int32(6) {
		roles := "controller"
		if id >= 3 {
			roles = "broker"
		}
		c.add(id+1, roles, voters, "1@h1:9093,2@h2:9093,3@h3:9093", "metadata.max.idle.interval.ms", "0",
			"initial.broker.registration.timeout.ms", "20000")
	}
	c.startAll()
	c.create(4, "t", 3)
	c.await("all know the topic", 5*time.Second, func() bool {
		return len(c.leaders(4, "t")) == 3 && len(c.leaders(5, "t")) == 3 && len(c.leaders(6, "t")) == 3
	})
	c.writeAll()
	return c
}

// writeAll writes a record to each partition of t, wherever it is led.
func (c *cluster) writeAll() {
	c.t.Helper()
	for p, leader := range c.leaders(4, "t") {
		if code, _ := c.write(leader, "t", int32(p), "x"); code != kafka.ErrNone {
			c.t.Fatalf("partition %d, led by %d: %v", p, leader, code)
		}
	}
}

// registered is what the metadata says of the nodes, as one of them tells: who registered, and when.
func (c *cluster) registered(at int32) (brokers map[kafka.NodeID]kafka.BrokerEpoch, controllers map[kafka.NodeID]kafka.IncarnationID) {
	img := c.at(at).node.Probe().Image()
	brokers, controllers = map[kafka.NodeID]kafka.BrokerEpoch{}, map[kafka.NodeID]kafka.IncarnationID{}
	for b := range img.Brokers() {
		brokers[b.ID] = b.Epoch
	}
	for r := range img.Controllers() {
		controllers[r.ID] = r.Incarnation
	}
	return brokers, controllers
}

// undisturbed runs f and holds the nodes that were there to go on as they did: nobody registers anew, nothing is led by others, and
// what is written is acknowledged and stays.
func (c *cluster) undisturbed(f func()) {
	c.t.Helper()
	brokers, controllers := c.registered(4)
	leaders, lead := c.leaders(4, "t"), c.quorum(4)
	f()
	if b, r := c.registered(4); !maps.Equal(b, brokers) || !maps.Equal(r, controllers) {
		c.t.Errorf("the brokers are %v and were %v, the controllers %v and were %v", b, brokers, r, controllers)
	}
	if now := c.quorum(4); now.LeaderID != lead.LeaderID || now.LeaderEpoch != lead.LeaderEpoch || !slices.EqualFunc(now.CurrentVoters, lead.CurrentVoters,
		func(a, b kmsg.DescribeQuorumResponseTopicPartitionReplicaState) bool {
			return a.ReplicaID == b.ReplicaID && a.ReplicaDirectoryID == b.ReplicaDirectoryID
		}) {
		c.t.Errorf("the quorum is %+v, and was %+v", now, lead)
	}
	if now := c.leaders(4, "t"); !slices.Equal(now, leaders) {
		c.t.Errorf("the partitions are led by %v, and were by %v", now, leaders)
	}
	c.writeAll()
}

// ends starts a node that is to be refused, and returns why.
func (c *cluster) ends(id int32) error {
	c.t.Helper()
	m := c.at(id)
	m.ends = true
	c.start(int(id))
	c.await("it ends", 2*time.Minute, func() bool { return m.ready != nil && *m.ready != nil || m.gaveUp != nil })
	if m.gaveUp != nil {
		return m.gaveUp
	}
	return *m.ready
}

// controllersOf is what DescribeCluster says of controllers, asked on a controllers' listener.
func (c *cluster) controllersOf(at int32) (ids []int32) {
	req := kmsg.NewPtrDescribeClusterRequest()
	req.Version, req.EndpointType = 1, 2
	for _, b := range askAt[*kmsg.DescribeClusterResponse](c, at, "CONTROLLER", req).Brokers {
		if b.Host != "h"+string('0'+rune(b.NodeID)) || b.Port != 9093 {
			c.t.Errorf("controller %d is at %s:%d", b.NodeID, b.Host, b.Port)
		}
		ids = append(ids, b.NodeID)
	}
	return ids
}

// Every controller registers, voter or not, and each incarnation anew (KIP-919): clients of controllers hear of all of them.
func TestControllersRegister(t *testing.T) {
	c := calm(t, 1)
	c.add(7, "controller", servers, "h2:9093")
	c.start(7)
	c.serves(7)
	for _, at := range []int32{1, 2, 3, 7} {
		c.await("all four are described", 10*time.Second, func() bool { return slices.Equal(c.controllersOf(at), []int32{1, 2, 3, 7}) })
	}
	_, before := c.registered(4)
	again := c.controller(4)%3 + 1
	c.kill(again)
	c.start(int(again))
	c.serves(again)
	c.await("its new incarnation is registered", 10*time.Second, func() bool {
		_, now := c.registered(4)
		return len(now) == 4 && now[kafka.NodeID(again)] != before[kafka.NodeID(again)]
	})
	for r := range c.at(4).node.Probe().Image().Controllers() {
		if len(r.Features) != len(staterecord.Known()) || len(r.Endpoints) != 1 || r.Endpoints[0].Name != "CONTROLLER" {
			t.Errorf("controller %d can run %v, and listens at %v", r.ID, r.Features, r.Endpoints)
		}
	}
}

// without is a version that lacks a feature, or runs metadata.version up to another level.
func without(feature string, latest int16) []staterecord.FeatureRange {
	var out []staterecord.FeatureRange
	for _, f := range staterecord.Known() {
		if f.Name == staterecord.FeatureMetadataVersion {
			f.Max = latest
		}
		if f.Name != feature {
			out = append(out, f)
		}
	}
	return out
}

func (c *cluster) raise(at int32, feature string, level int16, kind int8) (kafka.ErrorCode, string) {
	req := kmsg.NewPtrUpdateFeaturesRequest()
	req.Version, req.TimeoutMillis = 1, 5000
	f := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
	f.Feature, f.MaxVersionLevel, f.UpgradeType = feature, level, kind
	req.FeatureUpdates = append(req.FeatureUpdates, f)
	out := ask[*kmsg.UpdateFeaturesResponse](c, at, req)
	if out.ErrorMessage == nil {
		return kafka.ErrorCode(out.ErrorCode), ""
	}
	return kafka.ErrorCode(out.ErrorCode), *out.ErrorMessage
}

// A controller of an older version counts before a feature is raised, also one without a vote.
func TestAnOlderControllerHoldsAFeatureBack(t *testing.T) {
	const elr = staterecord.FeatureElr
	c := calm(t, 2)
	if code, why := c.raise(4, elr, 0, 2); code != kafka.ErrNone {
		t.Fatal(code, why)
	}
	m := c.add(7, "controller", servers, "h2:9093")
	m.features = without(elr, int16(staterecord.LatestMetadataVersion))
	c.start(7)
	c.serves(7)
	c.await("it is registered", 10*time.Second, func() bool { _, r := c.registered(4); return len(r) == 4 })
	if code, why := c.raise(4, elr, 1, 1); code != kafka.ErrInvalidUpdateVersion || !strings.Contains(why, "Controller 7 does not support this feature.") {
		t.Errorf("%v: %s", code, why)
	}
	c.kill(7)
	m.features = nil
	c.start(7)
	c.await("the newer version is registered", 20*time.Second, func() bool { code, _ := c.raise(4, elr, 1, 1); return code == kafka.ErrNone })
}

// A node whose version cannot run what the cluster has finalized is refused, whatever its role, with Kafka's code and what to do.
func TestANodeOfAnotherVersionIsRefused(t *testing.T) {
	for i, roles := range []string{"broker", "controller", "broker,controller"} {
		c := calm(t, 3+uint64(i))
		c.undisturbed(func() {
			m := c.add(7, roles, servers, "h1:9093")
			m.features = without("", int16(staterecord.LatestMetadataVersion)-1)
			err := c.ends(7)
			if fault.CodeOf(err) != kafka.ErrUnsupportedVersion || !strings.Contains(err.Error(), "metadata.version") || !strings.Contains(err.Error(), "Start the version") {
				t.Errorf("%s: %v", roles, err)
			}
		})
	}
}

// A node.id that another process has, which lives, is refused once that is no matter of a moment, and the first goes on.
func TestANodeIDIsGivenTwice(t *testing.T) {
	for i, twin := range []struct {
		id    string
		roles string
	}{{"5", "broker"}, {"2", "controller"}, {"1", "controller"}, {"3", "controller"}, {"4", "broker,controller"}, {"2", "broker,controller"}} {
		c := calm(t, 10+uint64(i))
		c.undisturbed(func() {
			m := c.add(9, twin.roles, servers, "h1:9093,h2:9093,h3:9093", "initial.broker.registration.timeout.ms", "5000")
			m.set["node.id"] = twin.id
			err := c.ends(9)
			if code := fault.CodeOf(err); code != kafka.ErrDuplicateBrokerRegistration || !strings.Contains(err.Error(), "is given twice") {
				t.Errorf("%s %s: %v", twin.roles, twin.id, err)
			}
			if told := m.log.String(); !strings.Contains(told, "is not registered yet") {
				t.Errorf("%s %s waited in silence:\n%s", twin.roles, twin.id, told)
			}
		})
		c.kill(9)
	}
}

// The clocks of nodes an hour apart, either way, change nothing: what counts time counts it by a clock that nobody sets.
func TestClocksAnHourApart(t *testing.T) {
	c := newCluster(t, 20)
	for id, off := range map[int32]time.Duration{1: -time.Hour, 2: 0, 3: time.Hour} {
		c.add(id, "broker,controller", voters, "1@h1:9093,2@h2:9093,3@h3:9093").ahead = off
	}
	c.startAll()
	c.create(1, "t", 3)
	lead := c.controller(1)
	c.w.Run(30 * time.Second)
	for id := range int32(3) {
		for p, leader := range c.leaders(id+1, "t") {
			if code, _ := c.write(leader, "t", int32(p), "x"); code != kafka.ErrNone {
				t.Errorf("partition %d at node %d: %v", p, leader, code)
			}
		}
	}
	if now := c.controller(1); now != lead || len(c.leaders(1, "t")) != 3 {
		t.Errorf("node %d controls, and did %d", now, lead)
	}
	c.kill(lead)
	other := lead%3 + 1
	c.await("another controls", 10*time.Second, func() bool { now := c.controller(other); return now > 0 && now != lead })
	for p := range int32(3) {
		c.await("it takes writes", 30*time.Second, func() bool {
			at := c.leaders(other, "t")[p]
			if at < 1 || at == lead {
				return false
			}
			code, _ := c.write(at, "t", p, "y")
			return code == kafka.ErrNone
		})
	}
	c.start(int(lead))
	c.serves(lead)
	c.await("all are in sync", 30*time.Second, func() bool {
		return !slices.ContainsFunc(c.partitions(other, "t"), func(p kmsg.MetadataResponseTopicPartition) bool { return len(p.ISR) != 3 })
	})
}

// A voter whose disk was put back to an earlier day lacks what it acknowledged. It is refused by its own hand, before Raft is told
// anything, and ends with what to do; the others go on, and when it was told to begin anew it has all of it.
func TestAVoterThatLostItsEndIsRefused(t *testing.T) {
	c := calm(t, 21)
	lost := c.controller(4)%3 + 1
	c.kill(lost)
	old := c.at(lost).fs.Copy()
	c.start(int(lost))
	c.serves(lost)
	for _, topic := range []string{"a", "b", "c"} {
		c.create(4, topic, 3)
	}
	c.w.Run(time.Second)
	c.kill(lost)
	c.at(lost).fs = old
	voted := c.quorum(4).CurrentVoters[lost-1]
	c.undisturbed(func() {
		err := c.ends(lost)
		if fault.CodeOf(err) != kafka.ErrCorruptMessage || !strings.Contains(err.Error(), "remove this voter, delete its metadata directory and add it again") {
			t.Errorf("%v", err)
		}
		c.kill(lost)
	})
	if code := c.removeVoter(4, lost, voted.ReplicaDirectoryID); code != kafka.ErrNone {
		t.Fatal(code)
	}
	m := c.at(lost)
	m.fs, m.ends = disk.NewMem(), false
	c.start(int(lost))
	c.serves(lost)
	dir, ok := c.follows(4, lost)
	if !ok {
		t.Fatal("it does not follow")
	}
	if code := c.addVoter(4, lost, dir); code != kafka.ErrNone {
		t.Fatal(code)
	}
	c.await("three vote", 10*time.Second, func() bool { return c.votes(4, 1, 2, 3) })
}

// A voter's disk that was copied to another machine is not run beside it: nobody votes twice.
func TestACopiedVoterIsRefused(t *testing.T) {
	c := calm(t, 22)
	for _, id := range []int32{c.controller(4), c.controller(4)%3 + 1} {
		c.undisturbed(func() {
			m := c.add(9, "controller", voters, "1@h1:9093,2@h2:9093,3@h3:9093", "initial.broker.registration.timeout.ms", "5000")
			m.set["node.id"] = string('0' + rune(id))
			m.fs = c.at(id).fs.Copy()
			if err := c.ends(9); fault.CodeOf(err) != kafka.ErrDuplicateBrokerRegistration || !strings.Contains(err.Error(), "is given twice") {
				t.Errorf("node %d: %v", id, err)
			}
			if !strings.Contains(m.log.String(), "does not vote yet") {
				t.Errorf("node %d waited in silence", id)
			}
		})
		c.kill(9)
		c.machines = c.machines[:len(c.machines)-1]
	}
}

// metadataFetch is what an observer asks.
func metadataFetch(cluster string, epoch int32) *kmsg.FetchRequest {
	r := kmsg.NewPtrFetchRequest()
	r.Version, r.ClusterID, r.ReplicaState.ID, r.MaxBytes = 17, &cluster, 9, 1<<20
	t, p := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
	t.TopicID, p.CurrentLeaderEpoch, p.LastFetchedEpoch, p.PartitionMaxBytes = kafka.MetadataTopicID, epoch, -1, 1<<20
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

func snapshotFetch(cluster string, epoch int32) *kmsg.FetchSnapshotRequest {
	r := kmsg.NewPtrFetchSnapshotRequest()
	r.Version, r.ClusterID, r.ReplicaID, r.MaxBytes = 1, &cluster, 9, 1000
	t, p := kmsg.NewFetchSnapshotRequestTopic(), kmsg.NewFetchSnapshotRequestTopicPartition()
	t.Topic, p.CurrentLeaderEpoch, p.SnapshotID.EndOffset, p.SnapshotID.Epoch = kafka.MetadataTopic, epoch, 1<<40, 3
	t.Partitions = append(t.Partitions, p)
	r.Topics = append(r.Topics, t)
	return r
}

// codes is every error code in an answer, without the zeros.
func codes(m kmsg.Response) (all []kafka.ErrorCode) {
	note := func(c int16) {
		if c != 0 {
			all = append(all, kafka.ErrorCode(c))
		}
	}
	switch a := m.(type) {
	case *kmsg.FetchResponse:
		note(a.ErrorCode)
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				note(p.ErrorCode)
			}
		}
	case *kmsg.FetchSnapshotResponse:
		note(a.ErrorCode)
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				note(p.ErrorCode)
			}
		}
	case *kmsg.BrokerRegistrationResponse:
		note(a.ErrorCode)
	case *kmsg.BrokerHeartbeatResponse:
		note(a.ErrorCode)
	case *kmsg.AlterPartitionResponse:
		note(a.ErrorCode)
	case *kmsg.AllocateProducerIDsResponse:
		note(a.ErrorCode)
	case *kmsg.AssignReplicasToDirsResponse:
		note(a.ErrorCode)
	case *kmsg.AddRaftVoterResponse:
		note(a.ErrorCode)
	case *kmsg.RemoveRaftVoterResponse:
		note(a.ErrorCode)
	case *kmsg.UpdateRaftVoterResponse:
		note(a.ErrorCode)
	case *kmsg.UnregisterBrokerResponse:
		note(a.ErrorCode)
	}
	return all
}

// Requests that name another cluster, a member that is none, an incarnation or an epoch that is over are each refused by name, and not a
// record is written for any of them.
func TestRequestsThatNameTheWrongOne(t *testing.T) {
	c := calm(t, 23)
	lead := c.controller(4)
	id := c.at(lead).node.ClusterID()
	epoch := c.quorum(4).LeaderEpoch
	brokers, _ := c.registered(4)
	other := "AAAAAAAAAAAAAAAAAAAAAA"
	voted := c.quorum(4).CurrentVoters

	registration := func(cluster string) *kmsg.BrokerRegistrationRequest {
		r := kmsg.NewPtrBrokerRegistrationRequest()
		r.Version, r.BrokerID, r.ClusterID, r.IncarnationID, r.PreviousBrokerEpoch = 4, 8, cluster, [16]byte{9}, -1
		r.LogDirs = [][16]byte{{0xd4, 15: 8}}
		f := kmsg.NewBrokerRegistrationRequestFeature()
		f.Name, f.MinSupportedVersion, f.MaxSupportedVersion = staterecord.FeatureMetadataVersion, 1, 3
		r.Features = append(r.Features, f)
		return r
	}
	beat := func(node int32, epoch kafka.BrokerEpoch) *kmsg.BrokerHeartbeatRequest {
		r := kmsg.NewPtrBrokerHeartbeatRequest()
		r.Version, r.BrokerID, r.BrokerEpoch = 1, node, int64(epoch)
		return r
	}
	shrink := func(node int32, epoch kafka.BrokerEpoch) *kmsg.AlterPartitionRequest {
		r := kmsg.NewPtrAlterPartitionRequest()
		r.Version, r.BrokerID, r.BrokerEpoch = 3, node, int64(epoch)
		return r
	}
	ids := func(node int32, epoch kafka.BrokerEpoch) *kmsg.AllocateProducerIDsRequest {
		r := kmsg.NewPtrAllocateProducerIDsRequest()
		r.BrokerID, r.BrokerEpoch = node, int64(epoch)
		return r
	}
	assign := func(node int32, epoch kafka.BrokerEpoch) *kmsg.AssignReplicasToDirsRequest {
		r := kmsg.NewPtrAssignReplicasToDirsRequest()
		r.BrokerID, r.BrokerEpoch = node, int64(epoch)
		return r
	}
	add := func(cluster *string, node int32) *kmsg.AddRaftVoterRequest {
		r := kmsg.NewPtrAddRaftVoterRequest()
		r.Version, r.ClusterID, r.VoterID, r.VoterDirectoryID, r.TimeoutMillis = 0, cluster, node, [16]byte{1}, 100
		l := kmsg.NewAddRaftVoterRequestListener()
		l.Name, l.Host, l.Port = "CONTROLLER", "h9", 9093
		r.Listeners = append(r.Listeners, l)
		return r
	}
	remove := func(cluster *string, node int32, dir [16]byte) *kmsg.RemoveRaftVoterRequest {
		r := kmsg.NewPtrRemoveRaftVoterRequest()
		r.ClusterID, r.VoterID, r.VoterDirectoryID = cluster, node, dir
		return r
	}
	update := func(cluster *string, epoch, node int32) *kmsg.UpdateRaftVoterRequest {
		r := kmsg.NewPtrUpdateRaftVoterRequest()
		r.ClusterID, r.CurrentLeaderEpoch, r.VoterID, r.VoterDirectoryID, r.KRaftVersionFeature.MaxSupportedVersion = cluster, epoch, node, [16]byte{1}, 1
		l := kmsg.NewUpdateRaftVoterRequestListener()
		l.Name, l.Host, l.Port = "CONTROLLER", "h9", 9093
		r.Listeners = append(r.Listeners, l)
		return r
	}
	unregister := kmsg.NewPtrUnregisterBrokerRequest()
	unregister.BrokerID = 77

	c.w.Run(2 * time.Second)
	before := c.quorum(4).HighWatermark
	c.undisturbed(func() {
		for _, q := range []struct {
			what string
			req  kmsg.Request
			want kafka.ErrorCode
		}{
			{"a Fetch of another cluster", metadataFetch(other, epoch), kafka.ErrInconsistentClusterId},
			{"a Fetch of an epoch that is over", metadataFetch(id, epoch-1), kafka.ErrFencedLeaderEpoch},
			{"a Fetch of an epoch to come", metadataFetch(id, epoch+1), kafka.ErrUnknownLeaderEpoch},
			{"a FetchSnapshot of another cluster", snapshotFetch(other, epoch), kafka.ErrInconsistentClusterId},
			{"a FetchSnapshot of an epoch that is over", snapshotFetch(id, epoch-1), kafka.ErrFencedLeaderEpoch},
			{"a FetchSnapshot of what is not there", snapshotFetch(id, epoch), kafka.ErrSnapshotNotFound},
			{"a broker of another cluster", registration(other), kafka.ErrInconsistentClusterId},
			{"a broker of another version", registration(id), kafka.ErrUnsupportedVersion},
			{"a heartbeat of nobody", beat(77, 3), kafka.ErrStaleBrokerEpoch},
			{"a heartbeat of an older incarnation", beat(4, brokers[4]-1), kafka.ErrStaleBrokerEpoch},
			{"a heartbeat of one to come", beat(4, brokers[4]+1), kafka.ErrStaleBrokerEpoch},
			{"AlterPartition of an older incarnation", shrink(5, brokers[5]-1), kafka.ErrStaleBrokerEpoch},
			{"AlterPartition of nobody", shrink(77, 1), kafka.ErrStaleBrokerEpoch},
			{"producer ids for an older incarnation", ids(5, brokers[5]-1), kafka.ErrStaleBrokerEpoch},
			{"directories of an older incarnation", assign(6, brokers[6]-1), kafka.ErrStaleBrokerEpoch},
			{"a voter for another cluster", add(&other, 9), kafka.ErrInconsistentClusterId},
			{"a voter that there is", add(&id, 2), kafka.ErrDuplicateVoter},
			{"a voter that nobody knows", add(&id, 9), kafka.ErrRequestTimedOut},
			{"a voter less in another cluster", remove(&other, 2, voted[1].ReplicaDirectoryID), kafka.ErrInconsistentClusterId},
			{"a voter less that is none", remove(&id, 2, [16]byte{4}), kafka.ErrVoterNotFound},
			{"a voter of another cluster that moved", update(&other, epoch, 2), kafka.ErrInconsistentClusterId},
			{"a voter that moved long ago", update(&id, epoch-1, 2), kafka.ErrFencedLeaderEpoch},
			{"a voter that moved and is none", update(&id, epoch, 2), kafka.ErrVoterNotFound},
			{"a broker less that is none", unregister, kafka.ErrBrokerIdNotRegistered},
		} {
			if got := codes(askAt[kmsg.Response](c, lead, "CONTROLLER", q.req)); !slices.Equal(got, []kafka.ErrorCode{q.want}) {
				t.Errorf("%s: %v, want %v", q.what, got, q.want)
			}
		}
		c.w.Run(time.Second)
	})
	if now := c.quorum(4).HighWatermark; now != before {
		t.Errorf("the metadata log went from %d to %d", before, now)
	}
}
