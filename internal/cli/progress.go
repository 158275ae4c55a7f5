package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// progress is a line on standard error that says how far a long command is: redrawn on a terminal, one line every ten
// seconds otherwise, nothing for what is done within a second or with -q.
type progress struct {
	app   *app
	verb  string
	show  func(int64) string
	began time.Time

	mu    sync.Mutex
	last  time.Time // of the last line
	width int       // of the line on the terminal
	from  int64     // at `at`, for the rate
	at    time.Time
}

func (a *app) newProgress(verb string, show func(int64) string) *progress {
	now := time.Now()
	return &progress{app: a, verb: verb, show: show, began: now, last: now, at: now}
}

// set tells how far it is; total 0 is unknown. It is cheap to call often.
func (p *progress) set(done, total int64, more string) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	every := 10 * time.Second
	if p.app.ErrTerminal {
		every = 200 * time.Millisecond
	}
	if p.app.flags.quiet || now.Sub(p.began) < time.Second || now.Sub(p.last) < every {
		return
	}
	p.last = now
	rate := float64(done-p.from) / max(now.Sub(p.at).Seconds(), 0.001)
	if now.Sub(p.at) > 10*time.Second { // the rate is of the last ten seconds
		p.from, p.at = done, now
	}
	p.draw(p.text(done, total, rate, more))
}

func (p *progress) text(done, total int64, rate float64, more string) string {
	s := p.verb + " "
	if total > 0 {
		part := min(float64(done)/float64(total), 1)
		s += bar(part) + fmt.Sprintf(" %3.0f %%  %s/%s", part*100, p.show(done), p.show(total))
	} else {
		s += p.show(done)
	}
	s += "  " + p.show(int64(rate)) + "/s"
	if left := total - done; total > 0 && rate > 0 && left > 0 {
		s += "  " + duration(time.Duration(float64(left)/rate)*time.Second) + " left"
	}
	if more != "" {
		s += "  " + more
	}
	return s
}

// bar draws a part of one in twenty columns.
func bar(part float64) string {
	full := int(part * 20)
	return strings.Repeat("█", full) + strings.Repeat("░", 20-full)
}

func (p *progress) draw(s string) {
	if !p.app.ErrTerminal {
		fmt.Fprintln(p.app.Err, s)
		return
	}
	if w := p.app.Width; w > 1 && utf8.RuneCountInString(s) >= w {
		s = string([]rune(s)[:w-1])
	}
	n := utf8.RuneCountInString(s)
	fmt.Fprintf(p.app.Err, "\r%s%s", s, strings.Repeat(" ", max(p.width-n, 0)))
	p.width = n
}

// done takes the line off the terminal.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.width > 0 {
		fmt.Fprintf(p.app.Err, "\r%s\r", strings.Repeat(" ", p.width))
		p.width = 0
	}
}
