package cli

import (
	"strconv"
	"strings"
)

// keyValue splits the key=value of a flag.
func keyValue(flag, s string) (key, value string, err error) {
	key, value, found := strings.Cut(s, "=")
	if !found || strings.TrimSpace(key) == "" {
		return "", "", usage("%s %q is not key=value", flag, s)
	}
	return strings.TrimSpace(key), value, nil
}

// setting is one config key with its value as it goes to the broker.
type setting struct{ key, value string }

// settings reads -c key=value flags. Where Kafka wants ms or bytes, 7d and 512MiB may stand.
func settings(flag string, list []string) ([]setting, error) {
	var out []setting
	for _, s := range list {
		key, value, err := keyValue(flag, s)
		if err != nil {
			return nil, err
		}
		out = append(out, setting{key, plain(key, value)})
	}
	return out, nil
}

// plain turns a duration or a size into the number that Kafka takes; anything else stays as it is.
func plain(key, value string) string {
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return value
	}
	switch {
	case strings.HasSuffix(key, ".ms"):
		if d, err := parseDuration(value); err == nil {
			return strconv.FormatInt(d.Milliseconds(), 10)
		}
	case strings.HasSuffix(key, ".bytes"):
		if n, err := parseSize(value); err == nil {
			return strconv.FormatInt(n, 10)
		}
	}
	return value
}
