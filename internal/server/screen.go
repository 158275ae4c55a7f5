package server

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// screen is a terminal that the log is written to and that has a bar in its last line while logs are recovered.
type screen struct {
	out io.Writer

	mu  sync.Mutex
	bar string // in the last line; empty for none
}

// Write writes a line of the log above the bar.
func (s *screen) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar == "" {
		return s.out.Write(line)
	}
	if _, err := io.WriteString(s.out, eraseLine); err != nil {
		return 0, err
	}
	n, err := s.out.Write(line)
	if err == nil {
		_, err = io.WriteString(s.out, s.bar)
	}
	return n, err
}

// eraseLine goes to the beginning of a line and clears it.
const eraseLine = "\r\x1b[K"

// recovering draws how many logs are recovered (node.Options.Recovering), and takes the bar away when all are. A terminal that
// cannot be written to is no reason to recover less.
func (s *screen) recovering(done, total int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	had := s.bar != ""
	s.bar = ""
	if done < total {
		full := barWidth * done / max(total, 1)
		s.bar = fmt.Sprintf("recovering logs %s%s %3d %%  %d/%d", strings.Repeat("█", full), strings.Repeat("░", barWidth-full), 100*done/max(total, 1), done, total)
	}
	if had || s.bar != "" {
		_, _ = io.WriteString(s.out, eraseLine+s.bar)
	}
}

// barWidth is how many columns a bar has.
const barWidth = 20
