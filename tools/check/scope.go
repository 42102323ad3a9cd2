package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Call is one place that leaves every tenant.
type Call struct {
	Where  string // the file and the function, as in internal/alert/raise.go Raise
	Reason string // what it says that it does so for; empty if it is not written there
}

func (c Call) String() string { return c.Where + ": " + c.Reason }

// SystemCalls finds the calls of tenancy.System in Go files other than tests,
// in order. Also the function itself counts, where it is passed on.
func SystemCalls(tree fs.FS, files []string) ([]Call, error) {
	var calls []Call
	for _, file := range files {
		if path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || strings.Contains("/"+file, "/testdata/") {
			continue
		}
		content, err := fs.ReadFile(tree, file)
		if err != nil {
			continue // gone, and not yet committed
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, content, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		name := tenancyName(parsed)
		if name == "" {
			continue
		}
		for _, decl := range parsed.Decls {
			where := file
			if fn, ok := decl.(*ast.FuncDecl); ok {
				where += " " + fn.Name.Name
			}
			calls = append(calls, systemIn(decl, name, where)...)
		}
	}
	slices.SortFunc(calls, func(a, b Call) int { return strings.Compare(a.String(), b.String()) })
	return calls, nil
}

// tenancyName is what a file calls package tenancy; "" if it does not import it.
func tenancyName(file *ast.File) string {
	for _, i := range file.Imports {
		if i.Path.Value != strconv.Quote(Module+"/tenancy") {
			continue
		}
		if i.Name != nil {
			return i.Name.Name
		}
		return "tenancy"
	}
	return ""
}

func systemIn(node ast.Node, name, where string) []Call {
	var calls []Call
	reasons := map[ast.Expr]string{}
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if len(n.Args) == 2 {
				if text, ok := n.Args[1].(*ast.BasicLit); ok {
					reasons[n.Fun], _ = strconv.Unquote(text.Value)
				}
			}
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == name && n.Sel.Name == "System" {
				calls = append(calls, Call{where, reasons[n]})
			}
		}
		return true
	})
	return calls
}
