package checkpoint

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/milena-io/milena/internal/fault"
	"github.com/milena-io/milena/internal/kafka"
)

// Offsets is the content of an offset checkpoint: one offset for each partition of a log directory.
type Offsets map[kafka.TopicPartition]kafka.Offset

// ParseOffsets reads an offset checkpoint. No data is an empty one: Kafka makes the files before it has anything to write.
func ParseOffsets(data []byte) (Offsets, error) {
	if len(data) == 0 {
		return Offsets{}, nil
	}
	lines, err := Lines(data, 3)
	if err != nil {
		return nil, err
	}
	offsets := make(Offsets, len(lines))
	for _, line := range lines {
		partition, perr := strconv.ParseInt(string(line[1]), 10, 32)
		offset, oerr := strconv.ParseInt(string(line[2]), 10, 64)
		if perr != nil || oerr != nil || partition < 0 || offset < 0 {
			return nil, fault.Corruption("checkpoint.ParseOffsets", "malformed line %q", line)
		}
		tp := kafka.TopicPartition{Topic: string(line[0]), Partition: int32(partition)}
		if _, twice := offsets[tp]; twice {
			return nil, fault.Corruption("checkpoint.ParseOffsets", "%s stands there twice", tp)
		}
		offsets[tp] = kafka.Offset(offset)
	}
	return offsets, nil
}

// Format writes the checkpoint's text, sorted so that equal content gives equal bytes.
func (o Offsets) Format() []byte { return o.FormatWith(nil) }

// FormatWith writes the text that the checkpoint has with some offsets changed or new.
func (o Offsets) FormatWith(changed Offsets) []byte {
	keys := make([]kafka.TopicPartition, 0, len(o)+len(changed))
	bytes := 0
	for tp := range o {
		keys = append(keys, tp)
		bytes += len(tp.Topic) + 2*len(" 2147483647 ")
	}
	for tp := range changed {
		if _, known := o[tp]; !known {
			keys = append(keys, tp)
		}
	}
	slices.SortFunc(keys, func(a, b kafka.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	out := Header(make([]byte, 0, bytes), len(keys))
	for _, tp := range keys {
		offset, is := changed[tp]
		if !is {
			offset = o[tp]
		}
		out = append(out, tp.Topic...)
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(tp.Partition), 10)
		out = append(out, ' ')
		out = strconv.AppendInt(out, int64(offset), 10)
		out = append(out, '\n')
	}
	return out
}
