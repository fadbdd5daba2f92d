// Package page renders an OpenAPI document as a page for people: one file of
// HTML that loads nothing, with its style and its script inside.
package page

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

var (
	//go:embed page.html
	frame string
	//go:embed operation.html
	operationFrame string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// Page is a page, and the Content-Security-Policy under which it works.
type Page struct {
	HTML   []byte
	Policy string
}

// Extensions of operations that the page tells of, besides what OpenAPI has.
const (
	ExtScopes    = "x-scopes"             // []string, all of them needed
	ExtOrScopes  = "x-or-scopes"          // []string, of which any one will do instead
	ExtPublic    = "x-public"             // string: why no token is needed
	ExtAliasOf   = "x-alias-of"           // string: the ID of the operation that this is another place of
	ExtBodyBytes = "x-max-body-bytes"     // int64
	ExtPerMinute = "x-calls-per-minute"   // int
	ExtLimitedBy = "x-calls-per"          // string: whose calls are counted
	ExtTimeout   = "x-timeout-in-seconds" // int64
)

// view is what the template shows.
type view struct {
	Title, Version, Description string
	API                         string // of curl lines: a URL, or the variable of a shell
	Place                       string // a URL that API may be
	Known                       bool   // Place is the one
	Token                       bool   // there is POST /oauth/token
	Bearer, Hook                string
	Tags                        []tag
	Operations                  int
	Errors                      template.HTML
	Style                       template.CSS
	Script                      template.JS
}

type tag struct {
	Name, ID, Description string
	Operations            []*operation
}

// Render makes the page of a document. Its operations stand below their first
// tag, in the order of the document's tags.
func Render(doc *huma.OpenAPI) (*Page, error) {
	templates, err := template.New("page").Parse(frame)
	if err == nil {
		_, err = templates.Parse(operationFrame)
	}
	if err != nil {
		return nil, fmt.Errorf("parse the page of the OpenAPI document: %w", err)
	}
	r := &renderer{doc: doc, templates: templates, trees: map[treeKey]template.HTML{}}
	v, err := r.view()
	if err != nil {
		return nil, fmt.Errorf("the page of the OpenAPI document: %w", err)
	}
	var out bytes.Buffer
	if err := templates.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("render the page of the OpenAPI document: %w", err)
	}
	return &Page{HTML: out.Bytes(), Policy: fmt.Sprintf("default-src 'none'; style-src '%s'; script-src '%s'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", digest(style), digest(script))}, nil
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

type renderer struct {
	doc       *huma.OpenAPI
	templates *template.Template
	trees     map[treeKey]template.HTML // of named schemas, by reference
	api       string
}

func (r *renderer) view() (*view, error) {
	v := &view{
		Title: r.doc.Info.Title, Version: r.doc.Info.Version, Description: r.doc.Info.Description,
		Style: template.CSS(style), Script: template.JS(script), //nolint:gosec // ours
	}
	server := "/"
	if len(r.doc.Servers) > 0 {
		server = r.doc.Servers[0].URL
	}
	v.API, v.Place = "$API", "https://HOST/"+strings.TrimPrefix(server, "/")
	if strings.Contains(server, "://") {
		v.API, v.Place, v.Known = server, server, true
	}
	v.API, v.Place = strings.TrimRight(v.API, "/"), strings.TrimRight(v.Place, "/")
	r.api = v.API
	if c := r.doc.Components; c != nil {
		for name, told := range map[string]*string{"bearer": &v.Bearer, "hook": &v.Hook} {
			if scheme := c.SecuritySchemes[name]; scheme != nil {
				*told = scheme.Description
			}
		}
	}
	if item := r.doc.Paths["/oauth/token"]; item != nil {
		v.Token = item.Post != nil
	}
	operations, err := r.operations()
	if err != nil {
		return nil, err
	}
	v.Operations = len(operations)
	v.Tags = r.tags(operations)
	if !slices.ContainsFunc(operations, func(o *operation) bool { return o.Hook }) {
		v.Hook = ""
	}
	v.Errors, err = r.errors()
	return v, err
}

// all are the operations of the document, by path and method.
func (r *renderer) all() []*huma.Operation {
	var all []*huma.Operation
	for _, p := range slices.Sorted(maps.Keys(r.doc.Paths)) {
		item := r.doc.Paths[p]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}

// operations are those that are no alias, each with its aliases.
func (r *renderer) operations() ([]*operation, error) {
	var shown []*operation
	byID := map[string]*operation{}
	var aliases []*huma.Operation
	for _, op := range r.all() {
		if text(op, ExtAliasOf) != "" {
			aliases = append(aliases, op)
			continue
		}
		o, err := r.operation(op)
		if err != nil {
			return nil, err
		}
		shown = append(shown, o)
		byID[op.OperationID] = o
	}
	for _, op := range aliases {
		of := byID[text(op, ExtAliasOf)]
		if of == nil {
			return nil, fmt.Errorf("%s is another place of %q, which is not there", op.OperationID, text(op, ExtAliasOf))
		}
		of.Aliases = append(of.Aliases, alias{op.OperationID, op.Method, op.Path})
	}
	return shown, nil
}

func (r *renderer) tags(operations []*operation) []tag {
	var tags []tag
	for _, t := range r.doc.Tags {
		tags = append(tags, tag{Name: t.Name, Description: t.Description})
	}
	for _, o := range operations {
		n := slices.IndexFunc(tags, func(t tag) bool { return t.Name == o.Tag })
		if n < 0 {
			n = len(tags)
			tags = append(tags, tag{Name: o.Tag})
		}
		tags[n].Operations = append(tags[n].Operations, o)
	}
	tags = slices.DeleteFunc(tags, func(t tag) bool { return len(t.Operations) == 0 })
	for n := range tags {
		tags[n].ID = fmt.Sprintf("tag-%d", n+1)
	}
	return tags
}

// errors is the tree of what answers from 400 on look like: all of them are
// alike, so that the operations need not repeat it.
func (r *renderer) errors() (template.HTML, error) {
	known := map[string]bool{}
	var nodes []node
	for _, op := range r.all() {
		for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
			for _, media := range op.Responses[status].Content {
				if status < "400" || media.Schema == nil {
					continue
				}
				for _, s := range cmpOr(media.Schema.AnyOf, []*huma.Schema{media.Schema}) {
					if key := cmp.Or(s.Ref, fmt.Sprintf("%p", s)); !known[key] {
						known[key] = true
						n := r.node(s, nil)
						n.Text = "Of " + status + " " + http.StatusText(code(status)) + ", among others."
						nodes = append(nodes, n)
					}
				}
			}
		}
	}
	if len(nodes) == 0 {
		return "", nil
	}
	asAnswered(nodes)
	return r.render(nodes)
}

func cmpOr[T any](a, b []T) []T {
	if len(a) > 0 {
		return a
	}
	return b
}
