package migrate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// Judge says what this version cannot carry on with.
func Judge(f *Found) []Finding {
	j := &judge{f: f}
	if !f.Begun && !f.Formatted {
		return nil // a start of ours that was cut short before its first epoch
	}
	if !f.Begun {
		j.refuse("NEVER_STARTED", "it was formatted by kafka-storage and never started: what bootstrap.checkpoint would set is not in the metadata log yet",
			"start it once with Apache Kafka; or give an empty directory, which is formatted by itself")
		return j.out
	}
	if f.Metadata.Unknown != nil {
		j.refuse("UNKNOWN_METADATA", f.Metadata.Unknown.Error(), "use a version of Milena that is as new as this Apache Kafka")
		return j.out
	}
	j.features(staterecord.Known())
	j.nodes()
	j.access()
	j.topics()
	j.work()
	return j.out
}

type judge struct {
	f   *Found
	out []Finding
}

func (j *judge) refuse(code, message, try string) {
	j.out = append(j.out, Finding{code, message, try})
}

// features: what was finalized beyond what we know would be broken by going on.
func (j *judge) features(carried []staterecord.FeatureRange) {
	for name, level := range j.f.Metadata.Image.Features() {
		i := slices.IndexFunc(carried, func(r staterecord.FeatureRange) bool { return r.Name == name })
		switch {
		case i < 0:
			j.refuse("UNKNOWN_FEATURE", fmt.Sprintf("feature %s is finalized at %d and not known", name, level), "disable it with kafka-features.sh, or use a newer Milena")
		case level < carried[i].Min || level > carried[i].Max:
			j.refuse("UNSUPPORTED_FEATURE_LEVEL", fmt.Sprintf("feature %s is finalized at %d, known are %d to %d", name, level, carried[i].Min, carried[i].Max), "use a newer Milena")
		}
	}
}

// nodes: this version forms clusters of one.
func (j *judge) nodes() {
	others := map[kafka.NodeID]bool{}
	for _, v := range j.f.Metadata.Voters {
		others[v] = true
	}
	for b := range j.f.Metadata.Image.Brokers() {
		others[b.ID] = true
	}
	for c := range j.f.Metadata.Image.Controllers() {
		others[c.ID] = true
	}
	delete(others, j.f.Node)
	var ids []kafka.NodeID
	for id := range others {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	j.refuse("MORE_THAN_ONE_NODE", fmt.Sprintf("the cluster has more nodes than %d: %s", j.f.Node, strings.Trim(fmt.Sprint(ids), "[]")),
		"move all replicas to one combined node and unregister the others")
}

// access: rights that are not enforced must not be lost silently.
func (j *judge) access() {
	img := j.f.Metadata.Image
	count := func(code, what, try string, names []string) {
		if len(names) > 0 {
			j.refuse(code, fmt.Sprintf("%d %s: %s", len(names), what, some(names)), try)
		}
	}
	var acls, users, tokens, quotas []string
	for _, a := range img.AccessControlEntries() {
		acls = append(acls, fmt.Sprintf("%s on %q from %s", a.Principal, a.ResourceName, a.Host))
	}
	for u := range img.ScramCredentials() {
		users = append(users, u.Name)
	}
	for id := range img.DelegationTokens() {
		tokens = append(tokens, id)
	}
	for q := range img.ClientQuotas() {
		var entity []string
		for _, e := range q.Entity {
			name := "<default>"
			if e.Name != nil {
				name = *e.Name
			}
			entity = append(entity, e.Type+"="+name)
		}
		quotas = append(quotas, strings.Join(entity, ",")+" "+q.Key)
	}
	count("ACLS", "ACLs, which this version does not enforce", "remove them with kafka-acls.sh --remove", acls)
	count("SCRAM_USERS", "SCRAM credentials, which this version does not check", "delete them with kafka-configs.sh --alter --delete-config", slices.Compact(users))
	count("CLIENT_QUOTAS", "client quotas, which this version does not enforce", "delete them with kafka-configs.sh --alter --delete-config", quotas)
	count("DELEGATION_TOKENS", "delegation tokens, which this version does not check", "expire them with kafka-delegation-tokens.sh --expire", tokens)
}

// topics: what cannot be read here.
func (j *judge) topics() {
	var tiered []string
	for t := range j.f.Metadata.Image.Topics() {
		if v, _ := j.f.Metadata.Image.Configs(image.TopicResource(t.Name)).Get("remote.storage.enable"); strings.EqualFold(v, "true") {
			tiered = append(tiered, t.Name)
		}
	}
	if len(tiered) > 0 {
		j.refuse("TIERED_STORAGE", "topics in tiered storage: "+some(tiered), "set remote.storage.enable=false with remote.log.delete.on.disable=true")
	}
	if old := j.f.OldFormats; len(old) > 0 {
		var files []string
		for _, o := range old {
			files = append(files, fmt.Sprintf("%s (magic %d)", o.File, o.Magic))
		}
		j.refuse("OLD_MESSAGE_FORMAT", "segments in the message formats of before Kafka 0.11: "+some(files), "copy these topics with a consumer and a producer, or let retention delete the segments")
	}
}

// work: what is under way and would be left half done.
func (j *judge) work() {
	if len(j.f.Moving) > 0 {
		j.refuse("REPLICA_MOVES", "replicas are being moved between log directories: "+some(j.f.Moving), "let kafka-reassign-partitions.sh finish")
	}
	if len(j.f.Transactions) > 0 {
		j.refuse("OPEN_TRANSACTIONS", "open transactions of transactional ids "+some(j.f.Transactions), "stop the producers and wait for transaction.timeout.ms under Apache Kafka")
	} else if len(j.f.Unfinished) > 0 {
		var at []string
		for _, o := range j.f.Unfinished {
			at = append(at, fmt.Sprintf("%s (producer id %d, offset %d)", o.Partition, o.Producer, o.First))
		}
		j.refuse("OPEN_TRANSACTIONS", "open transactions in "+some(at), "abort them with kafka-transactions.sh abort")
	}
	var names []string
	for _, g := range j.f.Groups {
		names = append(names, fmt.Sprintf("%s (%s)", g.Name, g.Kind))
	}
	if len(names) > 0 {
		j.refuse("GROUP_PROTOCOL", "groups of a protocol that is not built: "+some(names), "delete them, or let their members join with group.protocol=classic once under Apache Kafka")
	}
}

// some names a few of many.
func some(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
