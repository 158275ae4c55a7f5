package checkpoint

import (
	"bytes"
	"strconv"

	"github.com/milena-io/milena/internal/fault"
)

// version is the only version of the text checkpoints that Kafka ever wrote.
const version = "0"

// Lines splits a text checkpoint into its lines of exactly fields fields each, after checking version and count.
// The lines alias data.
func Lines(data []byte, fields int) ([][][]byte, error) {
	head, rest, _ := bytes.Cut(data, []byte("\n"))
	if string(bytes.TrimSpace(head)) != version {
		return nil, fault.Corruption("checkpoint.Lines", "unknown version %q", head)
	}
	countLine, rest, _ := bytes.Cut(rest, []byte("\n"))
	count, err := strconv.Atoi(string(bytes.TrimSpace(countLine)))
	if err != nil || count < 0 || count > len(rest) {
		return nil, fault.Corruption("checkpoint.Lines", "bad count of lines %q", countLine)
	}
	lines := make([][][]byte, 0, count)
	for range count {
		if len(rest) == 0 {
			return nil, fault.Corruption("checkpoint.Lines", "%d lines of the %d announced", len(lines), count)
		}
		var line []byte
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		parts := bytes.Fields(line)
		if len(parts) != fields {
			return nil, fault.Corruption("checkpoint.Lines", "malformed line %q", line)
		}
		lines = append(lines, parts)
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, fault.Corruption("checkpoint.Lines", "more lines than the %d announced", count)
	}
	return lines, nil
}

// Header appends version and count, the two lines every text checkpoint begins with.
func Header(dst []byte, count int) []byte {
	dst = append(dst, version+"\n"...)
	dst = strconv.AppendInt(dst, int64(count), 10)
	return append(dst, '\n')
}
