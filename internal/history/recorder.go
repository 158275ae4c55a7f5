package history

import "sync"

// Recorder is the one clock of a history. Many clients may record at once.
type Recorder struct {
	mu   sync.Mutex
	now  func() int64
	keep History
	sink *Writer // nil for none
	err  error   // of the sink, the first
}

// NewRecorder records with the times of now, in nanoseconds, and to a file too where sink is not nil.
func NewRecorder(now func() int64, sink *Writer) *Recorder { return &Recorder{now: now, sink: sink} }

// Begin takes an operation before anything of it is sent, and returns it with its index and its time. It is handed back to
// End with what became of it.
func (r *Recorder) Begin(o Op) Op {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Index, o.Kind, o.Invoke, o.Complete = len(r.keep.Ops), Invoke, r.now(), Never
	r.keep.Ops = append(r.keep.Ops, o)
	r.write(func(w *Writer) error { return w.Op(&o) })
	return o
}

// End takes an operation that Begin gave, with its outcome.
func (r *Recorder) End(o Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Complete = r.now()
	r.keep.Ops[o.Index] = o
	r.write(func(w *Writer) error { return w.Op(&o) })
}

// BeginGroup is Begin for a group's event.
func (r *Recorder) BeginGroup(o GroupOp) GroupOp {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Index, o.Kind, o.Invoke, o.Complete = len(r.keep.Groups), Invoke, r.now(), Never
	r.keep.Groups = append(r.keep.Groups, o)
	r.write(func(w *Writer) error { return w.Group(&o) })
	return o
}

// EndGroup is End for a group's event.
func (r *Recorder) EndGroup(o GroupOp) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.Complete = r.now()
	r.keep.Groups[o.Index] = o
	r.write(func(w *Writer) error { return w.Group(&o) })
}

func (r *Recorder) write(one func(*Writer) error) {
	if r.sink != nil && r.err == nil {
		r.err = one(r.sink)
	}
}

// History returns what was recorded; what is still under way is Info. The error is the file's, if there was one.
func (r *Recorder) History() (History, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := History{Ops: append([]Op(nil), r.keep.Ops...), Groups: append([]GroupOp(nil), r.keep.Groups...)}
	for i := range h.Ops {
		if h.Ops[i].Kind == Invoke {
			h.Ops[i].Kind = Info
		}
	}
	for i := range h.Groups {
		if h.Groups[i].Kind == Invoke {
			h.Groups[i].Kind = Info
		}
	}
	err := r.err
	if r.sink != nil && err == nil {
		err = r.sink.Flush()
	}
	return h, err
}
