package controller

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/image"
	"github.com/milena-io/milena/internal/kafka"
	"github.com/milena-io/milena/internal/staterecord"
)

// alter builds a resource's changes: "k=v" sets, "k" deletes, "k+=v" appends, "k-=v" subtracts.
func alter(t staterecord.ResourceType, name string, changes ...string) AlterResource {
	a := AlterResource{Type: t, Name: name}
	for _, c := range changes {
		ch := ConfigChange{Name: c, Op: DeleteConfig}
		for sign, op := range map[string]ConfigOp{"+=": AppendConfig, "-=": SubtractConfig} {
			if key, value, ok := strings.Cut(c, sign); ok {
				ch = ConfigChange{key, op, &value}
			}
		}
		if key, value, ok := strings.Cut(c, "="); ok && ch.Op == DeleteConfig {
			ch = ConfigChange{key, SetConfig, &value}
		}
		a.Changes = append(a.Changes, ch)
	}
	return a
}

func (l *lab) alter(a ...AlterResource) []AlteredConfig {
	l.t.Helper()
	return l.must(AlterConfigs{Resources: a}).([]AlteredConfig)
}

func (l *lab) configs(r image.Resource, want string) {
	l.t.Helper()
	var got []string
	for _, c := range l.m.Committed().Configs(r) {
		got = append(got, c.Name+"="+c.Value)
	}
	if s := strings.Join(got, " "); s != want {
		l.t.Errorf("configs of %v: %s\nwant: %s", r, s, want)
	}
}

const (
	ofTopic  = staterecord.ResourceTopic
	ofBroker = staterecord.ResourceBroker
	ofGroup  = staterecord.ResourceGroup
)

func TestAlterConfigsIsRefused(t *testing.T) {
	null := alter(ofTopic, "t")
	null.Changes = []ConfigChange{{Name: "retention.ms", Op: SetConfig}}
	strange := alter(ofTopic, "t", "cleanup.policy=delete")
	strange.Changes[0].Op = 9
	const request, config = kafka.ErrInvalidRequest, kafka.ErrInvalidConfig
	for _, c := range []struct {
		name    string
		alter   AlterResource
		code    kafka.ErrorCode
		message string
	}{
		{"no topic", alter(ofTopic, "none", "retention.ms=1"), kafka.ErrUnknownTopicOrPartition, "The topic 'none' does not exist."},
		{"values before existence", alter(ofTopic, "none", "nope=1"), config, "Unknown topic config name: nope"},
		{"default topic", alter(ofTopic, "", "retention.ms=1"), request, "Default topic resources are not allowed."},
		{"topic name", alter(ofTopic, "a/b", "retention.ms=1"), kafka.ErrInvalidTopicException,
			"Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{"value", alter(ofTopic, "t", "segment.bytes=17"), config, "Invalid value 17 for configuration segment.bytes: Value must be at least 1048576"},
		{"conflict with what is set", alter(ofTopic, "t", "max.compaction.lag.ms=4"), config,
			"conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)"},
		{"append to no list", alter(ofTopic, "t", "retention.ms+=1"), config, "Can't APPEND to key retention.ms because its type is not LIST."},
		{"subtract from nothing known", alter(ofTopic, "t", "nope-=1"), config, "Can't SUBTRACT to key nope because its type is not LIST."},
		{"append what is not allowed", alter(ofTopic, "t", "cleanup.policy+=shred"), config,
			"Invalid value shred for configuration cleanup.policy: String must be one of: compact, delete"},
		{"null", null, request, "Null value not supported for : retention.ms"},
		{"operation", strange, request, "Unknown operation 9 on config cleanup.policy"},
		{"no node", alter(ofBroker, "5", "log.cleaner.threads=2"), kafka.ErrBrokerIdNotRegistered, "No node with id 5 found."},
		{"broker name", alter(ofBroker, "x", "log.cleaner.threads=2"), request, "Unable to parse broker name as a base 10 number."},
		{"broker number", alter(ofBroker, "-5", "log.cleaner.threads=2"), request, "Invalid negative broker ID."},
		{"broker value", alter(ofBroker, "1", "log.retention.ms=soon"), config, "Invalid value soon for configuration log.retention.ms: Not a number of type LONG"},
		{"group key", alter(ofGroup, "g", "nope=1"), config, "Unknown group config name: nope"},
		{"default group", alter(ofGroup, "", "nope=1"), request, "Default group resources are not allowed."},
		{"resource type", alter(staterecord.ResourceBrokerLogger, "1", "a=b"), request, "Unknown resource type 8"},
		{"long name", alter(ofBroker, "1", strings.Repeat("n", 40_000)+"=1"), config, "The configuration name cannot be longer than 32767 bytes."},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.start(1)
			l.created(topic("t", 1, 1, "min.compaction.lag.ms=5"))
			got := l.alter(c.alter)[0]
			refusedAs(t, got.Problem, c.code, c.message)
			if got.Type != c.alter.Type || got.Name != c.alter.Name || len(l.last) != 0 {
				t.Errorf("%+v with %d records", got, len(l.last))
			}
		})
	}
}

func TestAlterConfigsChangesSingleKeys(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("t", 1, 1, "retention.ms=5"))
	tt := image.TopicResource("t")
	for _, step := range []struct {
		changes []string
		want    string
		records int
	}{
		{[]string{"segment.ms=7", "retention.ms"}, "segment.ms=7", 2},
		{[]string{"segment.ms=7", "retention.ms"}, "segment.ms=7", 0}, // nothing changes
		{[]string{"cleanup.policy+=compact"}, "cleanup.policy=delete,compact segment.ms=7", 1},
		{[]string{"cleanup.policy+=compact"}, "cleanup.policy=delete,compact segment.ms=7", 0},
		{[]string{"cleanup.policy-=delete"}, "cleanup.policy=compact segment.ms=7", 1},
		{[]string{"cleanup.policy-=compact"}, "cleanup.policy= segment.ms=7", 1},
	} {
		if got := l.alter(alter(ofTopic, "t", step.changes...))[0]; !got.OK() {
			t.Fatalf("%v: %+v", step.changes, got)
		}
		l.configs(tt, step.want)
		if len(l.last) != step.records {
			t.Errorf("%v: %d records, want %d", step.changes, len(l.last), step.records)
		}
	}
}

func TestReplaceDeletesWhatIsNotNamed(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("t", 1, 1, "retention.ms=5", "segment.ms=7"))
	a := alter(ofTopic, "t", "retention.ms=6")
	a.Replace = true
	l.alter(a)
	l.configs(image.TopicResource("t"), "retention.ms=6")
}

func TestBrokersAndGroupsHaveConfigs(t *testing.T) {
	l := newLab(t)
	l.start(1)
	for range 2 { // a broker takes its keys anew even when they are the same
		got := l.alter(alter(ofBroker, "", "log.retention.ms=5"), alter(ofBroker, "1", "some.plugin.key=x"), alter(ofGroup, "g", "consumer.session.timeout.ms=50000"))
		for _, a := range got {
			if !a.OK() {
				t.Errorf("%+v", a)
			}
		}
	}
	if len(l.last) != 2 {
		t.Errorf("%d records the second time, want those of the brokers", len(l.last))
	}
	l.configs(image.ClusterDefaults, "log.retention.ms=5 min.insync.replicas=1")
	l.configs(image.Resource{Type: ofBroker, Name: "1"}, "some.plugin.key=x")
	l.configs(image.Resource{Type: ofGroup, Name: "g"}, "consumer.session.timeout.ms=50000")
}

func TestResourcesSucceedOneByOne(t *testing.T) {
	l := newLab(t)
	l.start(1)
	l.created(topic("t", 1, 1), topic("u", 1, 1))
	got := l.alter(alter(ofTopic, "t", "retention.ms=1"), alter(ofTopic, "none", "retention.ms=1"), alter(ofTopic, "u", "segment.ms=1"),
		alter(ofTopic, "u", "segment.ms=2"))
	for i, want := range []kafka.ErrorCode{kafka.ErrNone, kafka.ErrUnknownTopicOrPartition, kafka.ErrInvalidRequest, kafka.ErrInvalidRequest} {
		if got[i].Code != want {
			t.Errorf("resource %d: %s, want %s", i, got[i].Code, want)
		}
	}
	l.configs(image.TopicResource("t"), "retention.ms=1")
	l.configs(image.TopicResource("u"), "")
	if l.must(AlterConfigs{ValidateOnly: true, Resources: []AlterResource{alter(ofTopic, "t", "retention.ms=2")}}); len(l.last) != 0 {
		t.Errorf("validation wrote %d records", len(l.last))
	}
}
