package main

import (
	"strings"
	"testing"
)

// TestAnAimNeedsBoth holds that a ratio says nothing as long as one of the two was not measured.
func TestAnAimNeedsBoth(t *testing.T) {
	for _, has := range [][]string{{"kafka"}, {"milena-cache"}, {"kafka", "milena-cache"}} {
		s := &store{}
		for _, system := range has {
			s.all = append(s.all, sample{Part: "replicated", System: system, Values: values{"p99 ms": 3}})
		}
		row := table(s, []aim{{"p99", "≤ 1 × Kafka", atMost("replicated", "milena-cache", "p99 ms", "ms", limit{"kafka", 1})}})
		if got := strings.Contains(row, "not measured"); got != (len(has) == 1) {
			t.Errorf("with %v: %s", has, row)
		}
	}
}
