package main

import (
	"context"
	"fmt"
	"time"
)

// await looks until done is true. What it waits for happens in the background of the broker, which tells nobody, so
// looking is all there is.
func await(ctx context.Context, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-again.C:
		}
	}
	return nil
}
