// Package house reads the project's own source and holds it against the rules of docs/architecture.md: what may import
// what, how large files, functions and types may be, what machines must not touch. Its tests are the rules; it owns the
// list of exceptions, which may only shrink. Nothing imports it.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/milena-io/milena"

// File is one parsed source file.
type File struct {
	Path    string // slash-separated, from the module's root
	Dir     string
	Test    bool
	Lines   int
	Syntax  *ast.File
	Imports []string
}

// Tree is every Go file of the main module.
type Tree struct {
	Fset  *token.FileSet
	Files []*File
}

// Load parses the module below root; modules of their own and testdata are left out.
func Load(root string) (*Tree, error) {
	t := &Tree{Fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			base := d.Name()
			if rel != "." && (strings.HasPrefix(base, ".") || base == "testdata" || foreign(name)) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		return t.add(name, rel)
	})
	return t, err
}

// foreign reports whether a directory is a module of its own.
func foreign(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func (t *Tree) add(name, rel string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	syntax, err := parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &File{
		Path: rel, Dir: path.Dir(rel), Test: strings.HasSuffix(rel, "_test.go"), Lines: strings.Count(string(src), "\n"),
		Syntax: syntax,
	}
	for _, i := range syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return err
		}
		f.Imports = append(f.Imports, p)
	}
	t.Files = append(t.Files, f)
	return nil
}
