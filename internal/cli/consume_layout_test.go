package cli

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLayouts(t *testing.T) {
	r := &kgo.Record{
		Topic: "t", Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(1700000000000).UTC(),
		Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}},
	}
	for _, tc := range []struct{ format, want string }{
		{"%h", "a=1,b="},
		{`%k %h\n`, "k a=1,b=\n"},
		{"%h%h %v", "a=1,b=a=1,b= v"},
		{"%h{%k:%v }|%h", "a:1 b: |a=1,b="},
		{"%h{%k{hex} }%h", "61 62 a=1,b="},
		{"%%h %h", "%h a=1,b="},
		{"%{%h%}", "{a=1,b=}"},
		{"%d{strftime[%Y-%m-%d]} %h", "2023-11-14 a=1,b="},
		{"%v", "v"},
	} {
		layout, err := newLayout(tc.format)
		if err != nil {
			t.Errorf("%s: %v", tc.format, err)
			continue
		}
		if got := string(layout(nil, r)); got != tc.want {
			t.Errorf("%s prints %q, want %q", tc.format, got, tc.want)
		}
	}
	if layout, err := newLayout("%h"); err != nil || len(layout(nil, &kgo.Record{})) != 0 {
		t.Errorf("a record without headers: %v", err)
	}
	if _, err := newLayout("%h %q"); err == nil {
		t.Error("an unknown verb was taken")
	}
}
