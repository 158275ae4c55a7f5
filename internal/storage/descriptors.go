package storage

// A process may have so many files open, and a laptop's limit is often 1024. They are shared out, so that many connections
// keep no log from being written and many logs no checkpoint: three eighths for files of logs, half for connections, and
// what is left for checkpoints, names that are synced, and files being read that rest with nobody.

// FileShare is how many files of logs may be kept open or wait to be durable.
func FileShare(descriptors int) int { return descriptors / 8 * 3 }

// ConnectionShare is how many connections there may be; max.connections may allow fewer.
func ConnectionShare(descriptors int) int { return descriptors / 2 }
