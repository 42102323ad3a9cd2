package serve

import (
	"embed"
	"html/template"
	"net/http"
	"path"
	"strings"
)

//go:embed graphiql
var graphiqlFiles embed.FS

// graphiqlPolicy lets the page run its own scripts and talk to its own origin
// only; GraphiQL sets styles and carries fonts inline.
const graphiqlPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// GraphiQL serves the GraphiQL console for the endpoint at a path such as
// /graphql. It answers at any directory it is mounted on, such as /, and needs
// no internet: everything is embedded. Credentials typed into its headers
// editor are not kept.
func GraphiQL(endpoint string) http.Handler {
	page := template.Must(template.ParseFS(graphiqlFiles, "graphiql/index.html"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Content-Security-Policy", graphiqlPolicy)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if strings.HasSuffix(r.URL.Path, "/") {
			header.Set("Content-Type", "text/html; charset=utf-8")
			header.Set("Cache-Control", "no-cache")
			_ = page.Execute(w, endpoint) // a client that has gone is no error of ours
			return
		}
		switch name := path.Base(r.URL.Path); path.Ext(name) {
		case ".js", ".css":
			header.Set("Cache-Control", "public, max-age=3600")
			http.ServeFileFS(w, r, graphiqlFiles, "graphiql/"+name)
		default:
			http.NotFound(w, r)
		}
	})
}
