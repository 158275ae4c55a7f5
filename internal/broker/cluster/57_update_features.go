package cluster

import (
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/machine/controller"
	"github.com/milena-io/milena/internal/wire"
)

// Upgrade types of the protocol.
const (
	upgrade         = 1
	unsafeDowngrade = 3
)

// UpdateFeatures serves UpdateFeatures v0-2 (KIP-584, KIP-1022), on any broker. Levels change all together or not at
// all; the error stands on top and names the feature; only a success has a result for each, up to v1.
func (c *Cluster) UpdateFeatures(req *wire.Request) {
	in := req.Body.(*kmsg.UpdateFeaturesRequest)
	out := in.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	cmd := controller.UpdateFeatures{ValidateOnly: in.Version >= 1 && in.ValidateOnly}
	named := map[string]int{}
	for i := range in.FeatureUpdates {
		u := &in.FeatureUpdates[i]
		kind := u.UpgradeType
		if in.Version == 0 {
			if kind = upgrade; u.AllowDowngrade {
				kind = unsafeDowngrade
			}
		}
		update := controller.FeatureUpdate{Name: u.Feature, Level: u.MaxVersionLevel, UpgradeType: kind}
		if i, again := named[u.Feature]; again {
			cmd.Features[i] = update // named twice: the last one counts, as in Kafka
			continue
		}
		named[u.Feature] = len(cmd.Features)
		cmd.Features = append(cmd.Features, update)
	}
	c.controller.Submit(time.Duration(in.TimeoutMillis)*time.Millisecond, cmd, func(reply any, err error) {
		if err != nil {
			out.ErrorCode, out.ErrorMessage = code(err), fault.MessageOf(err)
			req.Reply(wire.Reply{Message: out})
			return
		}
		for _, f := range reply.([]controller.UpdatedFeature) {
			if !f.OK() && f.Code != kafka.ErrFeatureUpdateFailed { // that one only went with another
				why := "The update failed for all features since the following feature had an error: " + f.Message
				out.ErrorCode, out.ErrorMessage = int16(f.Code), &why
				break
			}
		}
		if out.ErrorCode == 0 && in.Version <= 1 {
			out.Results = updated(in)
		}
		req.Reply(wire.Reply{Message: out})
	})
}

// updated is the result of each update, all of them good.
func updated(in *kmsg.UpdateFeaturesRequest) []kmsg.UpdateFeaturesResponseResult {
	none := kafka.ErrNone.String()
	out := make([]kmsg.UpdateFeaturesResponseResult, 0, len(in.FeatureUpdates))
	for i := range in.FeatureUpdates {
		r := kmsg.NewUpdateFeaturesResponseResult()
		r.Feature, r.ErrorMessage = in.FeatureUpdates[i].Feature, &none
		out = append(out, r)
	}
	return out
}
