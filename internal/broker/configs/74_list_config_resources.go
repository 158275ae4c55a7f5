package configs

import (
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

const clientMetricsType = int8(staterecord.ResourceClientMetrics)

// ListConfigResources serves ListConfigResources v0-1 (KIP-1142): the names of resources that have or can have configs.
// v0 asks for client metrics only, an empty list of types from v1 on for all of them. Topics and brokers are listed
// whether something is set on them or not, groups and client metrics only when something is.
func (c *Configs) ListConfigResources(req *wire.Request) {
	in := req.Body.(*kmsg.ListConfigResourcesRequest)
	out := in.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	known := []int8{groupType, clientMetricsType, brokerLoggerType, brokerType, topicType}
	types := in.ResourceTypes
	switch {
	case in.Version == 0:
		types = []int8{clientMetricsType}
	case len(types) == 0:
		types = known
	}
	for i, t := range types {
		if slices.Contains(types[:i], t) {
			continue
		}
		if !slices.Contains(known, t) {
			out.ErrorCode = int16(kafka.ErrUnsupportedVersion)
			out.ConfigResources = nil
			break
		}
		for _, name := range c.named(t) {
			r := kmsg.NewListConfigResourcesResponseConfigResource()
			r.Name, r.Type = name, t
			out.ConfigResources = append(out.ConfigResources, r)
		}
	}
	req.Reply(wire.Reply{Message: out})
}

const brokerLoggerType = int8(8)

// named lists the resources of a type.
func (c *Configs) named(t int8) []string {
	var out []string
	img := c.image()
	switch t {
	case topicType:
		for topic := range img.Topics() {
			out = append(out, topic.Name)
		}
	case brokerType, brokerLoggerType:
		for b := range img.Brokers() {
			out = append(out, strconv.Itoa(int(b.ID)))
		}
	default:
		for r := range img.Resources() {
			if int8(r.Type) == t {
				out = append(out, r.Name)
			}
		}
	}
	return out
}
