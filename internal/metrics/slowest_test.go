package metrics

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/milena-io/milena/internal/kafka"
)

func (m *Metrics) took(c *clock, d time.Duration) {
	m.Done(request(c, kafka.KeyFetch, 0, 0, 0, d), 1, 1)
}

func TestSlowestKeepsTheSlowestOfEachMinute(t *testing.T) {
	m, c := newMetrics(10)
	c.now.Mono = 100 * time.Hour // the beginning of a minute
	r := rand.New(rand.NewPCG(7, 8))
	var want []float64
	for range slowMinutes {
		var minute []time.Duration
		for range 200 {
			d := time.Duration(r.Int64N(int64(10 * time.Second)))
			minute = append(minute, d)
			m.took(c, d)
		}
		slices.SortFunc(minute, func(a, b time.Duration) int { return int(b - a) })
		for _, d := range minute[:slowEach] {
			want = append(want, millis(d))
		}
		c.move(time.Minute)
	}
	c.move(-time.Minute)
	slices.Sort(want)
	slices.Reverse(want)
	var got []float64
	for _, s := range m.slow("") {
		got = append(got, s.TotalMs)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d are kept\n%v, want\n%v", len(got), got, want)
	}
	c.move(time.Minute)
	if n := len(m.slow("")); n != (slowMinutes-1)*slowEach {
		t.Errorf("a minute later %d are shown", n)
	}
	c.move(slowMinutes * time.Minute)
	if n := len(m.slow("")); n != 0 {
		t.Errorf("after all minutes %d are shown", n)
	}
	m.took(c, time.Millisecond)
	if n := len(m.slow("")); n != 1 {
		t.Errorf("in a new minute a quick one is not among the slowest: %d", n)
	}
}

func TestSlowestFromManyGoroutines(t *testing.T) {
	m, c := newMetrics(10)
	var wait sync.WaitGroup
	for w := range 4 {
		wait.Go(func() {
			for i := range 1000 {
				m.took(c, time.Duration(i*4+w)*time.Microsecond)
				if i%100 == 0 {
					m.slow("")
				}
			}
		})
	}
	wait.Wait()
	got := m.slow("")
	if len(got) != slowEach {
		t.Fatalf("%d are kept", len(got))
	}
	for i, s := range got {
		if want := millis(time.Duration(3999-i) * time.Microsecond); s.TotalMs != want {
			t.Errorf("number %d took %v ms, want %v", i, s.TotalMs, want)
		}
	}
}

func TestSlowestShowsStages(t *testing.T) {
	m, c := newMetrics(10)
	r := request(c, kafka.KeyProduce, time.Millisecond, 3*time.Millisecond, 11*time.Millisecond, 15*time.Millisecond)
	m.Done(r, 250, 40)
	m.took(c, time.Second)
	w := get(m, "/debug/slowest?format=json&api=produce")
	var list []slowJSON
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v: %s", err, w.Body)
	}
	s := list[0]
	wantStages := []slowStage{{"decoded", 0}, {"admitted", 1}, {"worked", 3}, {"answered", 11}, {"sent", 15}}
	if s.API != "Produce" || s.Version != 3 || s.TotalMs != 15 || s.QueueMs != 1 || s.LocalMs != 2 || s.RemoteMs != 8 || s.RespondMs != 4 ||
		!slices.Equal(s.Timeline, wantStages) {
		t.Errorf("%+v", s)
	}
	if s.Peer != "10.0.0.1:4000" || s.Client != r.ClientID || s.Listener != "PLAINTEXT" || s.CorrelationID != 7 || s.RequestBytes != 250 ||
		s.ResponseBytes != 40 || s.Arrived.UnixMilli() != c.now.WallMs {
		t.Errorf("%+v", s)
	}
	text := get(m, "/debug/slowest").Body.String()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], "Fetch v3") || !strings.Contains(lines[2], `"me \"and\" you"`) {
		t.Errorf("the slowest first, clients quoted:\n%s", text)
	}
	if w := get(m, "/debug/slowest?api=Heartbeat"); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), "No request") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := get(m, "/debug/slowest?api=Nothing"); w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Body.String(), `"Nothing" is no request of Kafka's`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStagesOfAnyTimelineAddUp(t *testing.T) {
	m, c := newMetrics(10)
	r := rand.New(rand.NewPCG(9, 10))
	for range 2000 {
		q := request(c, kafka.KeyFetch, 0, 0, 0, 0)
		for _, at := range []*time.Duration{&q.Timeline.Queued, &q.Timeline.Decoded, &q.Timeline.Appended, &q.Timeline.Flushed, &q.Timeline.Replicated, &q.Timeline.Answered, &q.Timeline.Sent} {
			*at = 0
			if r.IntN(3) > 0 {
				*at = c.now.Mono + time.Duration(r.IntN(1000))
			}
		}
		s := stagesOf(q)
		if s.total != s.queue+s.local+s.remote+s.respond || min(s.queue, s.local, s.remote, s.respond) < 0 {
			t.Fatalf("%+v of %+v", s, q.Timeline)
		}
		m.Done(q, 1, 1)
	}
	scrape(t, m, "")
}
