package config

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

func load(t *testing.T, in Input) Loaded {
	t.Helper()
	l, err := Load(in)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestNothingSaidIsALoneNode(t *testing.T) {
	v := load(t, Input{}).Values
	for key, want := range map[string]string{
		"node.id": "1", "process.roles": "broker,controller", "listeners": "PLAINTEXT://127.0.0.1:9092", "log.dirs": "./milena-data",
	} {
		if got := v.Text(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
}

func TestLaterSourcesWin(t *testing.T) {
	l := load(t, Input{
		Files: []File{
			{"a.properties", "# a comment\nnum.partitions=2\nlog.retention.ms = 5 \nmessage.max.bytes: 7000\n"},
			{"b.properties", "num.partitions=3\n"},
		},
		Env:       []string{"KAFKA_LOG_RETENTION_MS=6", "PATH=/bin", "KAFKA_HEAP_OPTS=-Xmx1g", "CLUSTER_ID=4L6g3nShT-eMCtK--X86sw"},
		Overrides: []string{"log.retention.ms=7"},
	})
	for key, want := range map[string]string{"num.partitions": "3", "log.retention.ms": "7", "message.max.bytes": "7000"} {
		if got := l.Values.Text(key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if l.Origins["num.partitions"] != "b.properties:1" || l.Origins["message.max.bytes"] != "a.properties:4" {
		t.Errorf("origins %v", l.Origins)
	}
	if l.ClusterID != "4L6g3nShT-eMCtK--X86sw" {
		t.Errorf("cluster id %q", l.ClusterID)
	}
}

func TestJavaProperties(t *testing.T) {
	l := load(t, Input{Files: []File{{"f", "! also a comment\nlisteners=PLAINTEXT://127.0.0.1:1,\\\n  B://127.0.0.1:2\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT\nbroker.rack=a\\u0062${x}\n"}}})
	if got := l.Values.List("listeners"); len(got) != 2 || got[1] != "B://127.0.0.1:2" {
		t.Errorf("listeners %q", got)
	}
	if got := l.Values.Text("broker.rack"); got != "ab${x}" {
		t.Errorf("broker.rack %q", got)
	}
}

func TestEnvironmentSpelling(t *testing.T) {
	for name, want := range map[string]string{
		"NUM_PARTITIONS": "num.partitions", "A__B": "a_b", "A___B": "a-b", "LISTENER_NAME_A___B_SSL_KEY": "listener.name.a-b.ssl.key",
	} {
		if got := keyOf(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestFindingsAndProblems(t *testing.T) {
	l := load(t, Input{Files: []File{{"f", "num.partitons=3\nnum.io.threads=9\n"}}})
	said := ""
	for _, f := range l.Findings {
		said += f.Origin + " " + f.Key + " " + f.Message + "\n"
	}
	for _, want := range []string{"f:1 num.partitons", "did you mean num.partitions?", "f:2 num.io.threads is known and has no effect here"} {
		if !strings.Contains(said, want) {
			t.Errorf("the findings don't say %q:\n%s", want, said)
		}
	}
	_, err := Load(Input{Files: []File{{"f", "num.partitions=many\nlog.retention.ms=soon\n"}}, Overrides: []string{"x"}})
	for _, want := range []string{"f:1", "f:2", "Not a number", `"x" is not key=value`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error doesn't say %q: %v", want, err)
		}
	}
}

func TestAMissingKeyIsNamedWithItsLine(t *testing.T) {
	for _, c := range []struct {
		in   Input
		want string
	}{
		{Input{Files: []File{{"f", "num.partitions=3\n\n =x\n"}}}, "f:3: a key is missing before the value"},
		{Input{Files: []File{{"f", ": 100%d"}}}, "f:1: a key is missing before the value"},
		{Input{Overrides: []string{" =x"}}, "--override  =x: a key is missing before the value"},
		{Input{Env: []string{"KAFKA_=x"}}, "KAFKA_: a key is missing before the value"},
		{Input{Files: []File{{"f", "\nbroker.rack=\\u00g0\n"}}}, "f:2: invalid unicode literal"},
	} {
		if _, err := Load(c.in); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.in, err, c.want)
		}
	}
}

// TestTableIsKafkas holds the table against what a real Apache Kafka 4.3.1 answered to DescribeConfigs.
func TestTableIsKafkas(t *testing.T) {
	for scope, file := range map[Scope]string{
		Broker: "describe-configs-broker.tsv", Topic: "describe-configs-topic.tsv", Group: "describe-configs-group.tsv",
	} {
		f, err := os.Open("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		shown := map[string]bool{}
		s := bufio.NewScanner(f)
		s.Scan() // the head
		for s.Scan() {
			row := strings.Split(s.Text(), "\t")
			name, value, kind, source := row[0], row[1], row[2], row[4]
			shown[name] = true
			k, ok := Lookup(scope, name)
			if !ok {
				t.Errorf("%s: no key %s", file, name)
				continue
			}
			if got := string(rune('0' + k.Type)); got != kind {
				t.Errorf("%s: %s has type %s, Kafka %s", file, name, got, kind)
			}
			if source == "5" && !k.Sensitive() && value != "DIR" { // the observer hid its own paths
				if got := map[bool]string{true: k.Default, false: "null"}[k.HasDefault]; got != value && !(value == "" && got == "null") {
					t.Errorf("%s: the default of %s is %q, Kafka's %q", file, name, got, value)
				}
			}
			if scope == Broker && (k.Dynamic == ReadOnly) != (row[3] == "true") {
				t.Errorf("%s: %s read only %v, Kafka %s", file, name, k.Dynamic == ReadOnly, row[3])
			}
		}
		for _, k := range Keys(scope) {
			if !shown[k.Name] && !k.Hidden && !strings.HasPrefix(k.Name, "milena.") {
				t.Errorf("%s: Kafka shows no %s", file, k.Name)
			}
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("num.partitions=3\n", "KAFKA_LISTENERS=PLAINTEXT://:9092", "a=b")
	f.Add("listeners=A://[::1]:0,B://x:1\nlistener.security.protocol.map=A:PLAINTEXT", "CLUSTER_ID=", "=")
	f.Add("a=\\\n\\u00", "KAFKA_", "log.dirs=")
	f.Fuzz(func(t *testing.T, file, env, override string) {
		l, err := Load(Input{Files: []File{{"f", file}}, Env: []string{env}, Overrides: []string{override}})
		if err != nil {
			return
		}
		for name, value := range l.Values.Set {
			if k, ok := Lookup(Broker, bare(name)); !ok || k.Check(value) != nil {
				t.Fatalf("%s=%q got through", name, value)
			}
		}
		got, err := ParseListeners(l.Values)
		if err != nil {
			t.Fatalf("listeners got through: %v", err)
		}
		for _, a := range got.Advertised {
			if a.Host == "" || wildcard(a.Host) {
				t.Fatalf("%s is advertised", a)
			}
		}
	})
}
