package web

import (
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// route is one line of the index page.
type route struct {
	Method, Path string
	Parameters   string
}

// Linked reports that a browser can open the path as it is.
func (r route) Linked() bool { return r.Method == "GET" && !strings.Contains(r.Path, "{") }

var indexPage = template.Must(template.New("index").Parse(`<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Ledger</title>
<h1>Ledger</h1>
<p>Double-entry bookkeeping as JSON over HTTP.</p>
<ul>
{{- range .}}
<li><code>{{.Method}} {{if .Linked}}<a href="{{.Path}}">{{.Path}}</a>{{else}}{{.Path}}{{end}}</code>
{{- with .Parameters}} ({{.}}){{end}}
{{- end}}
</ul>
</html>
`))

// Index answers with a page that lists the paths of the API, and probes. It
// needs no books, so it answers while they are opened.
func Index(probes ...string) http.Handler {
	var list []route
	for _, pattern := range slices.Sorted(maps.Keys(new(server).routes())) {
		method, path, _ := strings.Cut(pattern, " ")
		list = append(list, route{method, path, strings.Join(parameters[pattern], ", ")})
	}
	slices.SortStableFunc(list, func(a, b route) int { return strings.Compare(a.Path, b.Path) })
	for _, path := range probes {
		list = append(list, route{Method: "GET", Path: path})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = indexPage.Execute(w, list) // a client that has gone away does not read it
	})
}
