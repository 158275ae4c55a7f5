package placement

// Random is a source of numbers that looks like chance and is determined by what it begins from (SplitMix64).
type Random struct{ state uint64 }

// NewRandom returns the source of one decision: the seed is the machine's, the position the decision's place in the log.
func NewRandom(seed, position uint64) *Random {
	r := &Random{state: seed}
	r.state = r.next() ^ position
	return r
}

func (r *Random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below returns a number from 0 to n-1, and 0 when there is none.
func (r *Random) Below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(r.next() % uint64(n)) // n is a number of brokers: the bias is nothing
}

func shuffle[T any](list []T, r *Random) {
	for i := len(list) - 1; i > 0; i-- {
		j := r.Below(i + 1)
		list[i], list[j] = list[j], list[i]
	}
}
