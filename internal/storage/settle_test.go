package storage

import (
	"fmt"
	"testing"
)

func TestGate(t *testing.T) {
	var g Gate
	var came []int
	g.Then(func() { came = append(came, 1) })
	g.Then(func() { came = append(came, 2) })
	if len(came) > 0 {
		t.Fatalf("%v came through a closed gate", came)
	}
	g.Open()
	g.Then(func() { came = append(came, 3) })
	g.Open()
	if fmt.Sprint(came) != "[1 2 3]" {
		t.Errorf("%v came", came)
	}
}
