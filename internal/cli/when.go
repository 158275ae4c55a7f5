package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseTime reads a point in time: a duration back from now (10m, 2h, 7d), now, today, yesterday, a date, a date with a
// time (local unless it has a zone), RFC 3339, or milliseconds since 1970.
func parseTime(s string, now time.Time) (time.Time, error) {
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch strings.ToLower(s) {
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if d, err := parseDuration(strings.TrimPrefix(s, "-")); err == nil {
		return now.Add(-d), nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) >= 10 {
		if len(s) == 10 {
			ms *= 1000 // seconds since 1970
		}
		return time.UnixMilli(ms), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999", "2006-01-02 15:04:05.999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", s, now.Location()); err == nil {
		return midnight.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time such as 10m, yesterday, 2026-11-20, 2026-11-20T08:00 or 2026-11-20T08:00:00Z", s)
}

// place is where in a partition to read or to set a group: start, end, stored, an offset, the last n, or a time.
type place struct {
	kind  placeKind
	value int64 // an offset, a number of records, or ms since 1970
}

type placeKind uint8

const (
	atStart placeKind = iota
	atEnd
	atStored // where the group stands
	atOffset
	atTail // the last n records
	atTime
)

// parsePlace reads a place. A plain number is an offset; a time is written as parseTime reads it, in ms with an @ before.
func parsePlace(s string, now time.Time) (place, error) {
	switch s {
	case "start", "beginning", "earliest":
		return place{kind: atStart}, nil
	case "end", "latest":
		return place{kind: atEnd}, nil
	case "stored":
		return place{kind: atStored}, nil
	}
	if o, err := strconv.ParseInt(s, 10, 64); err == nil {
		if o < 0 {
			return place{kind: atTail, value: -o}, nil
		}
		return place{kind: atOffset, value: o}, nil
	}
	t, err := parseTime(strings.TrimPrefix(s, "@"), now)
	if err != nil {
		return place{}, fmt.Errorf("%q is no place: start, end, stored, an offset, -N for the last N records, a time such as 10m or 2026-11-20T08:00, or @1795246122230, ms since 1970", s)
	}
	return place{kind: atTime, value: t.UnixMilli()}, nil
}
