package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// parseDuration reads a duration as people write it: 10m, 1h30m, 7d, 2w, 250ms.
func parseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest := s
	for rest != "" {
		n := 0
		for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '.') {
			n++
		}
		u := n
		for u < len(rest) && (rest[u] < '0' || rest[u] > '9') && rest[u] != '.' {
			u++
		}
		v, err := strconv.ParseFloat(rest[:n], 64)
		unit, ok := map[string]time.Duration{
			"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
		}[rest[n:u]]
		if err != nil || !ok || v*float64(unit) > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is no duration such as 10m, 1h30m or 7d", s)
		}
		total += time.Duration(v * float64(unit))
		rest = rest[u:]
	}
	if s == "" {
		return 0, fmt.Errorf("a duration is empty")
	}
	return total, nil
}

// parseSize reads bytes as people write them: 512, 1KiB, 64MiB, 10MB.
func parseSize(s string) (int64, error) {
	return parseScaled(s, "size such as 512, 1KiB or 64MiB", map[string]float64{
		"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	})
}

// parseCount reads a number of things: 5000, 10k, 2.5M.
func parseCount(s string) (int64, error) {
	return parseScaled(s, "number such as 5000, 10k or 2M", map[string]float64{"": 1, "K": 1e3, "M": 1e6, "G": 1e9})
}

func parseScaled(s, what string, units map[string]float64) (int64, error) {
	n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if n < 0 {
		n = len(s)
	}
	v, err := strconv.ParseFloat(s[:n], 64)
	unit, ok := units[strings.ToUpper(strings.TrimSpace(s[n:]))]
	if err != nil || !ok || v*unit > 1<<62 {
		return 0, fmt.Errorf("%q is no %s", s, what)
	}
	return int64(v * unit), nil
}

// count prints a number for people: 12.4 M.
func count(n int64) string {
	for _, u := range []struct {
		unit string
		at   float64
	}{{"G", 1e9}, {"M", 1e6}, {"k", 1e4}} {
		if math.Abs(float64(n)) >= u.at {
			if u.unit == "k" {
				u.at = 1e3
			}
			return fmt.Sprintf("%.1f %s", float64(n)/u.at, u.unit)
		}
	}
	return strconv.FormatInt(n, 10)
}

// size prints bytes for people: 3.1 GiB.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// duration prints a time span for people, in the largest unit that divides it where there is one: 7d, 2h 11m.
func duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + duration(-d)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(float64(d.Milliseconds())/1000, 'f', -1, 64) + " s"
	}
	var parts []string
	for _, u := range []struct {
		unit string
		d    time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if n := d / u.d; n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d%s", n, u.unit))
			d -= n * u.d
		}
	}
	return strings.Join(parts, " ")
}

// timestamp is a record's time as JSON shows it.
func timestamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// pluralWord is a word for one or several.
func pluralWord(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}
