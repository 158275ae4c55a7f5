package configs

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// IncrementalAlterConfigs serves IncrementalAlterConfigs v0-1 (KIP-339): set, delete, append to and subtract from single
// keys; the last two on lists only.
func (c *Configs) IncrementalAlterConfigs(req *wire.Request) {
	in := req.Body.(*kmsg.IncrementalAlterConfigsRequest)
	c.alter(increments(in), in.ValidateOnly, func(done []controller.AlteredConfig) {
		req.Reply(wire.Reply{Message: incremented(in, done)})
	})
}

func incremented(in *kmsg.IncrementalAlterConfigsRequest, done []controller.AlteredConfig) *kmsg.IncrementalAlterConfigsResponse {
	out := in.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	for _, d := range done {
		r := kmsg.NewIncrementalAlterConfigsResponseResource()
		r.ResourceType, r.ResourceName, r.ErrorCode = kmsg.ConfigResourceType(d.Type), d.Name, int16(d.Code)
		r.ErrorMessage = message(d.Problem)
		out.Resources = append(out.Resources, r)
	}
	return out
}

// increments is what an IncrementalAlterConfigs asks for.
func increments(in *kmsg.IncrementalAlterConfigsRequest) (asked []controller.AlterResource) {
	for i := range in.Resources {
		r := &in.Resources[i]
		a := controller.AlterResource{Type: staterecord.ResourceType(r.ResourceType), Name: r.ResourceName}
		for j := range r.Configs {
			k := &r.Configs[j]
			a.Changes = append(a.Changes, controller.ConfigChange{Name: k.Name, Op: controller.ConfigOp(k.Op), Value: k.Value})
		}
		asked = append(asked, a)
	}
	return asked
}
