package config

// groupKeys are the group keys of Apache Kafka 4.3.
var groupKeys = []Key{
	{Name: "consumer.assignment.interval.ms", Type: Int, Default: "1000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.consumer.assignment.interval.ms"}, Doc: "Batching of target assignments."},
	{Name: "consumer.heartbeat.interval.ms", Type: Int, Default: "5000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.consumer.heartbeat.interval.ms"}, Doc: "Heartbeat of KIP-848 members."},
	{Name: "consumer.session.timeout.ms", Type: Int, Default: "45000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.consumer.session.timeout.ms"}, Doc: "Session of KIP-848 members."},
	{Name: "share.assignment.interval.ms", Type: Int, Default: "1000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.assignment.interval.ms"}, Doc: "Batching of target assignments."},
	{Name: "share.auto.offset.reset", Type: String, Default: "latest", HasDefault: true, Dynamic: PerGroup, Doc: "Latest, earliest or by_duration:ISO8601."},
	{Name: "share.delivery.count.limit", Type: Int, Default: "5", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.delivery.count.limit"}, Doc: "Attempts before archive (KIP-1240)."},
	{Name: "share.heartbeat.interval.ms", Type: Int, Default: "5000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.heartbeat.interval.ms"}, Doc: "Share heartbeat."},
	{Name: "share.isolation.level", Type: String, Default: "read_uncommitted", HasDefault: true, Dynamic: PerGroup, Allowed: []string{"read_committed", "read_uncommitted"}, Doc: "Server-side isolation of share groups."},
	{Name: "share.partition.max.record.locks", Type: Int, Default: "2000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.partition.max.record.locks"}, Doc: "In-flight cap (KIP-1240)."},
	{Name: "share.record.lock.duration.ms", Type: Int, Default: "30000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.record.lock.duration.ms"}, Doc: "Acquisition lock."},
	{Name: "share.renew.acknowledge.enable", Type: Boolean, Default: "true", HasDefault: true, Dynamic: PerGroup, Doc: "Allow RENEW acks."},
	{Name: "share.session.timeout.ms", Type: Int, Default: "45000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.share.session.timeout.ms"}, Doc: "Share session."},
	{Name: "streams.assignment.interval.ms", Type: Int, Default: "1000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.streams.assignment.interval.ms"}, Doc: "Batching of target assignments."},
	{Name: "streams.heartbeat.interval.ms", Type: Int, Default: "5000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.streams.heartbeat.interval.ms"}, Doc: "Streams heartbeat."},
	{Name: "streams.initial.rebalance.delay.ms", Type: Int, Default: "3000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.streams.initial.rebalance.delay.ms"}, Doc: "First assignment delay."},
	{Name: "streams.num.standby.replicas", Type: Int, Default: "0", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.streams.num.standby.replicas"}, Doc: "Standby tasks."},
	{Name: "streams.session.timeout.ms", Type: Int, Default: "45000", HasDefault: true, Dynamic: PerGroup, Synonyms: []string{"group.streams.session.timeout.ms"}, Doc: "Streams session."},
}
