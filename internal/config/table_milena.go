package config

// milenaKeys are our own broker keys.
var milenaKeys = []Key{
	{Name: "milena.connection.inflight.max.bytes", Type: Long, Default: "104857600", HasDefault: true, Status: Implemented, Min: bound(65536), Doc: "Bytes of requests that one connection may have under way."},
	{Name: "milena.disk.reserve.bytes", Type: Long, Default: "67108864", HasDefault: true, Status: Implemented, Min: bound(0), Doc: "Bytes of each log directory that are kept for metadata, deletions and checkpoints when the disk is full, at most a sixteenth of the volume; 0 keeps none."},
	{Name: "milena.durability", Type: String, Default: "sync", HasDefault: true, Dynamic: ClusterWide, Status: Implemented, Allowed: []string{"sync", "cache"}, Doc: "What acks=all means by default: sync waits until the records are on stable storage of every in-sync replica, cache until they are in their page caches, as Apache Kafka does."},
	{Name: "milena.flush.stall.ms", Type: Long, Default: "5000", HasDefault: true, Status: Implemented, Min: bound(1), Doc: "How long a flush of a log directory may take before the log tells that it hangs."},
	{Name: "milena.log.format", Type: String, Default: "", HasDefault: true, Status: Implemented, Allowed: []string{"", "kafka", "json", "pretty"}, Doc: "Format of log lines: kafka, json or pretty; empty chooses pretty on a terminal and kafka elsewhere."},
	{Name: "milena.metrics.listeners", Type: String, Default: "127.0.0.1:9404", HasDefault: true, Status: Implemented, Doc: "Address of /metrics, /healthz and /readyz; empty for none."},
	{Name: "milena.metrics.partition.limit", Type: Int, Default: "5000", HasDefault: true, Status: Implemented, Doc: "Series for single partitions are exported up to so many partitions; beyond, milena_metrics_truncated is 1."},
	{Name: "milena.recovery.point.interval.ms", Type: Long, Default: "1000", HasDefault: true, Status: Implemented, Min: bound(100), Doc: "How often the recovery points of logs that have moved are written, beside log.flush.offset.checkpoint.interval.ms: what does not check below one is damage and is served around, above it is a torn write and is cut."},
	{Name: "milena.request.memory.max.bytes", Type: Long, Default: "268435456", HasDefault: true, Status: Implemented, Min: bound(1048576), Doc: "Bytes that requests being read, decoded and answered may hold in all, over all connections."},
	{Name: "milena.scrub.interval.ms", Type: Long, Default: "604800000", HasDefault: true, Status: Implemented, Min: bound(0), Doc: "How long after the end of one scrub the next begins: all sealed segments are read and checked, so that damage is found before somebody needs the records. The first begins ten minutes after the start, or this long if that is less; 0 scrubs never."},
	{Name: "milena.scrub.io.max.bytes.per.second", Type: Long, Default: "10485760", HasDefault: true, Status: Implemented, Min: bound(4096), Doc: "How fast the scrub reads, over all log directories."},
	{Name: "milena.tail.cache.max.bytes", Type: Long, Default: "33554432", HasDefault: true, Status: Implemented, Min: bound(0), Doc: "Bytes of memory for the newest records of partitions that consumers follow, 32 KiB a partition, so that small fetches at the end read no file; 0 keeps none."},
	{Name: "milena.validate", Type: String, Default: "full", HasDefault: true, Dynamic: ClusterWide, Status: Implemented, Allowed: []string{"full", "header"}, Doc: "How deep a produced batch is checked: full iterates its records, also compressed ones, as Apache Kafka does; header checks the CRC and the batch header."},
}
