package commands

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
)

// WriteAssignReplicas makes the request.
func WriteAssignReplicas(c controller.AssignReplicas) *kmsg.AssignReplicasToDirsRequest {
	m := kmsg.NewPtrAssignReplicasToDirsRequest()
	m.BrokerID, m.BrokerEpoch = int32(c.Broker), int64(c.Epoch)
	for _, h := range c.Replicas {
		if n := len(m.Directories); n == 0 || m.Directories[n-1].ID != h.Directory {
			d := kmsg.NewAssignReplicasToDirsRequestDirectory()
			d.ID = h.Directory
			m.Directories = append(m.Directories, d)
		}
		d := &m.Directories[len(m.Directories)-1]
		if n := len(d.Topics); n == 0 || d.Topics[n-1].TopicID != h.ID.TopicID {
			t := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
			t.TopicID = h.ID.TopicID
			d.Topics = append(d.Topics, t)
		}
		t := &d.Topics[len(d.Topics)-1]
		p := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
		p.Partition = h.ID.Partition
		t.Partitions = append(t.Partitions, p)
	}
	return m
}

// ReadAssignReplicas reads it.
func ReadAssignReplicas(m *kmsg.AssignReplicasToDirsRequest) controller.AssignReplicas {
	c := controller.AssignReplicas{Broker: kafka.NodeID(m.BrokerID), Epoch: kafka.BrokerEpoch(m.BrokerEpoch)}
	for i := range m.Directories {
		d := &m.Directories[i]
		for k := range d.Topics {
			for _, p := range d.Topics[k].Partitions {
				c.Replicas = append(c.Replicas, home(d.ID, d.Topics[k].TopicID, p.Partition))
			}
		}
	}
	return c
}

func home(dir kafka.DirectoryID, topic kafka.TopicID, partition int32) controller.ReplicaHome {
	return controller.ReplicaHome{ID: kafka.TopicIDPartition{TopicID: topic, Partition: partition}, Directory: dir}
}

// AnswerAssignReplicas makes the answer.
func AnswerAssignReplicas(m *kmsg.AssignReplicasToDirsRequest, reply any, err error) kmsg.Response {
	out := m.ResponseKind().(*kmsg.AssignReplicasToDirsResponse)
	if err != nil {
		refuse(&out.ErrorCode, &out.UnknownTags, err)
		return out
	}
	for _, a := range reply.([]controller.AssignedReplica) {
		if n := len(out.Directories); n == 0 || out.Directories[n-1].ID != a.Directory {
			d := kmsg.NewAssignReplicasToDirsResponseDirectory()
			d.ID = a.Directory
			out.Directories = append(out.Directories, d)
		}
		d := &out.Directories[len(out.Directories)-1]
		if n := len(d.Topics); n == 0 || d.Topics[n-1].TopicID != a.ID.TopicID {
			t := kmsg.NewAssignReplicasToDirsResponseDirectoryTopic()
			t.TopicID = a.ID.TopicID
			d.Topics = append(d.Topics, t)
		}
		t := &d.Topics[len(d.Topics)-1]
		p := kmsg.NewAssignReplicasToDirsResponseDirectoryTopicPartition()
		p.Partition, p.ErrorCode = a.ID.Partition, int16(a.Code)
		explain(&p.UnknownTags, a.Problem)
		t.Partitions = append(t.Partitions, p)
	}
	return out
}

func assignedReplicas(m *kmsg.AssignReplicasToDirsResponse) (any, error) {
	if err := refusal(m.ErrorCode, &m.UnknownTags); err != nil {
		return nil, err
	}
	var out []controller.AssignedReplica
	for i := range m.Directories {
		d := &m.Directories[i]
		for k := range d.Topics {
			for n := range d.Topics[k].Partitions {
				p := &d.Topics[k].Partitions[n]
				out = append(out, controller.AssignedReplica{
					Problem: problemIn(p.ErrorCode, &p.UnknownTags), ReplicaHome: home(d.ID, d.Topics[k].TopicID, p.Partition),
				})
			}
		}
	}
	return out, nil
}
