package records

import "slices"

// dependency is why one operation comes before another.
type dependency uint8

const (
	ww dependency = iota // the next value of the same key
	wr                   // its value was read
	rt                   // it was complete before the other began
)

// edges calls for every edge, always the same ones in the same order.
type edges func(do func(from, to int32, why dependency))

// both are the edges of two kinds.
func both(a, b edges) edges {
	return func(do func(from, to int32, why dependency)) {
		a(do)
		b(do)
	}
}

// graph is nodes and what depends on what.
type graph struct {
	nodes int
	at    []int32 // to[at[n]:at[n+1]] is where n leads
	to    []int32
	why   []dependency
}

func newGraph(nodes int, all edges) *graph {
	g := &graph{nodes: nodes, at: make([]int32, nodes+2)}
	all(func(from, _ int32, _ dependency) { g.at[from+2]++ })
	for n := range nodes {
		g.at[n+2] += g.at[n+1]
	}
	g.to, g.why = make([]int32, g.at[nodes+1]), make([]dependency, g.at[nodes+1])
	all(func(from, to int32, why dependency) { // at[n+1] runs from where n's edges begin to where they end
		i := g.at[from+1]
		g.to[i], g.why[i] = to, why
		g.at[from+1]++
	})
	return g
}

// components returns the number of each node's strongly connected component, and of each component how many nodes it has
// (Tarjan's algorithm, with a stack of its own: a history is deeper than a goroutine's).
func (g *graph) components() (of, sizes []int32) {
	of = make([]int32, g.nodes)
	low := make([]int32, g.nodes) // 0: not visited yet
	next := slices.Clone(g.at[:g.nodes])
	var open, path []int32 // nodes without a component, in the order of their visit; and the way to where we are
	visited := int32(0)
	number := make([]int32, g.nodes)
	for root := range int32(g.nodes) {
		if number[root] != 0 {
			continue
		}
		path = append(path, root)
		for len(path) > 0 {
			n := path[len(path)-1]
			if number[n] == 0 {
				visited++
				number[n], low[n], of[n] = visited, visited, none
				open = append(open, n)
			}
			if next[n] < g.at[n+1] {
				to := g.to[next[n]]
				next[n]++
				switch {
				case number[to] == 0:
					path = append(path, to)
				case of[to] == none:
					low[n] = min(low[n], number[to])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				up := path[len(path)-1]
				low[up] = min(low[up], low[n])
			}
			if low[n] != number[n] {
				continue
			}
			size := int32(0)
			for {
				last := open[len(open)-1]
				open = open[:len(open)-1]
				of[last] = int32(len(sizes))
				size++
				if last == n {
					break
				}
			}
			sizes = append(sizes, size)
		}
	}
	return of, sizes
}

// way returns the shortest way from one node to another within a component, both included; nil for none.
func (g *graph) way(from, to int32, of []int32) []int32 {
	before := map[int32]int32{from: none}
	queue := []int32{from}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if n == to {
			var out []int32
			for ; n != none; n = before[n] {
				out = append(out, n)
			}
			slices.Reverse(out)
			return out
		}
		for _, next := range g.to[g.at[n]:g.at[n+1]] {
			if _, ok := before[next]; !ok && of[next] == of[from] {
				before[next] = n
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// tried bounds how many edges of a component are tried for its shortest cycle.
const tried = 64

// cycles calls for each component that has a cycle through an edge of a kind, with the shortest that was found: the nodes in
// order, beginning where that edge ends.
func (g *graph) cycles(through dependency, do func(nodes []int32)) {
	of, sizes := g.components()
	best := map[int32][]int32{}
	tries := map[int32]int{}
	var found []int32
	for from := range int32(g.nodes) {
		c := of[from]
		if sizes[c] < 2 {
			continue
		}
		for i := g.at[from]; i < g.at[from+1] && tries[c] < tried; i++ {
			to := g.to[i]
			if g.why[i] != through || of[to] != c {
				continue
			}
			tries[c]++
			if w := g.way(to, from, of); best[c] == nil || len(w) < len(best[c]) {
				if best[c] == nil {
					found = append(found, c)
				}
				best[c] = w
			}
		}
	}
	for _, c := range found {
		do(best[c])
	}
}
