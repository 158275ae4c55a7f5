package log

// Follow tells that somebody has read to the end and waits for more: from the next batch on the newest bytes are kept in
// memory for him. Logs that nobody follows keep none.
func (v *view) Follow() {
	if !v.followed.Load() {
		v.followed.Store(true)
	}
}

// Ease gives the memory of the newest bytes back, unless somebody followed the log since the last call.
func (v *view) Ease() {
	if v.followed.Swap(false) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.segments) > 0 {
		v.active().Forget()
	}
}
