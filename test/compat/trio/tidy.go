package trio

import (
	"regexp"
	"slices"
	"strings"
)

var (
	traces   = regexp.MustCompile(`(?m)^\t(at |\.\.\. ).*\n`)
	topicID  = regexp.MustCompile(`TopicId: [\w-]{22}`)
	voters   = regexp.MustCompile(`set of voters \[.*\]`)
	local    = regexp.MustCompile(`Local controller \d+`)
	longID   = regexp.MustCompile(`\b[\w-]{22}\b`)
	isrs     = regexp.MustCompile(`Isr: [\d,]+`)
	wholes   = regexp.MustCompile(`-?\d+`)
	blankRun = regexp.MustCompile(`[ \t]+`)
)

// tidied takes out of an answer what differs from run to run of one system.
func tidied(out string) string {
	out = traces.ReplaceAllString(out, "")
	out = topicID.ReplaceAllString(out, "TopicId: {id}")
	out = voters.ReplaceAllString(out, "set of voters {voters}") // in the order of a map
	out = local.ReplaceAllString(out, "Local controller {n}")
	out = isrs.ReplaceAllStringFunc(out, members)
	if out != "" && !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	return out
}

// ids takes out every id of a directory or a cluster.
func ids(out string) string { return longID.ReplaceAllString(out, "{id}") }

// sorted has the lines in an order of their own, where the tool prints them in that of a map.
func sorted(out string) string {
	lines := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, "\n") + "\n"
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// squeezed makes one blank of many: a column is as wide as its widest number.
func squeezed(out string) string {
	lines := strings.Split(out, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(blankRun.ReplaceAllString(line, " "), " ")
	}
	return strings.Join(lines, "\n")
}

// status is kafka-metadata-quorum describe --status without who leads, in which epoch, how far.
func status(out string) string {
	lines := strings.Split(ids(squeezed(out)), "\n")
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ": ")
		if ok && !strings.Contains(name, "Current") {
			lines[i] = name + ": " + wholes.ReplaceAllString(value, "{n}")
		}
	}
	return strings.Join(lines, "\n")
}

// followers is kafka-metadata-quorum describe --replication without figures, by node.
func followers(out string) string {
	lines := strings.Split(strings.TrimSuffix(ids(squeezed(out)), "\n"), "\n")
	for i, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		for j := 2; j < len(fields)-1; j++ {
			fields[j] = "{n}"
		}
		if last := len(fields) - 1; fields[last] == "Leader" || fields[last] == "Follower" {
			fields[last] = "{role}"
		}
		lines[i+1] = strings.Join(fields, " ")
	}
	slices.Sort(lines[1:])
	return strings.Join(lines, "\n") + "\n"
}

// proposal is kafka-reassign-partitions --generate without what it proposes, which is chance.
func proposal(out string) string {
	head, _, _ := strings.Cut(out, "Proposed partition reassignment configuration")
	return head + "Proposed partition reassignment configuration\n{a plan}\n"
}

// sizes takes sizes out of kafka-log-dirs.
func sizes(out string) string {
	return regexp.MustCompile(`"(size|totalBytes|usableBytes)":-?\d+`).ReplaceAllString(out, `"$1":{n}`)
}

// nodesOnly is kafka-broker-api-versions without the versions.
func nodesOnly(out string) string {
	var keep []string
	for line := range strings.Lines(out) {
		if strings.Contains(line, "(id: ") {
			keep = append(keep, line)
		}
	}
	slices.Sort(keep)
	return strings.Join(keep, "")
}

// epochs takes out the epoch of the features' last change.
func epochs(out string) string {
	return regexp.MustCompile(`Epoch: \d+`).ReplaceAllString(out, "Epoch: {n}")
}

// members has the members of an ISR in order of their ids, where they stand in the order in which they came.
func members(isr string) string {
	all := strings.Split(strings.TrimPrefix(isr, "Isr: "), ",")
	slices.Sort(all)
	return "Isr: " + strings.Join(all, ",")
}
