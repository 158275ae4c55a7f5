package cluster

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// Upgrade types of the protocol.
const (
	upgrade         = 1
	unsafeDowngrade = 3
)

// UpdateFeatures serves UpdateFeatures v0-2 (KIP-584, KIP-1022), on any broker. Levels change all together or not at
// all; the error stands on top and up to v1 on each feature, too.
func (c *Cluster) UpdateFeatures(req *wire.Request) {
	in := req.Body.(*kmsg.UpdateFeaturesRequest)
	out := in.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	cmd := controller.UpdateFeatures{ValidateOnly: in.Version >= 1 && in.ValidateOnly}
	for i := range in.FeatureUpdates {
		u := &in.FeatureUpdates[i]
		kind := u.UpgradeType
		if in.Version == 0 {
			if kind = upgrade; u.AllowDowngrade {
				kind = unsafeDowngrade
			}
		}
		cmd.Features = append(cmd.Features, controller.FeatureUpdate{Name: u.Feature, Level: u.MaxVersionLevel, UpgradeType: kind})
	}
	c.controller.Submit(time.Duration(in.TimeoutMillis)*time.Millisecond, cmd, func(reply any, err error) {
		if err != nil {
			out.ErrorCode, out.ErrorMessage = code(err), fault.MessageOf(err)
			req.Reply(wire.Reply{Message: out})
			return
		}
		for _, f := range reply.([]controller.UpdatedFeature) {
			r := kmsg.NewUpdateFeaturesResponseResult()
			r.Feature = f.Name
			if !f.OK() {
				r.ErrorCode, r.ErrorMessage = int16(f.Code), &f.Message
				if out.ErrorCode == 0 {
					out.ErrorCode, out.ErrorMessage = r.ErrorCode, &f.Message
				}
			}
			if in.Version <= 1 {
				out.Results = append(out.Results, r)
			}
		}
		req.Reply(wire.Reply{Message: out})
	})
}
