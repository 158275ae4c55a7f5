package house

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/milena-io/milena/internal/mutant"
)

// Whoever may name a mutant beside the one line of the product that it changes.
var mutantRooms = []string{"internal/mutant", "internal/sim", "internal/house"}

// TestEachMutantHasOnePlace: what is listed is asked for once, in product code, as a condition and nothing else; nobody else
// knows that there are mutants.
func TestEachMutantHasOnePlace(t *testing.T) {
	places := map[string][]string{}
	values := map[string]string{}
	for _, f := range load(t).Files {
		if f.Dir == "internal/mutant" {
			names(f, values)
		}
		if !slices.Contains(f.Imports, Module+"/internal/mutant") || slices.ContainsFunc(mutantRooms, func(room string) bool {
			return f.Dir == room || strings.HasPrefix(f.Dir, room+"/")
		}) {
			continue
		}
		asked, all := uses(f)
		if f.Test || all != 2*len(asked) {
			t.Errorf("%s uses internal/mutant %d times beside %d calls of On: the product asks On and nothing else", f.Path, all-2*len(asked), len(asked))
		}
		for _, name := range asked {
			places[name] = append(places[name], f.Path)
		}
	}
	listed := map[mutant.Mutant]bool{}
	for _, s := range mutant.List() {
		if listed[s.Mutant] {
			t.Errorf("%s is listed twice", s.Mutant)
		}
		listed[s.Mutant] = true
	}
	for name, value := range values {
		if value == string(mutant.None) {
			continue
		}
		if !listed[mutant.Mutant(value)] {
			t.Errorf("%s is not in mutant.List", name)
		}
		if len(places[name]) != 1 {
			t.Errorf("%s is asked for in %d places, and there should be one: %v", name, len(places[name]), places[name])
		}
	}
	if len(listed) < 24 || len(listed) != len(values)-1 {
		t.Errorf("%d mutants are listed and %d named", len(listed), len(values)-1)
	}
}

// names collects the constants of type Mutant in a file.
func names(f *File, out map[string]string) {
	for _, d := range f.Syntax.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				continue
			}
			typ, _ := v.Type.(*ast.Ident)
			lit, isLit := v.Values[0].(*ast.BasicLit)
			if typ != nil && typ.Name == "Mutant" && isLit {
				out[v.Names[0].Name], _ = strconv.Unquote(lit.Value)
			}
		}
	}
}

// uses returns the mutants that a file asks On for, and how often it names the package at all.
func uses(f *File) (asked []string, all int) {
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		if member(n) != "" {
			all++
		}
		if call, ok := n.(*ast.CallExpr); ok && member(call.Fun) == "On" && len(call.Args) == 1 && member(call.Args[0]) != "" {
			asked = append(asked, member(call.Args[0]))
		}
		return true
	})
	return asked, all
}

// member returns X of an expression mutant.X.
func member(n ast.Node) string {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); !ok || x.Name != "mutant" {
		return ""
	}
	return s.Sel.Name
}
