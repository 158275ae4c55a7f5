package house

import (
	"go/ast"
	"sync"
	"testing"
)

var loaded = sync.OnceValues(func() (*Tree, error) { return Load("../..") })

func load(t *testing.T) *Tree {
	t.Helper()
	tree, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 100 {
		t.Fatalf("only %d files were found", len(tree.Files))
	}
	return tree
}

// goStatements returns where a file starts goroutines.
func goStatements(f *File) []int {
	var out []int
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			out = append(out, int(g.Pos()))
		}
		return true
	})
	return out
}

// clockCalls returns the calls that read or wait for a clock.
func clockCalls(f *File) []string {
	clock := map[string]bool{"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true, "AfterFunc": true, "NewTimer": true, "NewTicker": true, "Tick": true}
	var out []string
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && clock[s.Sel.Name] {
				out = append(out, "time."+s.Sel.Name)
			}
		}
		return true
	})
	return out
}
