package configs

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// Forward has a change answered by the active controller, but for what this broker refuses (Kafka's ConfigAdminManager.preprocess): its
// own id and its log directories are what only the broker that was asked knows, and the controller does not check them. False, and
// nothing done, where the answer is to be made here: all is refused, or pass says that the controller is here.
func (c *Configs) Forward(req *wire.Request, pass func(*wire.Request) bool) bool {
	var asked []controller.AlterResource
	switch in := req.Body.(type) {
	case *kmsg.AlterConfigsRequest:
		asked = replacements(in)
	case *kmsg.IncrementalAlterConfigsRequest:
		asked = increments(in)
	default:
		return pass(req)
	}
	results, left := c.sift(asked)
	switch len(left) {
	case len(asked):
		return pass(req)
	case 0:
		return false
	}
	rest, reply := *req, req.Reply
	rest.Body = restOf(req.Body, left)
	version := req.Version
	rest.Reply = func(r wire.Reply) { reply(joined(rest.Body, version, r, results, left)) }
	return pass(&rest)
}

// restOf is a request with some of its resources.
func restOf(body kmsg.Request, left []int) kmsg.Request {
	switch in := body.(type) {
	case *kmsg.AlterConfigsRequest:
		rest := *in
		rest.Resources = nil
		for _, i := range left {
			rest.Resources = append(rest.Resources, in.Resources[i])
		}
		return &rest
	case *kmsg.IncrementalAlterConfigsRequest:
		rest := *in
		rest.Resources = nil
		for _, i := range left {
			rest.Resources = append(rest.Resources, in.Resources[i])
		}
		return &rest
	}
	return nil
}

// joined puts what the controller answered to the rest between what this broker refused.
func joined(rest kmsg.Request, version int16, r wire.Reply, results []controller.AlteredConfig, left []int) wire.Reply {
	answer := r.Message
	if r.Body != nil {
		answer = rest.ResponseKind()
		answer.SetVersion(version)
		if err := answer.ReadFrom(r.Body.AppendTo(nil)); err != nil {
			return wire.Reply{Close: true}
		}
	}
	told := func(n int, kind kmsg.ConfigResourceType, name string, code int16, message *string) {
		if n < len(left) {
			results[left[n]] = controller.AlteredConfig{Type: staterecord.ResourceType(kind), Name: name, Problem: controller.Problem{Code: kafka.ErrorCode(code)}}
			if message != nil {
				results[left[n]].Message = *message
			}
		}
	}
	switch m := answer.(type) {
	case *kmsg.AlterConfigsResponse:
		for n, t := range m.Resources {
			told(n, t.ResourceType, t.ResourceName, t.ErrorCode, t.ErrorMessage)
		}
		return wire.Reply{Message: replaced(rest.(*kmsg.AlterConfigsRequest), results)}
	case *kmsg.IncrementalAlterConfigsResponse:
		for n, t := range m.Resources {
			told(n, t.ResourceType, t.ResourceName, t.ErrorCode, t.ErrorMessage)
		}
		return wire.Reply{Message: incremented(rest.(*kmsg.IncrementalAlterConfigsRequest), results)}
	}
	return r
}
