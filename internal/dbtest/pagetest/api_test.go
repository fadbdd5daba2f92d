package pagetest_test

import (
	"bytes"
	"net/http/httptest"
	"testing"
	"testing/fstest"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// serveAPI serves the API, and returns where its page is.
func serveAPI(t *testing.T) string {
	t.Helper()
	const people = "dataset: [{fides_key: shop, name: shop, collections: [{name: people, fields: [{name: email, data_categories: [user.contact.email], fides_meta: {identity: email, primary_key: true}}]}]}]"
	datasets, _, err := graph.LoadFS(fstest.MapFS{"shop.yml": {Data: []byte(people)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets, Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(nil, nil), Datasets: []string{"shop"}}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(t.TempDir(), nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
	require.NoError(t, err)
	server, err := oauth.New(&oauth.Options{Records: oauth.NewMemoryRecords(), Key: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	door, err := fides.New(engine, &fides.Options{OAuth: server})
	require.NoError(t, err)
	web := httptest.NewServer(door)
	t.Cleanup(web.Close)
	return web.URL + "/api/v1/"
}

// The page of the API is accessible with the first operations of some groups open, in
// light and in dark, in a wide window and on a phone; with all of them open it
// is never wider than that.
func TestAPIPageAccessible(t *testing.T) {
	axe, err := dbtest.AxeCore()
	require.NoError(t, err)
	base := serveAPI(t)
	b := openAt(t, base)
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 800, 320} {
			b.do(chromedp.EmulateViewport(width, 900), media("prefers-color-scheme", scheme, "prefers-reduced-motion", "reduce"),
				visit(base+"docs"), visible("#filter"))
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => { d.open = true; })`))
			require.LessOrEqual(t, eval[int64](b, `document.documentElement.scrollWidth`), width)
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details.op").forEach(d => { d.open = d.matches("section:nth-of-type(-n+4) > h2 + details"); })`))
			b.do(chromedp.Evaluate[chromedp.Void](axe + ";0"))
			faults := eval[[]string](b, `axe.run(document, {resultTypes: ["violations"], preload: false}).then(r => r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ")))`, chromedp.EvalAwaitPromise)
			require.Empty(t, faults, "%s, %d wide", scheme, width)
		}
	}
}

// openOperations are the IDs of the operations that are open.
const openOperations = `[...document.querySelectorAll("details.op[open] > .in")].map(e => e.id)`

func TestAPIPageInChromium(t *testing.T) {
	base := serveAPI(t)
	b := openAt(t, base)

	// Where the API is, and a link to an operation.
	b.do(visit(base+"docs#get_privacy_request"), visible("#get_privacy_request"))
	require.Equal(t, []string{"get_privacy_request"}, eval[[]string](b, openOperations))
	require.Equal(t, "API="+base[:len(base)-1], eval[string](b, `document.querySelector("#start pre code").textContent`))
	require.Equal(t, `curl "`+base+`privacy-request/${PRIVACY_REQUEST_ID}" \`+"\n"+`  -H "Authorization: Bearer $TOKEN"`,
		eval[string](b, `document.querySelector("#get_privacy_request > pre code").textContent`))
	b.do(chromedp.Evaluate[chromedp.Void](`location.hash = "#openapi_json"`), visible("#openapi_json"))

	// The filter, by keyboard.
	b.do(chromedp.SendKeys(chromedp.CSS("nav a"), "/"))
	b.wait(`document.activeElement.id === "filter"`)
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), "deny PATCH"))
	b.wait(`document.getElementById("found").textContent.startsWith("1 of ")`)
	require.Equal(t, []string{"deny_privacy_requests"}, eval[[]string](b, `[...document.querySelectorAll("details.op:not([hidden]) > .in")].map(e => e.id)`))
	require.Equal(t, 1, eval[int](b, `[...document.querySelectorAll("section.group")].filter(e => e.getClientRects().length > 0).length`))
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), kb.Enter), visible("#deny_privacy_requests"))
	require.Equal(t, "SUMMARY", eval[string](b, `document.activeElement.tagName`))
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), " nosuchword"), visible(".none"))
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), kb.Escape))
	b.wait(`document.querySelectorAll(":is(details.op, section.group)[hidden]").length === 0 && document.getElementById("filter").value === ""`)

	// What the filter hides is there again when it is linked to.
	b.do(chromedp.SendKeys(chromedp.CSS("#filter"), "nosuchword"), visible(".none"))
	b.do(chromedp.Evaluate[chromedp.Void](`location.hash = "#create_privacy_request"`), visible("#create_privacy_request"))
}

// The page has everything without its script.
func TestAPIPageWithoutScript(t *testing.T) {
	base := serveAPI(t)
	b := openAt(t, base)
	b.do(noScript(), visit(base+"docs#create_privacy_request"), visible("#create_privacy_request"))
	require.False(t, eval[bool](b, `document.getElementById("filter").getClientRects().length > 0`))
	require.Contains(t, eval[string](b, `document.querySelector("#create_privacy_request > pre code").textContent`), `curl "$API/privacy-request"`)
	require.Greater(t, eval[int](b, `document.querySelectorAll("details.op").length`), 20)
}
