package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// producedDoc is one line of `produce -o json`: where a record went.
type producedDoc struct {
	Topic       string `json:"topic"`
	Partition   int32  `json:"partition"`
	Offset      int64  `json:"offset"`
	OffsetStr   string `json:"offset_str"` // jq before 1.7 rounds large numbers
	Timestamp   string `json:"timestamp"`
	TimestampMs int64  `json:"timestamp_ms"`
}

// produceFlags are what the flags of produce say.
type produceFlags struct {
	source      sourceFlags
	partition   int32
	compression string
	acks        string
	idempotent  bool
	keepPlace   bool
	maxBytes    string
}

func (a *app) produceCommand() *cobra.Command {
	var f produceFlags
	c := a.command(spec{
		use: "produce TOPIC [VALUE…]", short: "Write records: a line of standard input is one, or an argument", doc: producedDoc{},
		long: `Writes records, one for each line of standard input, byte for byte, or one for each VALUE. An empty line is an empty
value; --tombstone writes a null. The exit code is 0 only when the cluster has acknowledged every record.`,
		example: `  tail -f app.log | milena produce app.logs -z zstd
  milena produce orders -k 42 -H source=cli '{"id":42}'
  milena consume orders --until end -o json | milena produce copy --input json
  milena produce users -k 7 --tombstone`,
		args: func(args []string) error {
			if len(args) == 0 || args[0] == "" {
				return usage("which topic?")
			}
			return nil
		},
		run: func(ctx context.Context, args []string) error { return a.produce(ctx, f, args[0], args[1:]) },
	})
	s := c.Flags()
	f.source.register(s)
	s.Int32VarP(&f.partition, "partition", "p", -1, "write to this `partition`; -1 goes by the key, without a key by batches")
	s.StringVarP(&f.compression, "compression", "z", "none", "`codec`: none, gzip, snappy, lz4 or zstd")
	s.StringVar(&f.acks, "acks", "all", "who must have a record before it counts: `all`, 1 (the leader) or 0 (nobody)")
	s.BoolVar(&f.idempotent, "idempotence", true, "no duplicates and no reordering by retries; needs --acks all")
	s.BoolVar(&f.keepPlace, "keep-partition", false, "with --input json: write to the partition that the record names")
	s.StringVar(&f.maxBytes, "max-bytes", "", "largest batch that is sent, before compression, `bytes` (default: the topic's max.message.bytes)")
	return c
}

// deliveryTimeout is how long a cluster that is away is waited for, as delivery.timeout.ms of Kafka's producer. The
// client's own timeout counts from a record's timestamp, which a copy keeps.
const deliveryTimeout = 2 * time.Minute

// options turns the flags into the client's.
func (f produceFlags) options() ([]kgo.Opt, error) {
	opts, err := acksOptions(f.acks, f.idempotent)
	if err != nil {
		return nil, err
	}
	codec, err := codecOf(f.compression)
	if err != nil {
		return nil, err
	}
	opts = append(opts, kgo.ProducerBatchCompression(codec), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(8))
	if f.keepPlace && f.source.input != "json" {
		return nil, usage("--keep-partition needs --input json")
	}
	if f.partition >= 0 || f.keepPlace {
		opts = append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	}
	return opts, nil
}

func acksOptions(acks string, idempotent bool) ([]kgo.Opt, error) {
	switch acks {
	case "all", "-1":
		if idempotent {
			return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks())}, nil
		}
		return []kgo.Opt{kgo.RequiredAcks(kgo.AllISRAcks()), kgo.DisableIdempotentWrite()}, nil
	case "1":
		return []kgo.Opt{kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite()}, nil
	case "0":
		return []kgo.Opt{kgo.RequiredAcks(kgo.NoAck()), kgo.DisableIdempotentWrite()}, nil
	}
	return nil, usage("--acks %q: all, 1 or 0", acks)
}

func codecOf(name string) (kgo.CompressionCodec, error) {
	switch name {
	case "none", "":
		return kgo.NoCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return kgo.NoCompression(), usage("--compression %q: none, gzip, snappy, lz4 or zstd", name)
}

// producing is one run of produce.
type producing struct {
	app    *app
	limit  batchLimit
	client *kgo.Client
	each   bool // a line is printed for each record
	stop   context.CancelFunc
	watch  *time.Timer // fires when nothing was acknowledged for so long

	mu     sync.Mutex
	acked  int64
	err    error       // of the first record that was refused
	record *kgo.Record // that was refused first; nil when none was
}

func (a *app) produce(ctx context.Context, f produceFlags, topic string, values []string) error {
	opts, err := f.options()
	if err != nil {
		return err
	}
	source, err := a.openSource(f.source, topic, values)
	if err != nil {
		return err
	}
	defer source.close()
	limit, err := a.batchLimit(ctx, f, topic)
	if err != nil {
		return err
	}
	client, err := a.connect(ctx, append(append(opts, limit.options()...), kgo.DefaultProduceTopic(topic))...)
	if err != nil {
		return err
	}
	defer client.Close()
	reading, stop := context.WithCancel(ctx)
	defer stop()
	p := &producing{app: a, limit: limit, client: client, each: a.asJSON() || len(values) > 0 || f.source.tombstone, stop: stop}
	p.watch = time.AfterFunc(deliveryTimeout, p.waited)
	defer p.watch.Stop()
	read := p.readAll(reading, f, source)
	if err := client.Flush(reading); err != nil && ctx.Err() == nil && p.failed() == nil {
		return err
	}
	return p.end(ctx, read)
}

// readAll sends every record of the source and returns what ended the reading. A record that was refused ends it, too:
// what comes after would stand in the log without it.
func (p *producing) readAll(ctx context.Context, f produceFlags, source recordSource) error {
	next := make(chan readRecord)
	go func() { // a read of a terminal or a pipe cannot be interrupted, so it must not hold the command
		defer close(next)
		for {
			r, err := source.next()
			select {
			case next <- readRecord{r, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case n, more := <-next:
			if !more {
				return ctx.Err()
			}
			if errors.Is(n.err, io.EOF) {
				return nil
			}
			if n.err != nil {
				return n.err
			}
			if f.partition >= 0 {
				n.record.Partition = f.partition
			}
			if err := p.limit.check(n.record); err != nil {
				return err
			}
			p.client.Produce(ctx, n.record, p.promise)
		}
	}
}

type readRecord struct {
	record *kgo.Record
	err    error
}

// waited ends the command when records have been waiting and none was acknowledged.
func (p *producing) waited() {
	if p.client.BufferedProduceRecords() == 0 {
		p.watch.Reset(deliveryTimeout)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = fmt.Errorf("no acknowledgement for %s: %w", duration(deliveryTimeout), kerr.RequestTimedOut)
		p.stop()
	}
}

// promise takes the cluster's answer to a record; the client calls it in order, from one goroutine.
func (p *producing) promise(r *kgo.Record, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if p.err == nil {
			p.err, p.record = err, r
			p.stop()
		}
		return
	}
	p.acked++
	p.watch.Reset(deliveryTimeout)
	if p.each && p.err == nil {
		p.err = p.print(r)
	}
}

func (p *producing) print(r *kgo.Record) error {
	d := producedDoc{r.Topic, r.Partition, r.Offset, fmt.Sprint(r.Offset), timestamp(r.Timestamp.UnixMilli()), r.Timestamp.UnixMilli()}
	if p.app.asJSON() {
		return p.app.json(d)
	}
	return p.app.line("%s[%d]@%d  %s", d.Topic, d.Partition, d.Offset, d.Timestamp)
}

func (p *producing) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *producing) end(ctx context.Context, read error) error {
	refused := p.failed()
	p.mu.Lock()
	acked := p.acked
	p.mu.Unlock()
	switch {
	case errors.Is(refused, errPipe):
		return refused
	case ctx.Err() != nil:
		p.app.note("interrupted after %s", plural(acked, "acknowledged record"))
		return ctx.Err()
	case refused != nil:
		return p.refusal(ctx, refused, acked)
	case read != nil:
		if f := (*failure)(nil); errors.As(read, &f) {
			return p.notAccepted(f, acked)
		}
		return &failure{exit: exitFailed, code: "INPUT", cause: read, message: fmt.Sprintf("reading the records: %v (%s before)", read, plural(acked, "record")+" written")}
	}
	if p.app.ErrTerminal && !p.each {
		p.app.note("%s written to %s", plural(acked, "record"), p.limit.topic)
	}
	return nil
}

// refusal explains the first record that the cluster did not take.
func (p *producing) refusal(ctx context.Context, err error, acked int64) error {
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(p.app.flags.timeout, 2*time.Second))
	defer cancel()
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		adm := kadm.NewClient(p.client)
		if f := p.app.asFailure(p.app.noTopic(within, adm, p.limit.topic)); !strings.Contains(f.hint, fmt.Sprintf("%q", p.limit.topic)) {
			return f
		}
	}
	f := p.app.asFailure(err)
	p.mu.Lock()
	r := p.record
	p.mu.Unlock()
	if strings.Contains(err.Error(), "invalid record partitioning choice") { // the client's words; it has no error of its own for it
		f = failed(kerr.UnknownTopicOrPartition.Message, "topic %q has no such partition", p.limit.topic).try("milena topic describe %s lists them", p.limit.topic)
	}
	if r != nil && errors.Is(err, kerr.MessageTooLarge) {
		f.hint = p.limit.hint(r)
	}
	return p.notAccepted(f, acked)
}

func (p *producing) notAccepted(f *failure, acked int64) error {
	f.message = fmt.Sprintf("record %d was not accepted: %s (%s)", acked+1, f.message, plural(acked, "record")+" acknowledged before it")
	return f
}
