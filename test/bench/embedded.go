package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/milena-io/milena"
)

// embeddedTimes are milena.Start to first acknowledged record inside this process, sorted.
type embeddedTimes struct{ memory, disk []time.Duration }

func embedded(ctx context.Context, n int, dir string) (embeddedTimes, error) {
	var t embeddedTimes
	for i := range n {
		for _, place := range []struct {
			into *[]time.Duration
			dir  string
		}{{&t.memory, ""}, {&t.disk, filepath.Join(dir, fmt.Sprint(i))}} {
			took, err := embeddedFirstAck(ctx, place.dir)
			if err != nil {
				return t, err
			}
			*place.into = append(*place.into, took)
		}
	}
	slices.Sort(t.memory)
	slices.Sort(t.disk)
	return t, nil
}

func embeddedFirstAck(ctx context.Context, dir string) (time.Duration, error) {
	begin := time.Now()
	b, err := milena.Start(ctx, milena.Config{Dir: dir})
	if err != nil {
		return 0, err
	}
	defer b.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.DefaultProduceTopic("first"), kgo.ProducerLinger(0),
		kgo.AllowAutoTopicCreation())
	if err != nil {
		return 0, err
	}
	defer client.Close()
	if err := makeTopic(ctx, client, "first", 1); err != nil {
		return 0, err
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("the first")).FirstErr(); err != nil {
		return 0, err
	}
	return time.Since(begin), nil
}
