package pagetest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
)

// Every kind of page is accessible, in light and in dark, in a wide window and
// on a phone.
func TestAccessible(t *testing.T) {
	axe, err := dbtest.AxeCore()
	require.NoError(t, err)
	p := shop()
	p.format.PageRows = 10
	p.collections[0].rows = append(p.collections[0].rows, `{"name\u202e":"user\u202egpj.exe","":"nameless","deep":{"a":[[1,[2]],{"b":null}],"c":[]},"on":true}`)
	p.collections = append(p.collections, collection{dataset: "shop", name: "texts", rows: []string{`{"text":"` + strings.Repeat("A long story. ", 25_000) + `"}`, `{}`}})
	dir := p.write(t)
	nothing := (&pack{locale: "de"}).write(t)
	b := open(t, dir)
	empty := open(t, nothing)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1200, 360} {
			for name, page := range map[string]struct {
				*tab
				address string
				then    step
			}{
				"first":      {b, address(dir, "index.html"), visible("#search")},
				"results":    {b, address(dir, "index.html#q=parcel"), visible("#results li")},
				"collection": {b, address(dir, "data", "shop", "orders", "page-2.html"), visible(".jump")},
				"unfolded":   {b, address(dir, "data", "shop", "customer", "page-1.html"), click("summary")},
				"odd values": {b, address(dir, "data", "mail%20&%20news", "lists%20%231", "page-1.html"), visible("#search")},
				"large row":  {b, address(dir, "data", "shop", "texts", "page-1.html"), visible("nav.pager .jump")},
				"all pages":  {b, address(dir, "data", "shop", "orders", "pages.html"), visible(".numbers")},
				"nothing":    {empty, address(nothing, "index.html"), visible(".nothing")},
			} {
				page.do(chromedp.EmulateViewport(width, 900), media("prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce"),
					visit("about:blank"), visit(page.address), page.then, chromedp.Evaluate[chromedp.Void](axe+";0"))
				faults := eval[[]string](page.tab, `axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html + " " + n.failureSummary).join(" | ")))`, chromedp.EvalAwaitPromise)
				require.Empty(t, faults, "%s, %s, %d wide", name, scheme, width)
			}
		}
	}
}
