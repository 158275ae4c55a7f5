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
	observer = regexp.MustCompile(`(\{"id": \d, "directoryId": "\{id\}"\}(, )?)+`) // in the order of a map
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
	lines := strings.Split(observer.ReplaceAllString(ids(squeezed(out)), "{observers}"), "\n")
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

// figures is an answer of ours without what is chance: sizes, times, epochs, who controls, how many each leads.
func figures(out string) string {
	out = ids(squeezed(out))
	for _, one := range chances {
		out = one.of.ReplaceAllString(out, one.by)
	}
	return out
}

var chances = []struct {
	of *regexp.Regexp
	by string
}{
	{regexp.MustCompile(`\d+(\.\d+)? ([KMGT]i)?B\b(/s)?`), "{size}"},
	{regexp.MustCompile(`\d+(\.\d+)? (ms|s) ago`), "{time} ago"},
	{regexp.MustCompile(`\d+ %`), "{n} %"},
	{regexp.MustCompile(`epoch \d+`), "epoch {n}"},
	{regexp.MustCompile(`led by \d`), "led by {n}"},
	{regexp.MustCompile(`controller node \d`), "controller node {n}"},
	{regexp.MustCompile(`controller \(active\)`), "controller"},
	{regexp.MustCompile(`(?m)(\{controller\d\}) (leader|voter) \d+ \d+ \d+ (-|now|\{time\} ago)`), "$1 {role} {n} {n} {n} {time}"},
	{regexp.MustCompile(`observer \d+ \d+ \d+ (now|\{time\} ago)`), "observer {n} {n} {n} {time}"},
	{regexp.MustCompile(`(?m)(\{node\d\} -) \d+$`), "$1 {n}"},
	{regexp.MustCompile(`(up|DOWN) \d+ (\d+ \d+ (\{size\}|-))`), "$1 {n} $2"},
	{regexp.MustCompile(` since \d\d:\d\d:\d\d \(.*\)`), ""}, // which only a leader of ours tells
	{regexp.MustCompile(`metadata quorum: (last heard \{time\} ago|this leader has not heard it)`), "metadata quorum: {since when}"},
	{regexp.MustCompile(`is down, (last heard \{time\} ago|for \d+(\.\d+)? m?s)`), "is down"},
}

// noFeatures is milena cluster info without the features, which other steps show.
func noFeatures(out string) string {
	head, _, _ := strings.Cut(figures(out), "\nFEATURE")
	return head
}

// outcome is the last line of a longer answer of ours, of which the rest is chance.
func outcome(out string) string {
	lines := strings.Split(strings.TrimSuffix(squeezed(out), "\n"), "\n")
	return "...\n" + wholes.ReplaceAllString(lines[len(lines)-1], "{n}") + "\n"
}
