package node

import "testing"

// Two images may be read in the wrong order. The older one, which has no registration of this controller yet, is no other controller.
func TestAnOlderImageIsNoOtherController(t *testing.T) {
	r := unbooted(t)
	r.boot()
	before := r.n.feed.Image()
	if r.n.control.enlist.has(before) {
		t.Fatal("the controller is registered before it asked")
	}
	r.enlisted()
	e := &enlistment{n: r.n}
	for _, late := range []bool{false, true} {
		if ask, another := e.read(r.n.feed.Image()); ask || another {
			t.Errorf("an image with its registration: ask %v, another %v", ask, another)
		}
		if _, another := e.read(before); another {
			t.Errorf("an image from before its registration is taken for another controller (again: %v)", late)
		}
	}
}
