package storage_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

var htmlAbout = storage.About{
	RequestID:   "pri_1",
	RequestedAt: time.Date(2026, 3, 4, 9, 5, 0, 0, time.UTC),
	Created:     time.Date(2026, 3, 9, 14, 30, 0, 0, time.UTC),
	Identities:  []storage.Identity{{Kind: "email", Values: []string{"user@example.com"}}, {Kind: "phone"}, {Kind: "loyalty_card", Values: []string{"7", "8"}}},
}

// htmlTo writes a package and returns its files.
func htmlTo(t *testing.T, format storage.HTML, about *storage.About, write func(storage.Writer), contents ...storage.ManifestCollection) map[string]string {
	t.Helper()
	var out bytes.Buffer
	w, err := format.NewWriter(&out, about)
	require.NoError(t, err)
	write(w)
	require.NoError(t, w.Close(t.Context(), contents))
	require.NoError(t, w.Close(t.Context(), contents), "closing again does nothing")
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	files := map[string]string{}
	for _, f := range archive.File {
		require.True(t, fs.ValidPath(f.Name), f.Name)
		require.NotContains(t, files, f.Name)
		data, err := fs.ReadFile(archive, f.Name)
		require.NoError(t, err)
		files[f.Name] = string(data)
	}
	return files
}

func rowsOf(t *testing.T, w storage.Writer, c *storage.Collection, rows ...string) {
	t.Helper()
	require.NoError(t, w.Collection(c))
	for _, row := range rows {
		require.NoError(t, w.Row([]byte(row)))
	}
}

// between is the part of a text from one mark to the next other one.
func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, text, ok := strings.Cut(text, from)
	require.True(t, ok, from)
	part, _, ok := strings.Cut(text, to)
	require.True(t, ok, to)
	return part
}

func TestHTMLRow(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 130)
	c := &storage.Collection{Dataset: "shop", Name: "customer", Categories: []string{"contact email"}, Columns: []storage.Column{
		{Path: []string{"email"}, Categories: []string{"contact email", "user <id>"}}, {Path: []string{"address", "city"}, Categories: []string{"city"}},
	}}
	for name, test := range map[string]struct{ row, html, text string }{
		"types": {
			`{"a":"x","b":-1.50e3,"c":true,"d":false,"e":null,"f":""}`,
			`<dl data-type="object"><div><dt><bdi>a</bdi></dt><dd><bdi data-type="text">x</bdi></dd></div>` + "\n" +
				`<div><dt><bdi>b</bdi></dt><dd><bdi dir="ltr" data-type="number">-1.50e3</bdi></dd></div>` + "\n" +
				`<div><dt><bdi>c</bdi></dt><dd><span data-type="boolean" data-value="true">yes</span></dd></div>` + "\n" +
				`<div><dt><bdi>d</bdi></dt><dd><span data-type="boolean" data-value="false">no</span></dd></div>` + "\n" +
				`<div><dt><bdi>e</bdi></dt><dd><i data-type="null" data-blank>empty</i></dd></div>` + "\n" +
				`<div><dt><bdi>f</bdi></dt><dd><i data-type="text" data-blank>no text</i></dd></div>` + "\n</dl>",
			`a: x\nb: -1.50e3\nc: yes\nd: no\ne: \nf: \n`,
		},
		"categories": {
			`{"email":"a@b","address":{"city":"Köln"}}`,
			`<dl data-type="object"><div><dt><bdi>email</bdi> <small>contact email, user &lt;id&gt;</small></dt><dd><bdi data-type="text">a@b</bdi></dd></div>` + "\n" +
				`<div><dt><bdi>address</bdi></dt><dd><dl data-type="object"><div><dt><bdi>city</bdi> <small>city</small></dt><dd><bdi data-type="text">Köln</bdi></dd></div>` + "\n</dl></dd></div>\n</dl>",
			`email: a@b\naddress\ncity: Köln\n`,
		},
		"arrays": {
			`{"a":[1,["x"]],"b":[],"c":{}}`,
			`<dl data-type="object"><div><dt><bdi>a</bdi></dt><dd><ol data-type="array"><li><bdi dir="ltr" data-type="number">1</bdi></li>` + "\n" +
				`<li><ol data-type="array"><li><bdi data-type="text">x</bdi></li>` + "\n</ol></li>\n</ol></dd></div>\n" +
				`<div><dt><bdi>b</bdi></dt><dd><i data-type="array" data-blank>nothing inside</i></dd></div>` + "\n" +
				`<div><dt><bdi>c</bdi></dt><dd><i data-type="object" data-blank>nothing inside</i></dd></div>` + "\n</dl>",
			`a\n1\nx\nb\nc\n`,
		},
		"nothing": {`{}`, `<i data-type="object" data-blank>nothing inside</i>`, ``},
		"hostile": {
			`{"</dt>\u202e":"</script>\u2028\"'&\u0000\r\n\r"}`,
			`<dl data-type="object"><div><dt><bdi>&lt;/dt&gt;<b data-char="202E">U+202E</b></bdi></dt><dd><bdi data-type="text">&lt;/script&gt;<b data-char="2028">U+2028</b>&#34;&#39;&amp;` +
				`<b data-char="0000">U+0000</b><b data-char="000D"></b>` + "\n" + `<b data-char="000D">U+000D</b></bdi></dd></div>` + "\n</dl>",
			`\u003c/dt\u003e\u202e: \u003c/script\u003e\u2028\"'\u0026\u0000\u000d\n\u000d\n`,
		},
		"long": {
			`{"":"` + long + `"}`,
			`<dl data-type="object"><div><dt><i data-blank>no name</i></dt><dd><details><summary><bdi>` + long[:140] + `…</bdi> <small>Show all 650 characters</small></summary><bdi data-type="text">` +
				long + `</bdi></details></dd></div>` + "\n</dl>",
			`: ` + long + `\n`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := htmlTo(t, storage.HTML{}, &htmlAbout, func(w storage.Writer) { rowsOf(t, w, c, test.row) })
			page := files["data/shop/customer/page-1.html"]
			require.Equal(t, "<article id=\"r1\"><h2>Entry 1</h2>\n"+test.html+"</article>\n", between(t, page, `<div id="rows">`+"\n", "</div>\n</main>"))
			require.Equal(t, `dsrPackage.shard(1,[{"s":"shop","c":"customer","p":"data/shop/customer/","r":[[1,1,"`+test.text+`"]]}]);`+"\n", files["search/1.js"])
			require.Equal(t, `dsrPackage.index({"shards":1,"whole":true});`+"\n", files["search/index.js"])
		})
	}
}

func TestHTMLPages(t *testing.T) {
	t.Parallel()
	files := htmlTo(t, storage.HTML{PageRows: 2}, &htmlAbout, func(w storage.Writer) {
		rowsOf(t, w, named("a:none"))
		rowsOf(t, w, named("a:one"), `{"n":1}`, `{"n":2}`)
		rowsOf(t, w, named("a:three"), `{"n":1}`, `{"n":2}`, `{"n":3}`)
		// A large row stands alone, and does not cut short the page before.
		rowsOf(t, w, named("b:large"), `{"n":1}`, `{"n":"`+strings.Repeat("x", 300<<10)+`"}`, `{"n":3}`, `{"n":4}`, `{"n":5}`)
	})
	require.ElementsMatch(t, []string{
		"assets/style.css", "assets/script.js", "index.html", "search/index.js", "search/1.js",
		"data/a/one/page-1.html",
		"data/a/three/page-1.html", "data/a/three/page-2.html", "data/a/three/pages.js", "data/a/three/pages.html",
		"data/b/large/page-1.html", "data/b/large/page-2.html", "data/b/large/page-3.html", "data/b/large/page-4.html", "data/b/large/pages.js", "data/b/large/pages.html",
	}, keys(files))
	rows := func(page string) (ids []string) {
		for _, m := range regexp.MustCompile(`<article id="(r\d+)">`).FindAllStringSubmatch(files[page], -1) {
			ids = append(ids, m[1])
		}
		return ids
	}
	require.Equal(t, []string{"r1", "r2"}, rows("data/a/one/page-1.html"))
	require.Equal(t, []string{"r3"}, rows("data/a/three/page-2.html"))
	require.Equal(t, []string{"r1"}, rows("data/b/large/page-1.html"))
	require.Equal(t, []string{"r2"}, rows("data/b/large/page-2.html"))
	require.Equal(t, []string{"r3", "r4"}, rows("data/b/large/page-3.html"))
	require.NotContains(t, files["data/a/one/page-1.html"], "pager")
	require.Contains(t, files["data/a/three/page-1.html"], `<a rel="next" href="page-2.html">`)
	require.NotContains(t, files["data/a/three/page-1.html"], `rel="prev"`)
	require.Contains(t, files["data/a/three/page-2.html"], `<a rel="prev" href="page-1.html">`)
	require.NotContains(t, files["data/a/three/page-2.html"], `rel="next"`)
	require.Contains(t, files["data/b/large/page-3.html"], "Entries 3 to 4<")
	require.Equal(t, "dsrPackage.pages(4,5);\n", files["data/b/large/pages.js"])
	require.Contains(t, files["data/b/large/pages.html"], `<li id="last"><a href="page-4.html">4</a></li>`)
	require.Contains(t, files["search/1.js"], `{"s":"a","c":"three","p":"data/a/three/","r":[[1,1,"n: 1\n"],`+"\n"+`[1,2,"n: 2\n"],`+"\n"+`[2,3,"n: 3\n"]]},`+"\n"+`{"s":"b",`)
}

func keys(files map[string]string) (names []string) {
	for name := range files {
		names = append(names, name)
	}
	return names
}

// Of many pages, the way to all of them names some.
func TestHTMLManyPages(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	require.NoError(t, storage.HTMLAllPages(&page, 1234, 56_789))
	links := regexp.MustCompile(`page-\d+.html`).FindAllString(page.String(), -1)
	require.Len(t, links, 125)
	require.Equal(t, []string{"page-1.html", "page-10.html", "page-20.html"}, links[:3])
	require.Equal(t, []string{"page-1230.html", "page-1234.html"}, links[123:])
	require.Contains(t, page.String(), "Entries: 56,789<")
	require.Contains(t, page.String(), `<li id="last"><a href="page-1234.html">1,234</a></li>`)
}

func TestHTMLFirstPage(t *testing.T) {
	t.Parallel()
	attach := func(w storage.Writer, name string) {
		_, err := w.Attach(&storage.Attachment{Name: name, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("content")), nil }})
		require.NoError(t, err)
	}
	files := htmlTo(t, storage.HTML{From: "Fern & Field", Contact: "privacy@example.com"}, &htmlAbout, func(w storage.Writer) {
		rowsOf(t, w, &storage.Collection{Dataset: "shop #1", Name: "orders", Categories: []string{"purchases", "names"}}, `{}`)
		attach(w, "a b#c%.pdf")
		attach(w, "../a b#c%.pdf")
	},
		storage.ManifestCollection{Address: "crm:calls", State: storage.StateFailed, Message: "refused"},
		storage.ManifestCollection{Address: "crm:leads", State: storage.StateDone, Uncastable: 1500},
		storage.ManifestCollection{Address: "crm:mails", State: storage.StateSkipped, Message: "no identity"},
		storage.ManifestCollection{Address: "crm:odd", State: "suspended"},
		storage.ManifestCollection{Address: "shop #1:cut short", State: storage.StateFailed, Rows: 1, Message: "cut off"},
		storage.ManifestCollection{Address: "shop #1:orders", State: storage.StateDone, Rows: 1, Message: "left out: 2", Uncastable: 1},
	)
	page := files["index.html"]
	require.Contains(t, page, "<h1><bdi>The data Fern &amp; Field holds about you</bdi></h1>")
	require.Contains(t, page, "<title>The data Fern &amp; Field holds about you</title>")
	require.Contains(t, page, `<html lang="en">`)
	facts := between(t, page, `<section class="card facts"`, `</section>`)
	for _, fact := range []string{
		"<div><dt>Found by: <bdi>Email address</bdi></dt><dd><bdi>user@example.com</bdi></dd></div>",
		"<div><dt>Found by: <bdi>Loyalty card</bdi></dt><dd><bdi>7</bdi></dd><dd><bdi>8</bdi></dd></div>",
		"<div><dt>You asked on</dt><dd>4 March 2026, 09:05 UTC</dd></div>",
		"<div><dt>Put together on</dt><dd>9 March 2026, 14:30 UTC</dd></div>",
		`<div><dt>Request number</dt><dd class="code"><bdi>pri_1</bdi></dd></div>`,
		"<div><dt>Questions</dt><dd><bdi>privacy@example.com</bdi></dd></div>",
	} {
		require.Contains(t, facts, fact)
	}
	require.NotContains(t, facts, "Phone number", "there is none")
	require.Contains(t, page, `<tr><th scope="row"><a href="data/shop%20%231/orders/page-1.html"><bdi>orders</bdi></a></th><td><bdi>purchases, names</bdi>`+
		`<p class="note">Note: <bdi>left out: 2. Values that could not be looked up here: 1</bdi></p></td><td class="count">1</td></tr>`)
	require.Contains(t, page, "<li><a href=\"attachments/a%20b%23c%25.pdf\" download><bdi>a b#c%.pdf</bdi></a></li>\n<li><a href=\"attachments/_a%20b%23c%25.pdf\" download><bdi>../a b#c%.pdf</bdi></a></li>")
	require.Equal(t, "content", files["attachments/a b#c%.pdf"])
	places := func(id string) string { return between(t, page, `<h2 id="`+id+`">`, "</section>") }
	require.Contains(t, places("failed"), `<li><bdi>crm</bdi> <span class="to" aria-hidden="true">›</span> <bdi>calls</bdi><p class="note"><bdi>refused</bdi></p></li>`)
	require.Contains(t, places("failed"), `<bdi>odd</bdi></li>`)
	require.Contains(t, places("failed"), `<bdi>cut short</bdi><p class="note"><bdi>cut off</bdi></p></li>`, "also where some rows came")
	require.NotContains(t, places("failed")+places("skipped")+places("empty"), "<bdi>orders</bdi>")
	require.Contains(t, places("skipped"), `<bdi>mails</bdi><p class="note"><bdi>no identity</bdi></p></li>`)
	require.Contains(t, places("empty"), `<bdi>leads</bdi><p class="note"><bdi>Values that could not be looked up here: 1,500</bdi></p></li>`)
	require.Contains(t, files["search/1.js"], `,`+"\n"+`{"s":"","c":"","p":"","r":[["attachments/a%20b%23c%25.pdf",0,"a b#c%.pdf"],`)

	policy := between(t, page, `<meta http-equiv="Content-Security-Policy" content="`, `"`)
	nonce := between(t, policy, "script-src 'nonce-", "'")
	require.Equal(t, "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; base-uri 'none'; form-action 'none'", policy)
	require.NotContains(t, htmlTo(t, storage.HTML{}, &htmlAbout, func(storage.Writer) {})["index.html"], nonce, "each package has its own")
}

func TestHTMLNothing(t *testing.T) {
	t.Parallel()
	files := htmlTo(t, storage.HTML{}, &storage.About{}, func(w storage.Writer) { rowsOf(t, w, named("a:b")) })
	require.ElementsMatch(t, []string{"assets/style.css", "assets/script.js", "index.html", "search/index.js"}, keys(files))
	require.Contains(t, files["index.html"], `<p class="nothing">No data about you was found.</p>`)
	require.NotContains(t, files["index.html"], `id="search"`)
	require.Equal(t, `dsrPackage.index({"shards":0,"whole":true});`+"\n", files["search/index.js"])
}

// Names that are one on a file system, or are none, have folders that differ.
func TestHTMLFolders(t *testing.T) {
	t.Parallel()
	keys := []string{"..:../../x", "A:CON", "A:Orders", "A:a/b", "A:orders", "a:orders", "a\x00:" + strings.Repeat("é", 200), "dataset_1:field_1"}
	files := htmlTo(t, storage.HTML{}, &htmlAbout, func(w storage.Writer) {
		for _, key := range keys {
			rowsOf(t, w, named(key), `{}`)
		}
	})
	for _, folder := range []string{"_/_.._x", "A/_CON", "A/Orders", "A/a_b", "A/orders (2)", "a (2)/orders", "a_/" + strings.Repeat("é", 60), "dataset_1/field_1"} {
		require.Contains(t, files, "data/"+folder+"/page-1.html")
	}
	require.Contains(t, files["index.html"], `href="data/A/orders%20%282%29/page-1.html"`)
}

func TestHTMLRefuses(t *testing.T) {
	t.Parallel()
	_, err := storage.HTML{PageRows: -1}.NewWriter(io.Discard, &htmlAbout)
	require.EqualError(t, err, "storage: HTML.PageRows is -1; give a positive number, or 0 for 50")
	_, err = storage.HTML{}.NewWriter(io.Discard, nil)
	require.EqualError(t, err, "storage: an HTML package needs PackageOptions.About")
	for want, write := range map[string]func(storage.Writer) error{
		`storage: collection "a:b" comes after "a:b": keys must ascend, each once`: func(w storage.Writer) error {
			return errors.Join(w.Collection(named("a:b")), w.Collection(named("a:b")))
		},
		"storage: a row comes before the first collection":                                       func(w storage.Writer) error { return w.Row([]byte(`{}`)) },
		`storage: row 1 of the package, in collection "a:b", is not one JSON object on one line`: func(w storage.Writer) error { return errors.Join(w.Collection(named("a:b")), w.Row([]byte(`[1]`))) },
		`storage: a row is not valid JSON: row 2 of collection "a:b"`: func(w storage.Writer) error {
			return errors.Join(w.Collection(named("a:b")), w.Row([]byte(`{}`)), w.Row([]byte(`{"a" 1}`)))
		},
	} {
		w, err := storage.HTML{}.NewWriter(io.Discard, &htmlAbout)
		require.NoError(t, err)
		require.EqualError(t, write(w), want)
		require.EqualError(t, w.Row([]byte(`{}`)), want, "the error stays")
		require.EqualError(t, w.Close(t.Context(), nil), want)
	}
	w, err := storage.HTML{}.NewWriter(io.Discard, &htmlAbout)
	require.NoError(t, err)
	require.NoError(t, w.Close(t.Context(), nil))
	require.EqualError(t, w.Collection(named("a:b")), "storage: the package is closed")
	require.EqualError(t, w.Row([]byte(`{}`)), "storage: the package is closed")
	_, err = w.Attach(&storage.Attachment{})
	require.EqualError(t, err, "storage: the package is closed")
}

// A writer that fails anywhere makes the package fail, at the latest when it is
// closed.
func TestHTMLWriterFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	write := func(w io.Writer) error {
		doc, err := storage.HTML{PageRows: 3}.NewWriter(w, &htmlAbout)
		if err != nil {
			return err
		}
		err = doc.Collection(named("a:b"))
		for i := range 10 {
			if err == nil {
				err = doc.Row(fmt.Appendf(nil, `{"n":%d,"text":"%x"}`, i, bytes.Repeat([]byte{byte(i * 37), byte(i * 101)}, 4000)))
			}
		}
		return errors.Join(err, doc.Close(context.Background(), nil))
	}
	var whole bytes.Buffer
	require.NoError(t, write(&whole))
	for room := 0; room < whole.Len()-500; room += whole.Len() / 12 {
		require.ErrorIs(t, write(&limited{room: room, err: full}), full, "room for %d bytes", room)
	}
}

// Memory does not grow with the rows. It measures the heap, so it does not run
// beside other tests.
func TestHTMLFlatMemory(t *testing.T) {
	row := fmt.Appendf(nil, `{"id":1,"text":%q,"list":[1,2,{"a":null}]}`, strings.Repeat("x", 2000))
	held := func(rows int) int64 {
		doc, err := storage.HTML{}.NewWriter(io.Discard, &htmlAbout)
		require.NoError(t, err)
		require.NoError(t, doc.Collection(named("a:b")))
		for range rows {
			if err := doc.Row(row); err != nil {
				require.NoError(t, err)
			}
		}
		runtime.GC()
		var at runtime.MemStats
		runtime.ReadMemStats(&at)
		require.NoError(t, doc.Close(t.Context(), nil))
		return int64(at.HeapAlloc)
	}
	few := held(2_000)
	require.Less(t, held(10_000)-few, int64(2<<20), "bytes that 8,000 more rows leave in memory")
}
