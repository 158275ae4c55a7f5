package metrics

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
	"time"

	vm "github.com/VictoriaMetrics/metrics"
)

// process writes what the operating system and the Go runtime tell of this process, and what Kafka's boards expect to be
// told under names of their own.
func (m *Metrics) process(p *page, now time.Duration) {
	var text bytes.Buffer
	vm.WriteProcessMetrics(&text)
	vm.WriteFDMetrics(&text)
	told := p.foreign(text.String())
	if read, ok := told["process_io_storage_read_bytes_total"]; ok {
		p.family("kafka_server_kafkaserver_linux_disk_read_bytes", gauge, "Bytes that this process caused to be read from disks.")
		p.float("", read)
		p.family("kafka_server_kafkaserver_linux_disk_write_bytes", gauge, "Bytes that this process caused to be written to disks.")
		p.float("", told["process_io_storage_written_bytes_total"])
	}
	if cpu, ok := told["process_cpu_seconds_total"]; ok {
		// Kafka's pools of threads have no counterpart here: handlers and sockets share the CPUs. What an operator looks for in
		// these two, how much room is left, is the share of CPU time that the process does not use.
		idle := 1 - min(1, m.seen.cpu.rate(now, cpu)/float64(runtime.GOMAXPROCS(0)))
		p.family("kafka_server_kafkarequesthandlerpool_requesthandleravgidle_percent", gauge, "Share of the CPUs' time that this process leaves idle, over the last minute, from 0 to 1.")
		p.float("", idle)
		p.family("kafka_network_socketserver_networkprocessoravgidle_percent", gauge, "Share of the CPUs' time that this process leaves idle, over the last minute, from 0 to 1.")
		p.float("", idle)
	}
}

// foreign copies another library's page, which has no TYPE lines, and returns its series without labels.
func (p *page) foreign(text string) map[string]float64 {
	told := map[string]float64{}
	last := ""
	for line := range strings.Lines(text) {
		end := strings.IndexAny(line, "{ ")
		if end < 0 || line[0] == '#' {
			continue
		}
		family, k := foreignFamily(line[:end], last)
		if family != last {
			p.b = append(p.b, "# TYPE "+family+" "+string(k)+"\n"...)
			last = family
		}
		p.b = append(p.b, line...)
		if line[end] == ' ' {
			if v, err := strconv.ParseFloat(strings.TrimSpace(line[end:]), 64); err == nil {
				told[line[:end]] = v
			}
		}
	}
	return told
}

// foreignFamily tells to which family a series belongs when the one before it belonged to last.
func foreignFamily(name, last string) (string, kind) {
	for _, suffix := range []string{"_sum", "_count"} {
		if stem, ok := strings.CutSuffix(name, suffix); ok && stem == last {
			return last, summary // the kind is not used: the family has begun
		}
	}
	switch {
	case name == "go_gc_duration_seconds":
		return name, summary
	case strings.HasSuffix(name, "_bucket"): // of a histogram without sum and count, which is therefore none
		return name, counter
	case strings.HasSuffix(name, "_total"), strings.HasSuffix(name, "_count") && name != "go_cpu_count":
		return name, counter
	}
	return name, gauge
}
