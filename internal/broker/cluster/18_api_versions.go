package cluster

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
	"github.com/milena-io/milena/internal/wire"
)

// ApiVersions serves ApiVersions v0-4 (KIP-35, KIP-511, KIP-584): what this listener offers, and from v3 on the features
// that this node supports and the cluster has finalized, with the offset of the metadata log as their epoch. Versions
// that are not known are answered before a handler is found (surface 1).
func (c *Cluster) ApiVersions(req *wire.Request) {
	in := req.Body.(*kmsg.ApiVersionsRequest)
	out := in.ResponseKind().(*kmsg.ApiVersionsResponse)
	if in.Version >= 3 && (!wire.ValidSoftware(in.ClientSoftwareName) || !wire.ValidSoftware(in.ClientSoftwareVersion)) {
		out.ErrorCode = int16(kafka.ErrInvalidRequest)
		req.Reply(wire.Reply{Message: out})
		return
	}
	audience := wire.Clients
	if c.node.OfControllers(req.Peer.Listener) {
		audience = wire.Controllers
	}
	if in.ClientSoftwareName == wire.NodeSoftware {
		audience = wire.Nodes
	}
	out.ApiKeys = c.node.Table(req.Peer.Listener).Advertised(audience)
	for _, f := range c.node.Features() {
		if f.Min == 0 && in.Version < 4 && f.Name != "" {
			// Clients before v4 take a minimum of 0 for an error (KAFKA-17011); Kafka leaves such features out for them.
			continue
		}
		s := kmsg.NewApiVersionsResponseSupportedFeature()
		s.Name, s.MinVersion, s.MaxVersion = f.Name, f.Min, f.Max
		out.SupportedFeatures = append(out.SupportedFeatures, s)
	}
	img := c.image()
	out.FinalizedFeaturesEpoch = int64(img.Offset())
	finalized := func(name string, level int16) {
		f := kmsg.NewApiVersionsResponseFinalizedFeature()
		f.Name, f.MaxVersionLevel, f.MinVersionLevel = name, level, level
		out.FinalizedFeatures = append(out.FinalizedFeatures, f)
	}
	if level := c.node.KRaftVersion(); level > 0 { // it stands in a control record
		finalized(staterecord.FeatureKRaft, level)
	}
	for name, level := range img.Features() {
		// A level that Kafka wrote and that is not built here stays in the log, and clients hear of what is built.
		if level = min(level, built(c.node.Features(), name)); level > 0 {
			finalized(name, level)
		}
	}
	req.Reply(wire.Reply{Message: out})
}

// built is the highest level of a feature that this version can run.
func built(all []staterecord.FeatureRange, name string) int16 {
	for _, f := range all {
		if f.Name == name {
			return f.Max
		}
	}
	return 0
}

// Supported are the features that this version knows, with the levels it can run. What a level would promise and is not
// built stays at 0: a client that sees transaction.version 2 would use it.
func Supported() []staterecord.FeatureRange {
	return []staterecord.FeatureRange{
		{Name: "eligible.leader.replicas.version", Max: 1},
		{Name: "kraft.version", Min: 1, Max: 1},
		{Name: "metadata.version", Min: int16(staterecord.OldestMetadataVersion), Max: int16(staterecord.LatestMetadataVersion)},
	}
}
