package pagetest_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html/atom"

	"github.com/godsr/dsr/internal/dbtest/pagetest"
	"github.com/godsr/dsr/storage"
)

// hostile is text that tries to leave its place.
var hostile = []string{
	`<script>alert(1)</script>`, `</script><script>alert(2)</script>`, `</bdi></dd></article><img src=x onerror=alert(3)>`,
	`"><svg onload=alert(4)>`, `' onmouseover='alert(5)`, `<!--`, `-->`, `]]>`, `&lt;b&gt;&amp;amp;&#0;`, `javascript:alert(6)`, `{{.Nonce}}`,
	"user\u202egpj.exe", "\u2066hidden\u2069", "a\u200bb\ufeffc", "line\u2028separator\u2029end", "../../../etc/passwd", `..\..\windows`,
	"zero\x00bell\x07escape\x1b[31mdelete\x7fnext\u0085", "tab\tline\nreturn\rboth\r\nend", "\n\nleading and trailing\n", "  spaces   kept  ", "\r", "",
	"\ufffd", "\ufffe\uffff", "👩\u200d👩\u200d👧 family", "שלום", "می\u200cخواهم", "e\u0301", "\\u003cb\\u003e", "`${alert(7)}`",
}

// Every row is read back as it was: its values, their types, its fields and
// their order.
func TestReadBack(t *testing.T) {
	t.Parallel()
	object := func(pairs ...string) string {
		var out strings.Builder
		out.WriteByte('{')
		for i := 0; i < len(pairs); i += 2 {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(quote(t, pairs[i]) + ":" + pairs[i+1])
		}
		return out.String() + "}"
	}
	odd := collection{dataset: "a", name: "odd", rows: []string{
		`{}`,
		`{"null":null,"true":true,"false":false,"text":"null","also":"true"}`,
		`{"zero":0,"minus":-0,"exact":12345678901234567890.10,"small":1e-400,"text":"1"}`,
		`{"empty":[],"none":{},"list":[1,"a",null,true,[],{}],"deep":[[["x"]],{"a":{"b":{"c":[{"d":1}]}}}]}`,
		`{"field_1":"really its name","field_2":1}`, // sparse
		`{"":{"":[]}}`,
		object("nested", strings.Repeat(`{"a":[`, 200)+`"core"`+strings.Repeat(`]}`, 200)),
		object("large", quote(t, strings.Repeat("<x>\u202e ", 130_000))),
		object("long", quote(t, strings.Repeat("word ", 200)), "lines", quote(t, strings.Repeat("l\n", 30))),
	}}
	names := collection{dataset: "<b>'\"\u202e/..", name: "../<script>\x07", columns: []storage.Column{{Path: []string{"declared"}, Categories: []string{"</small><b>"}}}, rows: []string{`{"declared":1}`}}
	for _, text := range hostile {
		odd.rows = append(odd.rows, object("value", quote(t, text), "inside", "["+quote(t, text)+"]"))
		names.rows = append(names.rows, object(text, "1", text+"x", object(text, quote(t, text))))
	}
	last := collection{dataset: "a", name: "ODD", rows: []string{`{"last":1}`}} // the same on many file systems
	p := &pack{format: storage.HTML{PageRows: 7}, collections: []collection{names, last, odd, {dataset: "a", name: "without rows"}}}
	dir := p.write(t)
	rows, err := pagetest.Read(os.DirFS(dir))
	require.NoError(t, err)
	require.Len(t, rows, 3)
	for _, c := range p.collections[:3] {
		got := rows[c.dataset+":"+c.name]
		require.Len(t, got, len(c.rows))
		for i, want := range c.rows {
			require.Equal(t, want, got[i], "row %d of %q", i, c.name)
		}
	}
}

func quote(t *testing.T, s string) string {
	t.Helper()
	var out strings.Builder
	require.NoError(t, json.NewEncoder(&out).Encode(s))
	return strings.TrimSuffix(out.String(), "\n")
}

// Whatever names and values hold: the pages have no elements but their own, and
// nothing in them is run or loaded.
func TestHostileInChromium(t *testing.T) {
	p := &pack{format: storage.HTML{From: hostile[0], Contact: hostile[2], PageRows: 10}}
	row := collection{dataset: "shop", name: "orders"}
	for i, text := range hostile {
		n := collection{dataset: fmt.Sprintf("%02d%s", i, strings.ReplaceAll(text, ":", "")), name: text, categories: []string{text}, columns: []storage.Column{{Path: []string{text}, Categories: []string{text}}}, rows: []string{`{` + quote(t, text) + `:` + quote(t, text) + `}`}}
		p.collections = append(p.collections, n)
		row.rows = append(row.rows, `{"value":`+quote(t, text)+`}`)
		p.files = append(p.files, text)
		p.contents = append(p.contents, storage.ManifestCollection{Address: "zz" + text + ":" + text, State: storage.StateSkipped, Message: text})
	}
	p.collections = append(p.collections, row)
	key := func(c collection) string { return (&storage.Collection{Dataset: c.dataset, Name: c.name}).Key() }
	slices.SortFunc(p.collections, func(a, b collection) int { return storage.CompareKeys(key(a), key(b)) }) // one without a name comes last
	dir := p.write(t)

	pack := os.DirFS(dir)
	allowed := map[atom.Atom]bool{}
	for _, a := range []atom.Atom{
		atom.Html, atom.Head, atom.Meta, atom.Title, atom.Link, atom.Body, atom.A, atom.Header, atom.Nav, atom.Main, atom.Footer, atom.Section, atom.Article, atom.Div, atom.P,
		atom.H1, atom.H2, atom.H3, atom.Ul, atom.Ol, atom.Li, atom.Dl, atom.Dt, atom.Dd, atom.Table, atom.Thead, atom.Tbody, atom.Tr, atom.Th, atom.Td,
		atom.Bdi, atom.B, atom.I, atom.Small, atom.Span, atom.Form, atom.Input, atom.Button, atom.Label, atom.Noscript, atom.Script,
	} {
		allowed[a] = true
	}
	pages := 0
	require.NoError(t, fs.WalkDir(pack, ".", func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		if entry.IsDir() || !strings.HasSuffix(path, ".html") || strings.HasPrefix(path, "attachments") {
			return nil
		}
		pages++
		doc, err := pagetest.Parse(pack, path)
		require.NoError(t, err)
		for n := range doc.Descendants() {
			for _, a := range n.Attr {
				require.False(t, strings.HasPrefix(a.Key, "on") || a.Key == "style", "%s: %s", path, a.Key)
			}
			if n.DataAtom != 0 || n.Data == "svg" {
				require.True(t, allowed[n.DataAtom], "%s: <%s>", path, n.Data)
			}
			if n.DataAtom == atom.Script {
				require.NotEmpty(t, pagetest.Attr(n, "nonce"))
				require.Contains(t, []string{"assets/script.js", "search/index.js", "pages.js"}, strings.TrimPrefix(pagetest.Attr(n, "src"), "../../../"))
				require.Nil(t, n.FirstChild)
			}
		}
		return nil
	}))
	require.Greater(t, pages, len(hostile))

	b := open(t, dir)
	b.do(visit(address(dir, "index.html#q=alert")), visible("#results li"))
	require.Equal(t, []string{}, eval[[]string](b, `[...document.querySelectorAll("#results *")].map(e => e.localName).filter(n => !["li", "p", "a", "bdi", "mark"].includes(n))`))
	links := eval[[]string](b, `[...document.querySelectorAll("tbody a")].map(a => a.href)`)
	require.Len(t, links, len(hostile)+1)
	for _, link := range links {
		b.do(visit(link), ready("#r1"))
		require.Equal(t, 1, eval[int](b, `document.querySelectorAll("h1").length`), link)
	}
}
