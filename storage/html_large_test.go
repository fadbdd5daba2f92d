package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// partsOf are the texts that the search index has of a row, which may be in
// several parts, one after the other.
func partsOf(t *testing.T, files map[string]string, folder string, page, row float64) (parts []string) {
	t.Helper()
	for n := 1; ; n++ {
		shard, ok := files[fmt.Sprintf("search/%d.js", n)]
		if !ok {
			return parts
		}
		var groups []struct {
			P string
			R [][3]any
		}
		require.NoError(t, json.Unmarshal([]byte(between(t, shard, fmt.Sprintf("dsrPackage.shard(%d,", n), ");\n")), &groups))
		for _, group := range groups {
			for _, r := range group.R {
				if group.P == folder && r[0] == page && r[1] == row {
					parts = append(parts, r[2].(string))
				}
			}
		}
	}
}

// requireSame compares large texts, and shows where they part.
func requireSame(t *testing.T, want, got, what string) {
	t.Helper()
	if want == got {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	require.Equal(t, want[at:min(at+100, len(want))], got[at:min(at+100, len(got))], "%s, from byte %d", what, at)
}

// A text is the same whether it is looked at in one piece or in several:
// nothing is parted that belongs together.
func TestHTMLPieces(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]struct{ json, html, text string }{
		"plain":   {`ab é日😀`, `ab é日😀`, "ab é日😀"},
		"escapes": {`\u00e9\n\"\\\/\t`, "é\n&#34;\\/\t", "é\n\"\\/\t"},
		"pairs":   {`a\ud83d\ude00`, `a😀`, "a😀"},
		"halves":  {`\ud83d\ud83d\ude00\ude00`, "\ufffd😀\ufffd", "\ufffd😀\ufffd"},
		"lines":   {`\r\n\r\u000a\u000d\nx`, `<b data-char="000D"></b>` + "\n" + `<b data-char="000D"></b>` + "\n" + `<b data-char="000D"></b>` + "\nx", "\r\n\r\n\r\nx"},
		"returns": {`\r\u000d\t`, `<b data-char="000D">U+000D</b><b data-char="000D">U+000D</b>` + "\t", "\r\r\t"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const units = 3000
			characters := units * len([]rune(unit.text))
			for shift := range len(unit.json) {
				before := strings.Repeat("-", shift)
				files := htmlTo(t, storage.HTML{}, &htmlAbout, func(w storage.Writer) {
					rowsOf(t, w, named("a:b"), `{"n":"`+before+strings.Repeat(unit.json, units)+`"}`)
				})
				page := files["data/a/b/page-1.html"]
				require.Equal(t, before+strings.Repeat(unit.html, units), between(t, page, `<bdi data-type="text">`, `</bdi></details>`))
				count := fmt.Sprintf("%d,%03d", (characters+shift)/1000, (characters+shift)%1000)
				require.Contains(t, page, "<small>Show all "+count+" characters</small>")
				require.Equal(t, "n: "+before+strings.Repeat(unit.text, units)+"\n", strings.Join(partsOf(t, files, "data/a/b/", 1, 1), ""))
			}
		})
	}
}

// A row that is larger than a page has one of its own, whole, and is found by
// the text of its parts.
func TestHTMLLargeRow(t *testing.T) {
	t.Parallel()
	const large = 600 << 10
	numbers := strings.TrimSuffix(strings.Repeat("7,", 200_000), ",")
	var keys, keysHTML, keysText strings.Builder
	for i := range 20_000 {
		if i > 0 {
			keys.WriteByte(',')
		}
		fmt.Fprintf(&keys, `"k%d":%d`, i, i)
		fmt.Fprintf(&keysHTML, `<div><dt><bdi>k%d</bdi></dt><dd><bdi dir="ltr" data-type="number">%[1]d</bdi></dd></div>`+"\n", i)
		fmt.Fprintf(&keysText, "k%d: %[1]d\n", i)
	}
	deep := strings.Repeat("[", 60) + `"` + strings.Repeat("y", large) + `"` + strings.Repeat("]", 60)
	for name, test := range map[string]struct{ row, html, text string }{
		"text": {
			`{"t":"` + strings.Repeat("<", large) + `"}`,
			`<dl data-type="object"><div><dt><bdi>t</bdi></dt><dd><details><summary><bdi>` + strings.Repeat("&lt;", 140) + `…</bdi> <small>Show all 614,400 characters</small></summary><bdi data-type="text">` +
				strings.Repeat("&lt;", large) + "</bdi></details></dd></div>\n</dl>",
			"t: " + strings.Repeat("<", large) + "\n",
		},
		"name": {
			`{"` + strings.Repeat("n", large) + `":1}`,
			`<dl data-type="object"><div><dt><bdi>` + strings.Repeat("n", large) + `</bdi></dt><dd><bdi dir="ltr" data-type="number">1</bdi></dd></div>` + "\n</dl>",
			strings.Repeat("n", large) + ": 1\n",
		},
		"array": {
			`{"a":[` + numbers + `]}`,
			`<dl data-type="object"><div><dt><bdi>a</bdi></dt><dd><ol data-type="array">` + strings.Repeat(`<li><bdi dir="ltr" data-type="number">7</bdi></li>`+"\n", 200_000) + "</ol></dd></div>\n</dl>",
			"a\n" + strings.Repeat("7\n", 200_000),
		},
		"object": {`{` + keys.String() + `}`, `<dl data-type="object">` + keysHTML.String() + `</dl>`, keysText.String()},
		"deep": {
			`{"d":` + deep + `}`,
			`<dl data-type="object"><div><dt><bdi>d</bdi></dt><dd>` + strings.Repeat(`<ol data-type="array"><li>`, 48) + `<code data-type="json">` + strings.ReplaceAll(deep[48:len(deep)-48], `"`, "&#34;") + `</code>` +
				strings.Repeat("</li>\n</ol>", 48) + "</dd></div>\n</dl>",
			"d\n" + deep[48:len(deep)-48] + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := htmlTo(t, storage.HTML{}, &htmlAbout, func(w storage.Writer) {
				rowsOf(t, w, named("a:b"), `{"n":1}`, test.row, `{"n":3}`)
				rowsOf(t, w, named("a:c"), test.row)
			})
			shown := func(page string) string {
				return between(t, files[page], `<div id="rows">`+"\n", "</div>\n<div class=\"pager\">")
			}
			requireSame(t, "<article id=\"r2\"><h2>Entry 2</h2>\n"+test.html+"</article>\n", shown("data/a/b/page-2.html"), "the row as HTML")
			require.Equal(t, "n: 1\n", strings.Join(partsOf(t, files, "data/a/b/", 1, 1), "|"))
			require.Equal(t, "n: 3\n", strings.Join(partsOf(t, files, "data/a/b/", 3, 3), "|"))
			for folder, at := range map[string]float64{"data/a/b/": 2, "data/a/c/": 1} {
				parts := partsOf(t, files, folder, at, at)
				requireSame(t, test.text, strings.Join(parts, ""), "the row's text")
				for _, part := range parts {
					require.Less(t, len(part), 300<<10)
				}
			}
			only := files["data/a/c/page-1.html"]
			requireSame(t, "<article id=\"r1\"><h2>Entry 1</h2>\n"+test.html+"</article>\n", between(t, only, `<div id="rows">`+"\n", "</div>\n</main>"), "the only row as HTML")
			require.NotContains(t, only[strings.LastIndex(only, "</article>"):], "pager")
			require.NotContains(t, only, "pages.js")
		})
	}
}

// The ways from a page with a large row are at its end: what follows was not
// known before.
func TestHTMLLargeRowPager(t *testing.T) {
	t.Parallel()
	large := `{"t":"` + strings.Repeat("x", 300<<10) + `"}`
	files := htmlTo(t, storage.HTML{}, &htmlAbout, func(w storage.Writer) {
		rowsOf(t, w, named("a:b"), large, large, `{}`, large)
		_, err := w.Attach(file("a.txt", "content"))
		require.NoError(t, err)
	})
	require.Equal(t, "content", files["attachments/a.txt"])
	require.NotContains(t, files, "data/a/b/page-5.html")
	require.Equal(t, "dsrPackage.pages(4,4);\n", files["data/a/b/pages.js"])
	for n, links := range []string{1: ` rel="next" href="page-2.html"`, 2: ` rel="next" href="page-3.html"`, 3: ` rel="next" href="page-4.html"`, 4: ` rel="prev" href="page-3.html"`} {
		if n == 0 {
			continue
		}
		page := files[fmt.Sprintf("data/a/b/page-%d.html", n)]
		require.Contains(t, page, fmt.Sprintf("<title>a: b – Page %d</title>", n))
		require.Contains(t, page, fmt.Sprintf(`<p class="range">Entry %d<`, n))
		require.Contains(t, between(t, page, `<div class="pager">`, "</div>"), links)
		require.Equal(t, n < 4, strings.Contains(page, `rel="next"`))
		require.Equal(t, n != 3, strings.Contains(page, `<nav class="pager" aria-label="Pages" hidden></nav>`))
	}
}

// A large row can be no JSON, and its page be full, at any place.
func TestHTMLLargeRowFails(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 140<<10)
	for i, state := 0, uint32(1); i < len(noise); i++ {
		state = state*1664525 + 1013904223
		noise[i] = byte(state >> 24)
	}
	write := func(w io.Writer, row string) error {
		doc, err := storage.HTML{}.NewWriter(w, &htmlAbout)
		require.NoError(t, err)
		require.NoError(t, doc.Collection(named("a:b")))
		return errors.Join(doc.Row([]byte(row)), doc.Row([]byte(row)), doc.Close(t.Context(), nil))
	}
	large := fmt.Sprintf(`{"t":"%x"}`, noise)
	require.ErrorContains(t, write(io.Discard, strings.TrimSuffix(large, "}")+`,"b" 1}`), `storage: a row is not valid JSON: row 1 of collection "a:b"`)
	require.ErrorContains(t, write(io.Discard, strings.TrimSuffix(large, `"}`)+`\x"}`), `storage: a row is not valid JSON: a string in it is none: row 1 of collection "a:b"`)
	full := errors.New("disk full")
	var whole bytes.Buffer
	require.NoError(t, write(&whole, large))
	for room := 0; room < whole.Len()-500; room += whole.Len() / 6 {
		require.ErrorIs(t, write(&limited{room: room, err: full}, large), full, "room for %d bytes", room)
	}
}

// However large a row is, and whatever it is large by, little memory is taken
// to show it. It counts what is allocated, so it does not run beside other
// tests.
func TestHTMLLargeRowMemory(t *testing.T) {
	const size = 3 << 20
	for name, row := range map[string]func() string{
		"text":    func() string { return `{"t":"` + strings.Repeat("word ", 16<<20/5) + `"}` },
		"escapes": func() string { return `{"t":"` + strings.Repeat(`a\u0000\"`, size/9) + `"}` },
		"name":    func() string { return `{"` + strings.Repeat(`n\"`, size/3) + `":1}` },
		"array":   func() string { return `{"a":[1` + strings.Repeat(",1", 400_000) + `]}` },
		"nothing": func() string { return `{"a":[[]` + strings.Repeat(",{},[]", 150_000) + `]}` },
		"object": func() string {
			var keys strings.Builder
			for i := range 100_000 {
				fmt.Fprintf(&keys, `,"key %d":"%[1]d"`, i)
			}
			return `{` + keys.String()[1:] + `}`
		},
		"deep": func() string {
			return `{"a":` + strings.Repeat("[", 100) + `"` + strings.Repeat("x", 2*size) + `"` + strings.Repeat("]", 100) + `}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			data := []byte(row())
			doc, err := storage.HTML{}.NewWriter(io.Discard, &htmlAbout)
			require.NoError(t, err)
			require.NoError(t, doc.Collection(named("a:b")))
			var before, after, held runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			require.NoError(t, doc.Row(data))
			require.NoError(t, doc.Row(data))
			runtime.ReadMemStats(&after)
			runtime.GC()
			runtime.ReadMemStats(&held)
			require.NoError(t, doc.Close(t.Context(), nil))
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40<<20), "bytes taken for two rows")
			require.Less(t, int64(held.HeapAlloc)-int64(before.HeapAlloc), int64(8<<20), "bytes held after them")
			runtime.KeepAlive(data)
		})
	}
}
