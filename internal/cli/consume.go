package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// consumeFlags are what the flags of consume say.
type consumeFlags struct {
	from, since, until string
	limit              int64
	tail               int64
	follow             bool
	group              string
	partitions         []int32
	format             string
	delimiter          string
	keySeparator       string
	readCommitted      bool
}

func (a *app) consumeCommand() *cobra.Command {
	var f consumeFlags
	c := a.command(spec{
		use: "consume TOPIC", short: "Read records", doc: recordDoc{}, args: oneName("topic"),
		long: `Reads records. On a terminal each is one readable line, and new records are waited for, from the end on. Into a pipe or
a file goes the value and a newline, from the start to what is now the end; -o json is a line of JSON for each in both.

--from takes start, end, stored (where --group stands), an offset, -N for the last N records of each partition, or a
time; --since a time. Times are 10m, yesterday, 2026-11-20, 2026-11-20T08:00, RFC 3339, or @ and milliseconds since 1970.
-n waits for so many records.
With --group the records are committed after they were written, and only those.`,
		example: `  milena consume orders --from start -n 10
  milena consume orders --since 10m -o json | jq -r .key
  milena consume orders -f '%t[%p]@%o %k %v\n'`,
		run: func(ctx context.Context, args []string) error { return a.consume(ctx, f, args[0]) },
	})
	s := c.Flags()
	s.StringVar(&f.from, "from", "", "`where` to begin: start, end, stored, an offset, -N, a time, or @ms since 1970")
	s.StringVar(&f.since, "since", "", "begin at this `time`: 10m, yesterday, 2026-11-20T08:00")
	s.StringVar(&f.until, "until", "", "stop before this `time`, or at end: what is the end now")
	s.Int64VarP(&f.limit, "number", "n", -1, "stop after `N` records")
	s.Int64Var(&f.tail, "tail", 0, "begin with the last `N` records of each partition")
	s.BoolVar(&f.follow, "follow", false, "wait for new records (the default on a terminal)")
	s.StringVarP(&f.group, "group", "g", "", "join this consumer `group` and commit what was written")
	s.Int32SliceVarP(&f.partitions, "partition", "p", nil, "only these `partitions`")
	s.StringVarP(&f.format, "format", "f", "", "print each record by this `layout`: %t topic, %p partition, %o offset, %k key, %v value, %h headers (key=value,…), %d time, %h{%k:%v }, %v{hex}…")
	s.StringVarP(&f.delimiter, "delimiter", "D", `\n`, "what ends a raw record")
	s.StringVarP(&f.keySeparator, "key-separator", "K", "", "print the key and this `text` before a raw value")
	s.BoolVar(&f.readCommitted, "read-committed", false, "leave out records of aborted and open transactions")
	return c
}

// plan is what a consume run was found to mean.
type plan struct {
	from     place
	bounded  bool  // it ends at bounds
	untilMs  int64 // the bound as a time, -1 for the end as it is now
	limit    int64 // -1 none
	printer  printer
	flags    consumeFlags
	topic    string
	assigned map[int32]kgo.Offset // where to begin, without a group
	next     map[int32]int64      // the offset that comes next
	bounds   map[int32]int64      // where each partition ends
}

// planOf checks the flags against each other and settles what they leave open.
func (a *app) planOf(f consumeFlags, topic string, now time.Time) (*plan, error) {
	p := &plan{limit: f.limit, flags: f, topic: topic, untilMs: -1}
	set := 0
	for _, given := range []bool{f.from != "", f.since != "", f.tail > 0} {
		if given {
			set++
		}
	}
	switch {
	case set > 1:
		return nil, usage("--from, --since and --tail exclude each other")
	case f.follow && f.until != "":
		return nil, usage("--follow and --until exclude each other")
	case f.group != "" && len(f.partitions) > 0:
		return nil, usage("--group and --partition exclude each other: a group assigns partitions")
	case f.limit < -1 || f.tail < 0:
		return nil, usage("a number of records cannot be negative")
	}
	piped := !f.follow && !a.OutTerminal // what there is, from the start on
	p.bounded = f.until != "" || piped && f.limit < 0
	if f.until != "" && f.until != "end" {
		t, err := parseTime(f.until, now)
		if err != nil {
			return nil, usage("--until: %v", err)
		}
		p.untilMs = t.UnixMilli()
	}
	var err error
	switch {
	case f.tail > 0:
		p.from = place{kind: atTail, value: f.tail}
	case f.since != "":
		var t time.Time
		if t, err = parseTime(f.since, now); err == nil {
			p.from = place{kind: atTime, value: t.UnixMilli()}
		}
	case f.from != "":
		p.from, err = parsePlace(f.from, now)
	case p.bounded || piped:
		p.from = place{kind: atStart}
	default:
		p.from = place{kind: atEnd}
	}
	if err != nil {
		return nil, usage("%v", err)
	}
	if p.from.kind == atStored && f.group == "" {
		return nil, usage("--from stored needs --group")
	}
	p.printer, err = a.printerOf(f)
	return p, err
}

func (a *app) consume(ctx context.Context, f consumeFlags, topic string) error {
	p, err := a.planOf(f, topic, time.Now())
	if err != nil {
		return err
	}
	if err := a.admin(ctx, func(ctx context.Context, _ *kgo.Client, adm *kadm.Client) error { return a.locate(ctx, adm, p) }); err != nil {
		return err
	}
	if p.limit == 0 || p.bounded && p.finished() {
		return nil
	}
	r := &reading{app: a, plan: p, began: time.Now()}
	r.client, err = a.connect(ctx, r.options()...)
	if err != nil {
		return err
	}
	defer r.client.CloseAllowingRebalance()
	err = r.loop(ctx)
	if err == nil && a.ErrTerminal {
		a.note("%s from %s in %s", plural(r.printed, "record"), plural(int64(len(p.bounds)), "partition"), duration(time.Since(r.began).Round(time.Millisecond)))
	}
	return err
}

// finished reports whether every partition was read up to its bound.
func (p *plan) finished() bool {
	for partition, bound := range p.bounds {
		if p.next[partition] < bound {
			return false
		}
	}
	return true
}

// reading is one run of consume.
type reading struct {
	app     *app
	plan    *plan
	client  *kgo.Client
	began   time.Time
	printed int64
	idle    time.Time // since when nothing came
	joined  chan struct{}
}

// idleEnd is how long nothing may come before a partition's bound counts as reached: the last offsets may belong to
// records that compaction or an aborted transaction took away, which no fetch ever shows.
const idleEnd = 5 * time.Second

func (r *reading) options() []kgo.Opt {
	p := r.plan
	opts := []kgo.Opt{kgo.KeepControlRecords(), kgo.FetchMaxWait(500 * time.Millisecond)}
	if p.flags.readCommitted {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	r.joined = make(chan struct{})
	if p.flags.group == "" {
		close(r.joined)
		return append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: p.assigned}))
	}
	once := false
	return append(opts, kgo.ConsumerGroup(p.flags.group), kgo.ConsumeTopics(p.topic), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(resetOffset(p.from)),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			if !once {
				once = true
				close(r.joined)
			}
		}))
}

// resetOffset is where a group begins in a partition that it has no commit for.
func resetOffset(from place) kgo.Offset {
	switch from.kind {
	case atEnd:
		return kgo.NewOffset().AtEnd()
	case atOffset:
		return kgo.NewOffset().At(from.value)
	case atTail:
		return kgo.NewOffset().AtEnd().Relative(-from.value)
	case atTime:
		return kgo.NewOffset().AfterMilli(from.value)
	}
	return kgo.NewOffset().AtStart()
}

func (r *reading) loop(ctx context.Context) error {
	for {
		most := -1
		if left := r.plan.limit - r.printed; r.plan.limit >= 0 {
			most = int(min(left, 10_000))
		}
		within, cancel := ctx, context.CancelFunc(func() {})
		if r.plan.bounded {
			within, cancel = context.WithTimeout(ctx, time.Second)
		}
		fetches := r.client.PollRecords(within, most)
		cancel()
		err := r.take(ctx, fetches)
		r.client.AllowRebalance()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case r.plan.limit >= 0 && r.printed >= r.plan.limit:
			return nil
		case r.plan.bounded && (r.plan.finished() || r.stuck(fetches.NumRecords())):
			return nil
		}
	}
}

// take prints what one poll brought, then commits it.
func (r *reading) take(ctx context.Context, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled) {
			continue
		}
		if errors.Is(e.Err, kerr.UnknownTopicOrPartition) || errors.Is(e.Err, kerr.UnknownTopicID) {
			return failed(kerr.UnknownTopicOrPartition.Message, "topic %q was deleted while it was read", r.plan.topic)
		}
		return e.Err
	}
	last := map[int32]*kgo.Record{}
	var failure error
	fetches.EachRecord(func(rec *kgo.Record) {
		bound, known := r.plan.bounds[rec.Partition]
		beyond := r.plan.bounded && known && rec.Offset >= bound
		if failure == nil && !rec.Attrs.IsControl() && !beyond {
			if failure = r.plan.printer(r.app, rec); failure == nil {
				r.printed++
			}
		}
		if failure == nil && !beyond {
			last[rec.Partition] = rec
		}
		r.plan.next[rec.Partition] = rec.Offset + 1
	})
	if err := r.app.out.flush(); err != nil {
		return err
	}
	if failure != nil || r.plan.flags.group == "" || len(last) == 0 {
		return failure
	}
	var commit []*kgo.Record
	for _, rec := range last {
		commit = append(commit, rec)
	}
	return r.client.CommitRecords(context.WithoutCancel(ctx), commit...)
}

// stuck reports whether nothing came for so long that nothing more will before the bounds, and says so.
func (r *reading) stuck(came int) bool {
	select {
	case <-r.joined:
	default:
		return false
	}
	if came > 0 || r.idle.IsZero() {
		r.idle = time.Now()
		return false
	}
	if time.Since(r.idle) < idleEnd {
		return false
	}
	var left []string
	for _, partition := range sortedKeys(r.plan.bounds) {
		if next, bound := r.plan.next[partition], r.plan.bounds[partition]; next < bound {
			left = append(left, rangeText(r.plan.topic, partition, next, bound))
		}
	}
	r.app.note("nothing to read in %s", strings.Join(left, ", "))
	return true
}
