package server

import (
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/must"
)

func TestLogLinesStandAboveTheBar(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out}
	write := func(line string) { must.Get(s.Write([]byte(line))) }
	write("before\n")
	s.recovering(25, 100)
	write("meanwhile\n")
	s.recovering(50, 100)
	s.recovering(100, 100)
	write("after\n")
	quarter, half := "recovering logs █████░░░░░░░░░░░░░░░  25 %  25/100", "recovering logs ██████████░░░░░░░░░░  50 %  50/100"
	want := "before\n" + eraseLine + quarter + eraseLine + "meanwhile\n" + quarter + eraseLine + half + eraseLine + "after\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAShortRecoveryDrawsNothing(t *testing.T) {
	var out strings.Builder
	s := &screen{out: &out}
	s.recovering(7, 7)
	if out.Len() != 0 {
		t.Errorf("drew %q", out.String())
	}
}
