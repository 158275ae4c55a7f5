package configs

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

const groupResource = staterecord.ResourceGroup

// AlterConfigs serves AlterConfigs v0-2: the keys given replace everything that was set on the resource.
func (c *Configs) AlterConfigs(req *wire.Request) {
	in := req.Body.(*kmsg.AlterConfigsRequest)
	c.alter(replacements(in), in.ValidateOnly, func(done []controller.AlteredConfig) {
		req.Reply(wire.Reply{Message: replaced(in, done)})
	})
}

func replaced(in *kmsg.AlterConfigsRequest, done []controller.AlteredConfig) *kmsg.AlterConfigsResponse {
	out := in.ResponseKind().(*kmsg.AlterConfigsResponse)
	for _, d := range done {
		r := kmsg.NewAlterConfigsResponseResource()
		r.ResourceType, r.ResourceName, r.ErrorCode = kmsg.ConfigResourceType(d.Type), d.Name, int16(d.Code)
		r.ErrorMessage = message(d.Problem)
		out.Resources = append(out.Resources, r)
	}
	return out
}

// replacements is what an AlterConfigs asks for.
func replacements(in *kmsg.AlterConfigsRequest) (asked []controller.AlterResource) {
	for i := range in.Resources {
		r := &in.Resources[i]
		a := controller.AlterResource{Type: staterecord.ResourceType(r.ResourceType), Name: r.ResourceName, Replace: true}
		for j := range r.Configs {
			a.Changes = append(a.Changes, controller.ConfigChange{Name: r.Configs[j].Name, Op: controller.SetConfig, Value: r.Configs[j].Value})
		}
		asked = append(asked, a)
	}
	return asked
}

func message(p controller.Problem) *string {
	if p.OK() {
		return nil
	}
	return &p.Message
}

// alter sends what this broker does not refuse to the controller and puts the results into the order asked. A resource
// that is named twice is refused both times.
func (c *Configs) alter(asked []controller.AlterResource, validateOnly bool, done func([]controller.AlteredConfig)) {
	results, sent := c.sift(asked)
	cmd := controller.AlterConfigs{ValidateOnly: validateOnly}
	for _, i := range sent {
		cmd.Resources = append(cmd.Resources, asked[i])
	}
	if len(sent) == 0 {
		done(results)
		return
	}
	c.controller.Submit(alterTimeout, cmd, func(reply any, err error) {
		for n, i := range sent {
			if err != nil {
				results[i].Problem = problem(err)
			} else {
				results[i] = reply.([]controller.AlteredConfig)[n]
			}
		}
		done(results)
	})
}

func problem(err error) controller.Problem {
	p := controller.Problem{Code: fault.CodeOf(err)}
	if m := fault.MessageOf(err); m != nil {
		p.Message = *m
	}
	return p
}

// sift says what this broker refuses, and which of what was asked are left for the controller.
func (c *Configs) sift(asked []controller.AlterResource) (results []controller.AlteredConfig, left []int) {
	type key struct {
		t    staterecord.ResourceType
		name string
	}
	times := map[key]int{}
	for i := range asked {
		times[key{asked[i].Type, asked[i].Name}]++
	}
	results = make([]controller.AlteredConfig, len(asked))
	for i := range asked {
		a := &asked[i]
		results[i] = controller.AlteredConfig{Type: a.Type, Name: a.Name}
		err := c.refused(a)
		if times[key{a.Type, a.Name}] > 1 {
			err = fault.New("configs.alter", kafka.ErrInvalidRequest, "Each resource must appear at most once.")
		}
		if err != nil {
			results[i].Problem = problem(err)
			continue
		}
		left = append(left, i)
	}
	return results, left
}
