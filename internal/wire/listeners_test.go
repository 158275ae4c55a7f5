package wire

import (
	"slices"
	"testing"

	"github.com/milena-io/milena/internal/kafka"
)

// TestListenersAreKafkas holds the table against the message definitions of Apache Kafka 4.3: which APIs a listener of
// controllers has, and which of them a broker passes on.
func TestListenersAreKafkas(t *testing.T) {
	// 17, 29, 32, ... are answered on both kinds of listeners, and by whoever is asked.
	both := []kafka.APIKey{1, 17, 18, 29, 32, 36, 41, 50, 60}
	forwarded := []kafka.APIKey{19, 20, 30, 31, 33, 37, 38, 39, 40, 43, 44, 45, 46, 49, 51, 55, 57, 64, 80, 81}
	controllers := []kafka.APIKey{52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 82}
	seen := 0
	for _, api := range APIs() {
		only, passed := slices.Contains(controllers, api.Key), slices.Contains(forwarded, api.Key)
		if api.Internal != only || api.Forwarded != passed {
			t.Errorf("%v: only for controllers %v, forwarded %v", api.Key, api.Internal, api.Forwarded)
		}
		if want := only || passed || slices.Contains(both, api.Key); api.OnControllers != want {
			t.Errorf("%v is on listeners of controllers: %v, want %v", api.Key, api.OnControllers, want)
		}
		if everything().Forwards(api.Key) != passed {
			t.Errorf("a broker passes %v on: %v", api.Key, !passed)
		}
		seen++
	}
	if seen < 30 || everything().Forwards(kafka.KeyNodeMessages) || everything().Forwards(999) {
		t.Errorf("of %d APIs, or one that is no API", seen)
	}
}
