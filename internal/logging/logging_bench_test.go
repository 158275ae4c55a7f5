package logging_test

import (
	"context"
	"io"
	"log/slog"
	"testing"

	"github.com/milena-io/milena/internal/logging"
)

func BenchmarkLine(b *testing.B) {
	for _, format := range []string{logging.Kafka, logging.JSON, logging.Pretty} {
		b.Run(format, func(b *testing.B) {
			l := slog.New(logging.New(io.Discard, logging.Options{Format: format})).With("component", "kafka.server", "node", 1)
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				l.LogAttrs(ctx, slog.LevelInfo, "Shrinking ISR from 1,2,3 to 1,2.",
					slog.String("event", "isr_shrink"), slog.String("partition", "orders-7"), slog.Int("lag", 12))
			}
		})
	}
	b.Run("disabled", func(b *testing.B) {
		l := slog.New(logging.New(io.Discard, logging.Options{}))
		ctx := context.Background()
		b.ReportAllocs()
		for b.Loop() {
			l.LogAttrs(ctx, slog.LevelDebug, "fetch", slog.String("partition", "orders-7"))
		}
	})
}
