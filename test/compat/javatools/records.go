package javatools

import (
	"fmt"
	"strings"
)

// console sends keys, nulls and headers in every codec and reads them back as text.
func (b *bench) console() error {
	if err := b.create("console", 1); err != nil {
		return err
	}
	var input, want strings.Builder
	for i := range 20 {
		fmt.Fprintf(&input, "a:%d\tkey%d\tvalue %d\n", i, i, i)
		fmt.Fprintf(&want, "a:%d\tkey%d\tvalue %d\n", i, i, i)
	}
	input.WriteString("NIL\tNIL\tno key\nNIL\tonly key\tNIL\n")
	want.WriteString("NO_HEADERS\tnull\tno key\nNO_HEADERS\tonly key\tnull\n")
	const codecs = "none gzip snappy lz4 zstd"
	for _, codec := range strings.Fields(codecs) {
		if _, err := Feed(b.ctx, input.String(), "kafka-console-producer", "--bootstrap-server", b.node.Bootstrap(),
			"--topic", "console", "--compression-codec", codec, "--reader-property", "parse.key=true", "--reader-property",
			"parse.headers=true", "--reader-property", "null.marker=NIL"); err != nil {
			return fmt.Errorf("%s: %w", codec, err)
		}
	}
	out, err := b.tool("kafka-console-consumer", "--topic", "console", "--from-beginning", "--max-messages",
		fmt.Sprint(22*5), "--timeout-ms", "20000", "--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
	if err != nil {
		return err
	}
	if out != strings.Repeat(want.String(), 5) {
		return fmt.Errorf("the console consumer printed\n%s", out)
	}
	return b.expect([]string{"CreateTime:1"}, "kafka-console-consumer", "--topic", "console", "--from-beginning",
		"--max-messages", "1", "--timeout-ms", "20000", "--formatter-property", "print.timestamp=true")
}

// groups: a group commits through the console consumer; the tools see it, move it and delete it.
func (b *bench) groups() error {
	group := []string{"--group", "tools-group"}
	manage := func(wants []string, args ...string) func() error {
		return func() error {
			return b.expect(wants, "kafka-consumer-groups", append(append([]string{}, group...), args...)...)
		}
	}
	consume := func(n int, wants ...string) func() error {
		return func() error {
			return b.expect(wants, "kafka-console-consumer", "--topic", "console", "--group", "tools-group", "--from-beginning",
				"--max-messages", fmt.Sprint(n), "--timeout-ms", "30000", "--formatter-property", "print.offset=true")
		}
	}
	return steps(
		consume(10, "Offset:0\t", "Offset:9\t"),
		manage([]string{"tools-group", "console", "10 ", "110", "100"}, "--describe"),
		manage([]string{"Empty"}, "--describe", "--state"),
		consume(5, "Offset:10\t", "Offset:14\t"),
		func() error { return b.expect([]string{"tools-group"}, "kafka-consumer-groups", "--list") },
		func() error { return b.expect([]string{"tools-group", "Classic"}, "kafka-groups", "--list") },
		manage([]string{"tools-group", "console", " 3"}, "--reset-offsets", "--to-offset", "3", "--topic", "console", "--execute"),
		consume(1, "Offset:3\t"),
		manage([]string{"Successful"}, "--delete-offsets", "--topic", "console"),
		manage([]string{"Deletion of requested consumer groups ('tools-group') was successful."}, "--delete"),
		func() error {
			out, err := b.tool("kafka-consumer-groups", "--list")
			if err == nil && strings.Contains(out, "tools-group") {
				return fmt.Errorf("a deleted group is listed:\n%s", out)
			}
			return err
		},
	)
}

func (b *bench) perf() error {
	return steps(
		func() error { return b.create("perf", 3) },
		func() error {
			for _, codec := range []string{"none", "lz4"} {
				out, err := Run(b.ctx, "kafka-producer-perf-test", "--topic", "perf", "--num-records", "100000", "--record-size", "200",
					"--throughput", "-1", "--bootstrap-server", b.node.Bootstrap(), "--command-property", "acks=all", "compression.type="+codec)
				if err != nil {
					return err
				}
				if err := contains("kafka-producer-perf-test", out, "100000 records sent", "99.9th"); err != nil {
					return err
				}
			}
			return nil
		},
		func() error {
			out, err := b.tool("kafka-consumer-perf-test", "--topic", "perf", "--num-records", "200000", "--timeout", "30000")
			if err != nil {
				return err
			}
			rows := strings.Split(strings.TrimSpace(out), "\n")
			fields := strings.Split(rows[len(rows)-1], ", ")
			if len(fields) < 5 || strings.TrimSpace(fields[4]) != "200000" {
				return fmt.Errorf("kafka-consumer-perf-test did not read 200000 records:\n%s", out)
			}
			return nil
		},
	)
}

func (b *bench) latency() error {
	return steps(
		func() error { return b.create("latency", 1) },
		func() error {
			out, err := Run(b.ctx, "kafka-e2e-latency", "--bootstrap-server", b.node.Bootstrap(), "--topic", "latency", "--num-records", "500",
				"--producer-acks", "all", "--record-size", "100")
			if err != nil {
				return err
			}
			return contains("kafka-e2e-latency", out, "Avg latency:", "Percentiles:")
		},
	)
}
