package pagetest_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

func TestSearchInChromium(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	b.do(visit(address(dir, "index.html")), visible("#search"))
	search := func(words string) string {
		b.do(enter("#q", words))
		b.wait(`document.getElementById("status").textContent !== "" && location.hash === "#q=" + encodeURIComponent(` + fmt.Sprintf("%q", words) + `)`)
		return b.text("#status")
	}
	for words, want := range map[string]string{
		"PARCEL":          "Found: 119",
		"arcel 11":        "Found: 21", // the numbers 1011, and 1100 to 1119
		"SUDEN gross":     "Found: 1",  // ü, ß, capitals, the order of the words
		"köln":            "Found: 1",
		"KOLN city story": "Found: 1",
		"poetry lists":    "Found: 1", // the collection's name
		"letter march":    "Found: 1", // a file
		"nowhere":         "Nothing found.",
		"parcel nowhere":  "Nothing found.",
	} {
		require.Equal(t, want, search(words), words)
	}

	require.Equal(t, "Found: 119", search("parcel"))
	require.Equal(t, 50, eval[int](b, `document.querySelectorAll("#results li").length`))
	b.do(click("#more"), click("#more"))
	require.Equal(t, 119, eval[int](b, `document.querySelectorAll("#results li").length`))
	require.True(t, eval[bool](b, `document.getElementById("more").hidden`))

	require.Equal(t, "Found: 1", search("suden gross"))
	require.Equal(t, "shop\n\norders · Entry 78\n\nnumber: 1077 · title: Der große Weg nach Süden · lines", b.text("#results li"))
	require.Equal(t, []string{"groß", "Süden"}, eval[[]string](b, `[...document.querySelectorAll("#results mark")].map(e => e.textContent)`))
	b.follow(click("#results a"))
	b.do(visible("#r78:target"))
	require.Equal(t, "data/shop/orders/page-2.html#r78", b.at(dir))

	// From any page the search leads to the first one; going back keeps it.
	b.follow(enter("#q", "köln"))
	b.do(visible("#results li"))
	require.Equal(t, "index.html#q=k%C3%B6ln", b.at(dir))
	require.Equal(t, "köln", eval[string](b, `document.getElementById("q").value`))
	b.follow(click("#results a"))
	b.do(visible("article"), chromedp.NavigateBack(), visible("#results li"))
	require.Equal(t, "Found: 1", b.text("#status"))
}

func TestPagesInChromium(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	b.do(visit(address(dir, "index.html")))
	b.follow(click(`a[href="data/shop/orders/page-1.html"]`))
	follow := func(link, row, path, now string) {
		t.Helper()
		b.follow(click(link))
		b.do(visible(row))
		require.Equal(t, path, b.at(dir))
		require.Equal(t, now, b.text(".pager .now"))
	}
	require.Equal(t, "Entries 1 to 50 of 120", b.text(".range"))
	require.Equal(t, 0, eval[int](b, `document.querySelectorAll('a[rel="prev"]').length`))
	follow(`a[rel="next"]`, "#r51", "data/shop/orders/page-2.html", "Page 2 of 3")
	follow(`.last`, "#r101", "data/shop/orders/page-3.html", "Page 3 of 3")
	require.Equal(t, 0, eval[int](b, `document.querySelectorAll('a[rel="next"]').length`))
	follow(`a[rel="prev"]`, "#r51", "data/shop/orders/page-2.html", "Page 2 of 3")
	follow(`a[href="page-1.html"]`, "#r1", "data/shop/orders/page-1.html", "Page 1 of 3")
	b.follow(enter(".jump input", "3"))
	b.do(visible("#r101"))
	b.follow(click(`a[href="pages.html"]`))
	require.Equal(t, "1\n2\n3", b.text(".numbers"))
	follow(`#last a`, "#r101", "data/shop/orders/page-3.html", "Page 3 of 3")
	b.follow(click(".crumbs a"))
	require.Equal(t, "index.html", b.at(dir))

	// The names of files and folders are made for addresses.
	b.follow(click(`a[href="data/mail%20&%20news/lists%20%231/page-1.html"]`))
	b.do(visible("#r1"), chromedp.NavigateBack(), visible("#files"))
	for _, href := range eval[[]string](b, `[...document.querySelectorAll(".files a")].map(a => decodeURIComponent(a.pathname))`) {
		require.FileExists(t, href)
	}
}

// The first thing that the keyboard reaches skips the head of a page, and the
// search can be used without a mouse.
func TestKeyboardInChromium(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	b.do(visit(address(dir, "data", "shop", "orders", "page-1.html")), visible("#search"), chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "skip", eval[string](b, `document.activeElement.className`))
	b.do(chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Tab))
	require.Equal(t, "page-2.html", eval[string](b, `document.activeElement.getAttribute("href")`))
	require.NotEqual(t, "none", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`))
}

func TestWithoutScripts(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}), visit(address(dir, "index.html")), visible("noscript p"))
	require.Equal(t, "Searching needs JavaScript. Everything else works without it.", b.text("noscript p"))
	b.follow(click(`a[href="data/shop/orders/page-1.html"]`))
	b.follow(click(".last"))
	b.follow(click("#last a"))
	b.do(visible("#r120"))
}

func TestPrintInChromium(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	for path, pages := range map[string]int{"index.html": 1, "data/shop/orders/page-1.html": 5} {
		b.do(media("prefers-color-scheme", "dark"), visit(address(dir, path)), ready("main"))
		printed := b.print()
		require.True(t, bytes.HasPrefix(printed, []byte("%PDF-")))
		require.GreaterOrEqual(t, bytes.Count(printed, []byte("/Type /Page\n")), pages, path)
	}
	// Long text is unfolded on paper.
	b.do(visit(address(dir, "data", "shop", "customer", "page-1.html")), ready("details"))
	require.False(t, eval[bool](b, `document.querySelector("details").open`))
	b.do(chromedp.Evaluate[chromedp.Void](`var opened = []; addEventListener("beforeprint", () => opened.push(document.querySelector("details").open));`))
	b.print()
	require.Equal(t, []bool{true}, eval[[]bool](b, `opened`))
	require.False(t, eval[bool](b, `document.querySelector("details").open`))
}

func (b *tab) print() []byte {
	b.t.Helper()
	printed, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	require.NoError(b.t, err)
	return printed
}

// A large row is searched as one, though its text is in several files, and its
// page leads to the others.
func TestLargeRowInChromium(t *testing.T) {
	var numbers strings.Builder
	for i := range 250_000 {
		fmt.Fprintf(&numbers, "n%06d", i)
	}
	text := "Einband groß " + numbers.String() + " Rücken"
	large := `{"title":"` + text + `"}`
	p := &pack{collections: []collection{{dataset: "shop", name: "books", rows: []string{`{"title":"Heft"}`, large, large, `{"title":"Rücken"}`}}}}
	dir := p.write(t)
	b := open(t, dir)
	b.do(visit(address(dir, "index.html")), visible("#search"))
	search := func(words string) []string {
		b.do(enter("#q", words))
		b.wait(`document.getElementById("status").textContent !== "" && location.hash === "#q=" + encodeURIComponent(` + fmt.Sprintf("%q", words) + `)`)
		return eval[[]string](b, `[...document.querySelectorAll("#results a")].map(a => a.getAttribute("href"))`)
	}
	both := []string{"data/shop/books/page-2.html#r2", "data/shop/books/page-3.html#r3"}
	require.Equal(t, both, search("einband"))
	require.Equal(t, both, search("RÜCKEN einband books"), "the first words and the last")
	require.Equal(t, []string{"data/shop/books/page-2.html#r2", "data/shop/books/page-3.html#r3", "data/shop/books/page-4.html#r4"}, search("rucken"))
	require.Equal(t, []string{"Rücken", "Rücken", "Rücken"}, eval[[]string](b, `[...document.querySelectorAll("#results mark")].map(e => e.textContent)`))
	require.Empty(t, search("einband heft"), "words of two rows")
	// Where one part ends and the next begins.
	first, err := os.ReadFile(dir + "/search/1.js")
	require.NoError(t, err)
	entries := regexp.MustCompile(`\[2,2,"([^"]*)"\]`).FindAllSubmatch(first, -1)
	require.Greater(t, len(entries), 1)
	second, err := os.ReadFile(dir + "/search/2.js")
	require.NoError(t, err)
	require.Contains(t, string(second), "[2,2,")
	end, start := entries[0][1], entries[1][1]
	require.Equal(t, both, search(string(end[len(end)-10:])+string(start[:10])))

	b.follow(click("#results a"))
	b.do(visible("#r2:target"), visible("nav.pager .jump"))
	require.Equal(t, "data/shop/books/page-2.html#r2", b.at(dir))
	require.Equal(t, "Page 2 of 4", b.text("nav.pager .now"))
	b.follow(click(`nav.pager a[rel="next"]`))
	b.do(visible("#r3"))
	b.follow(click(`div.pager .last`))
	b.do(visible("#r4"))
	require.Equal(t, "data/shop/books/page-4.html", b.at(dir))
}

// A package that is too large for one search lets each page search itself.
func TestLargePackageInChromium(t *testing.T) {
	p := &pack{format: storage.HTML{PageRows: 20}}
	filler := strings.Repeat("x", 1<<20)
	c := collection{dataset: "shop", name: "orders"}
	for i := range 30 {
		c.rows = append(c.rows, fmt.Sprintf(`{"title":"Order %d"}`, i))
	}
	for range 65 {
		c.rows = append(c.rows, `{"blob":"`+filler+`"}`)
	}
	p.collections = []collection{c}
	dir := p.write(t)
	index, err := os.ReadFile(dir + "/search/index.js")
	require.NoError(t, err)
	require.Equal(t, `dsrPackage.index({"shards":0,"whole":false});`+"\n", string(index))

	b := open(t, dir)
	b.do(visit(address(dir, "index.html")), ready("main"))
	require.Equal(t, 0, eval[int](b, `document.querySelectorAll("input").length`))
	require.Contains(t, b.text(".find"), "each of its pages can be searched on its own")
	b.do(visit(address(dir, "data", "shop", "orders", "page-1.html")), visible("#search"))
	require.Equal(t, "There is too much in this package to search all at once, so this searches the page you are on.", b.text("#search-page"))
	b.do(enter("#q", "ORDER 1"))
	b.wait(`document.getElementById("status").textContent === "Found: 11"`) // 1 and 10 to 19
	require.Equal(t, 11, eval[int](b, `[...document.querySelectorAll("article")].filter(a => a.offsetHeight > 0).length`))
	b.do(enter("#q", ""))
	b.wait(`[...document.querySelectorAll("article")].every(a => a.offsetHeight > 0)`)
}

func TestPhoneInChromium(t *testing.T) {
	dir := shop().write(t)
	b := open(t, dir)
	for _, path := range []string{"index.html", "data/shop/orders/page-2.html", "data/shop/orders/pages.html", "data/shop/customer/page-1.html"} {
		b.do(chromedp.EmulateViewport(320, 640, chromedp.EmulateMobile), visit(address(dir, path)), ready("main"))
		require.LessOrEqual(t, eval[int](b, `document.documentElement.scrollWidth`), 320, path)
	}
}
