package page_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/internal/page"
)

// branch is a schema that holds itself.
type branch struct {
	Name     string    `json:"name" minLength:"1" maxLength:"20" pattern:"^[a-z]+$" doc:"What it's <called>."`
	Kind     string    `json:"kind" enum:"leaf,twig" default:"leaf" required:"false"`
	Size     *int      `json:"size" minimum:"3" maximum:"9" required:"false"`
	Branches []*branch `json:"branches" maxItems:"5" required:"false"`
}

// document has one operation, changed by a test.
func document(change func(*huma.OpenAPI, *huma.Operation)) *huma.OpenAPI {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	body := schemas.Schema(reflect.TypeFor[branch](), true, "")
	content := map[string]*huma.MediaType{"application/json": {Schema: body}}
	op := &huma.Operation{
		OperationID: "put_branch", Method: "PUT", Path: "/trees/{tree-id}", Summary: "A branch", Tags: []string{"Trees"},
		Description: "First, `code` & text.\n\nSecond.",
		Parameters: []*huma.Param{
			{Name: "tree-id", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}},
			{Name: "season", In: "query", Required: true, Schema: &huma.Schema{Type: "string", Enum: []any{"dry", "wet"}, Default: "dry"}},
		},
		RequestBody: &huma.RequestBody{Required: true, Content: content},
		Responses:   map[string]*huma.Response{"200": {Description: "OK", Content: content}, "404": {Description: "Not Found"}},
		Extensions:  map[string]any{page.ExtScopes: []string{"tree:write"}, page.ExtBodyBytes: int64(1536), page.ExtTimeout: int64(120)},
	}
	doc := &huma.OpenAPI{Info: &huma.Info{Title: "Trees & more", Version: "7"}, Servers: []*huma.Server{{URL: "https://trees.example.com/"}}, Components: &huma.Components{Schemas: schemas}}
	change(doc, op)
	doc.AddOperation(op)
	return doc
}

func TestAnOperationIsToldInFull(t *testing.T) {
	t.Parallel()
	p, err := page.Render(document(func(*huma.OpenAPI, *huma.Operation) {}))
	require.NoError(t, err)
	html := string(p.HTML)
	for _, want := range []string{
		`<title>Trees &amp; more – API</title>`,
		`<p>First, <code>code</code> &amp; text.</p>` + "\n" + `<p>Second.</p>`,
		`<dd>body up to 1.5 KiB; up to 2 min</dd>`,
		`<td role="cell" data-l="default:"><code>dry</code></td><td role="cell"> <small>one of <code>dry</code> <code>wet</code> </small></td>`,
		`<li><code>name</code> <i>string</i> <b>required</b> <small>1 to 20 characters</small> <small>like <code>^[a-z]&#43;$</code></small><p>What it&#39;s &lt;called&gt;.</p></li>`,
		`<li><code>kind</code> <i>string</i> <small>default &#34;leaf&#34;</small> <small>one of <code>&#34;leaf&#34;</code> <code>&#34;twig&#34;</code> </small></li>`,
		`<li><code>size</code> <i>integer or null</i> <small>≥ 3</small> <small>≤ 9</small></li>`,
		`<li><i>items</i> <small>as above, again</small></li>`,
		`<small>not always</small>`,
		"curl -X PUT &#34;<span class=\"api\">https://trees.example.com</span>/trees/${TREE_ID}?season=${SEASON}&#34; \\\n  -H &#34;Authorization: Bearer $TOKEN&#34; \\\n  -H &#34;Content-Type: application/json&#34; \\\n  -d &#39;{&#34;name&#34;:&#34;string&#34;}&#39;",
		"{\n  &#34;name&#34;: &#34;string&#34;,\n  &#34;branches&#34;: [],\n  &#34;kind&#34;: &#34;leaf&#34;,\n  &#34;size&#34;: 3\n}",
		`<b>404</b> Not Found`,
	} {
		require.True(t, strings.Contains(html, want), want) //nolint:testifylint // the page is too long to be shown
	}
}

func TestAFormIsSentFieldByField(t *testing.T) {
	t.Parallel()
	p, err := page.Render(document(func(_ *huma.OpenAPI, op *huma.Operation) {
		op.RequestBody.Content = map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{Type: "object", Required: []string{"kind"}, Properties: map[string]*huma.Schema{
			"kind": {Type: "string"}, "a_file": {Type: "string", Format: "binary"}, "more": {Type: "string"}, "use": {Type: "string", Enum: []any{"own"}},
		}}}}
	}))
	require.NoError(t, err)
	require.Contains(t, string(p.HTML), "  -F &#34;kind=${KIND}&#34; \\\n  -F &#34;use=own&#34; \\\n  -F &#34;a_file=@FILE&#34;</code>")
}

func TestAnAliasOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	_, err := page.Render(document(func(_ *huma.OpenAPI, op *huma.Operation) { op.Extensions[page.ExtAliasOf] = "nothing" }))
	require.EqualError(t, err, `the page of the OpenAPI document: put_branch is another place of "nothing", which is not there`)
}
