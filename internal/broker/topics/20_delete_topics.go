package topics

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// DeleteTopics serves DeleteTopics v1-6, on any broker: by name, from v6 on also by id (KIP-516). With
// delete.topic.enable=false every topic gets TOPIC_DELETION_DISABLED, before v3 INVALID_REQUEST.
func (t *Topics) DeleteTopics(req *wire.Request) {
	in := req.Body.(*kmsg.DeleteTopicsRequest)
	out := in.ResponseKind().(*kmsg.DeleteTopicsResponse)
	refs := deletedRefs(in, out)
	times := map[controller.TopicRef]int{}
	for _, r := range refs {
		times[r]++
	}
	var cmd controller.DeleteTopics
	for _, r := range refs {
		code, why := kafka.ErrInvalidRequest, ""
		switch n := times[r]; {
		case n == 0:
			continue // already refused
		case !t.settings.DeleteEnabled():
			if why = "Topic deletion is disabled."; in.Version >= 3 {
				code = kafka.ErrTopicDeletionDisabled
			}
		case !r.ID.IsZero() && r.Name != "":
			why = "You may not specify both topic name and topic id."
		case n > 1 && r.ID.IsZero():
			why = "Duplicate topic name."
		case n > 1:
			why = "Duplicate topic id."
		default:
			cmd.Topics = append(cmd.Topics, r)
			continue
		}
		times[r] = 0
		out.Topics = append(out.Topics, deletedTopic(r, code, why))
	}
	if len(cmd.Topics) == 0 {
		req.Reply(wire.Reply{Message: out})
		return
	}
	t.controller.Submit(timeout(in.TimeoutMillis), cmd, func(reply any, err error) {
		if err != nil {
			for _, r := range cmd.Topics {
				out.Topics = append(out.Topics, deletedTopic(r, fault.CodeOf(err), text(fault.MessageOf(err))))
			}
		} else {
			told := map[kafka.TopicID]bool{} // a topic named by name and by id is refused once
			for _, d := range reply.([]controller.DeletedTopic) {
				if !d.ID.IsZero() && told[d.ID] {
					continue
				}
				told[d.ID] = true
				out.Topics = append(out.Topics, deletedTopic(d.TopicRef, d.Code, d.Message))
			}
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// deletedRefs lists what is to be deleted. What names nothing at all is refused at once.
func deletedRefs(in *kmsg.DeleteTopicsRequest, out *kmsg.DeleteTopicsResponse) []controller.TopicRef {
	var refs []controller.TopicRef
	for _, name := range in.TopicNames {
		refs = append(refs, controller.TopicRef{Name: name})
	}
	for i := range in.Topics {
		id, name := kafka.TopicID(in.Topics[i].TopicID), in.Topics[i].Topic
		if id.IsZero() && name == nil {
			r := deletedTopic(controller.TopicRef{}, kafka.ErrInvalidRequest, "Neither topic name nor id were specified.")
			r.Topic = nil
			out.Topics = append(out.Topics, r)
			continue
		}
		refs = append(refs, controller.TopicRef{ID: id, Name: text(name)})
	}
	return refs
}

func deletedTopic(ref controller.TopicRef, code kafka.ErrorCode, why string) kmsg.DeleteTopicsResponseTopic {
	r := kmsg.NewDeleteTopicsResponseTopic()
	r.TopicID, r.ErrorCode = ref.ID, int16(code)
	if ref.Name != "" || ref.ID.IsZero() {
		r.Topic = &ref.Name
	}
	if why != "" {
		r.ErrorMessage = &why
	}
	return r
}
