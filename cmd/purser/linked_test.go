package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mentions says which functions, types and variables of a package mention which others.
type mentions struct {
	of   map[types.Object][]types.Object
	stop types.Object // what isn't followed
}

// TestServeNeverStartsTheLocalStripe follows every function that serve can come to within this package, through calls,
// method values and the methods of types it makes: none of them mentions the local Stripe. The table of arrows holds
// that no other package does.
func TestServeNeverStartsTheLocalStripe(t *testing.T) {
	t.Parallel()
	pkg, m := checkedMain(t)
	// A command gets at the table of all commands, to run another one. None of those looked at does.
	m.stop = pkg.Scope().Lookup("commands")
	runsAnother, _, _ := types.LookupFieldOrMethod(pkg.Scope().Lookup("program").Type(), true, pkg, "run")
	local := func(name string) (way []string) {
		return m.way(pkg.Scope().Lookup(name), func(o types.Object) bool {
			return o == runsAnother || o.Pkg() != nil && o.Pkg().Path() == "purser/internal/localstripe"
		})
	}
	for _, command := range []string{"serveCommand", "migrateCommand", "poolBuyCommand", "eventsReplayCommand", "auditCommand"} {
		if way := local(command); way != nil {
			t.Errorf("%s comes to the local Stripe: %s", command, strings.Join(way, " → "))
		}
	}
	// That the way is found where there is one.
	for _, command := range []string{"demoCommand", "devUpCommand", "localStripeCommand"} {
		if local(command) == nil {
			t.Errorf("%s doesn't come to the local Stripe", command)
		}
	}
	if m.way(pkg.Scope().Lookup("serveCommand"), func(o types.Object) bool { return o.Name() == "startService" }) == nil {
		t.Error("serve doesn't come to startService: this test looks at nothing")
	}
}

// checkedMain is this package with its types, without its tests.
func checkedMain(t *testing.T) (*types.Package, mentions) {
	t.Helper()
	exports := exported(t)
	files := token.NewFileSet()
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	var parsed []*ast.File
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			f, err := parser.ParseFile(files, e.Name(), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{Importer: importer.ForCompiler(files, "gc", lookup)}).Check("purser/cmd/purser", files, parsed, info)
	if err != nil {
		t.Fatal(err)
	}
	return pkg, mentioned(parsed, info)
}

// exported are the compiled packages that this one needs, by path.
func exported(t *testing.T) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Export", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	exports := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
	}
}

// mentioned reads what each function, type and variable of the package mentions. A type mentions its methods, since
// whoever has a value may call them through an interface.
func mentioned(parsed []*ast.File, info *types.Info) mentions {
	m := mentions{of: map[types.Object][]types.Object{}}
	note := func(from types.Object, n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil {
				m.of[from] = append(m.of[from], info.Uses[id])
			}
			return true
		})
	}
	for _, f := range parsed {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				from := info.Defs[d.Name]
				note(from, d)
				if recv := from.Type().(*types.Signature).Recv(); recv != nil {
					if named := namedType(recv.Type()); named != nil {
						m.of[named.Obj()] = append(m.of[named.Obj()], from)
					}
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						note(info.Defs[s.Name], s.Type)
					case *ast.ValueSpec:
						for _, name := range s.Names {
							note(info.Defs[name], s)
						}
					}
				}
			}
		}
	}
	return m
}

func namedType(t types.Type) *types.Named {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, _ := t.(*types.Named)
	return named
}

// way is how one comes from a start to what is looked for, or nil.
func (m mentions) way(start types.Object, found func(types.Object) bool) []string {
	cameFrom := map[types.Object]types.Object{start: nil, m.stop: nil}
	for queue := []types.Object{start}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		if found(at) {
			var way []string
			for o := at; o != nil; o = cameFrom[o] {
				way = append(way, o.Name())
			}
			slices.Reverse(way)
			return way
		}
		for _, next := range m.of[at] {
			if _, seen := cameFrom[next]; !seen {
				cameFrom[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}
