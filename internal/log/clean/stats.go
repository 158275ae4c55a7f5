package clean

// Stats is what a cleaning read and left.
type Stats struct {
	MapBytes       int64 // read to map keys
	MapRecords     int
	Keys           int     // distinct keys in the map
	MapUtilization float64 // of the map, 0 to 1
	BytesRead      int64   // of sources that were filtered
	RecordsRead    int
	BytesLeft      int64 // of them that survive
	RecordsLeft    int
	Keyless        int // records without a key, which were dropped
}

// Recopied is how much of what was filtered survives, 0 to 1.
func (s Stats) Recopied() float64 {
	if s.BytesRead == 0 {
		return 0
	}
	return float64(s.BytesLeft) / float64(s.BytesRead)
}
