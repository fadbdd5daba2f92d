package fides_test

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/storage"
)

func TestThePageLoadsNothingAndRunsOnlyItsOwnScript(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, "", "GET", "/docs", nil)
	digest := func(element string) string {
		inside := regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(a.Body, -1)
		require.Len(t, inside, 1, element)
		sum := sha256.Sum256([]byte(inside[0][1]))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	require.Equal(t, "default-src 'none'; style-src "+digest("style")+"; script-src "+digest("script")+"; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", a.Header.Get("Content-Security-Policy"))
	require.Equal(t, "no-referrer", a.Header.Get("Referrer-Policy"))
	require.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	for _, wrong := range []string{" src=", "<link", "<img", "@import", "url(", " style=", "<base", "href=\"http", "href=\"//"} {
		require.NotContains(t, a.Body, wrong)
	}
	require.NotRegexp(t, `<[^>]* on[a-z]+=`, a.Body)
}

func TestThePageHasEveryRouteOnceWithItsAliasesAndLimits(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits = fides.Limits{} })
	page := k.send(t, "", "GET", "/docs", nil).Body
	var document struct {
		Paths map[string]map[string]struct {
			ID        string `json:"operationId"`
			AliasOf   string `json:"x-alias-of"`
			PerMinute int    `json:"x-calls-per-minute"`
			Body      int64  `json:"x-max-body-bytes"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &document))
	for _, route := range k.door.Routes() {
		op := document.Paths[route.Path][strings.ToLower(route.Method)]
		require.Equal(t, 1, strings.Count(page, ` id="`+op.ID+`"`), op.ID)
		require.Equal(t, []any{route.PerMinute, route.BodyBytes}, []any{op.PerMinute, op.Body}, op.ID)
		require.Equal(t, route.AliasOf != "", op.AliasOf != "", op.ID)
		if route.AliasOf != "" {
			require.Contains(t, page, `<li id="`+op.ID+`"><code>`+route.Method+" "+route.Path+`</code></li>`)
			method, path, _ := strings.Cut(route.AliasOf, " ")
			require.Equal(t, document.Paths[path][strings.ToLower(method)].ID, op.AliasOf)
		}
	}
	require.Contains(t, page, `<dd>body up to 1 MiB; 1,200 calls a minute by client; up to 30 s</dd>`)
}

func TestPastedCommandsTakeTheVariablesOfTheStartForWhatTheyAre(t *testing.T) {
	t.Parallel()
	k := newOAuthDesk(t, func(k *desk) { k.options.AccessResults = true })
	page := k.send(t, "", "GET", "/docs", nil).Body
	commands := map[string]string{} // by operation
	for _, found := range regexp.MustCompile(`(?s)<div class="in" id="([^"]*)">.*?<h4>Try it</h4>\n<pre><code>(.*?)</code></pre>`).FindAllStringSubmatch(page, -1) {
		commands[found[1]] = html.UnescapeString(strings.NewReplacer(`<span class="api">`, "", "</span>", "").Replace(found[2]))
	}
	var places int
	for _, route := range k.door.Routes() {
		if route.AliasOf == "" {
			places++
		}
	}
	require.Len(t, commands, places)
	meant := strings.NewReplacer(`"$API/`, "", `-H "Authorization: Bearer $TOKEN"`, "", `-H "Authorization: Bearer $REPLY_TO_TOKEN"`, "",
		`--data-urlencode "client_id=${CLIENT_ID}"`, "", `--data-urlencode "client_secret=${CLIENT_SECRET}"`, "")
	for id, command := range commands {
		require.Contains(t, command, `"$API/`, id)
		require.NotRegexp(t, `\$\{?(API|TOKEN|CLIENT_ID|CLIENT_SECRET|REPLY_TO_TOKEN)\b`, meant.Replace(command), id)
		_, after, _ := strings.Cut(command, "=@FILE\"")
		for line := range strings.SplitSeq(after, "\n") {
			require.False(t, strings.HasPrefix(line, "  -F") && !strings.Contains(line, "=@FILE"), "%s: %s", id, command)
		}
	}
	for id, want := range map[string][]string{
		"acquire_access_token": {`curl "$API/oauth/token"`, `--data-urlencode "client_id=${CLIENT_ID}"`, `--data-urlencode "client_secret=${CLIENT_SECRET}"`, `--data-urlencode "grant_type=client_credentials"`},
		"revoke_token":         {`curl "$API/oauth/revoke"`, `--data-urlencode "token=${OTHER_TOKEN}"`, `--data-urlencode "client_id=${CLIENT_ID}"`, `--data-urlencode "client_secret=${CLIENT_SECRET}"`},
		"delete_client":        {`curl -X DELETE "$API/oauth/client/${OTHER_CLIENT_ID}"`, `-H "Authorization: Bearer $TOKEN"`},
		"get_access_package":   {`curl "$API/privacy-request/${PRIVACY_REQUEST_ID}/access-package?token=${OTHER_TOKEN}"`, "-LOJ"},
		"create_attachment":    {`curl "$API/plus/privacy-request/${PRIVACY_REQUEST_ID}/attachment"`, `-H "Authorization: Bearer $TOKEN"`, `-F "attachment_type=internal_use_only"`, `-F "attachment_file=@FILE"`},
	} {
		require.Equal(t, strings.Join(want, " \\\n  "), commands[id], id)
	}
}

func TestTheServerIsInTheCommandsAndInLinks(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]struct{ page, links string }{
		"":                              {`<span class="place">https://HOST/api/v1</span>`, "/api/v1"},
		"/":                             {`<span class="place">https://HOST</span>`, ""},
		"/privacy/":                     {`<span class="place">https://HOST/privacy</span>`, "/privacy"},
		"/privacy//":                    {`<span class="place">https://HOST/privacy</span>`, "/privacy"},
		"https://desk.example.com/api/": {`<span class="api">https://desk.example.com/api</span>/privacy-request&#34;`, "https://desk.example.com/api"},
	} {
		k := newDesk(t, func(k *desk) {
			k.options.Server, k.options.AccessResults = server, true
			k.config.Flow.Approval, k.config.Files = true, storage.NewFolder(t.TempDir(), nil)
		})
		require.Contains(t, k.send(t, "", "GET", "/docs", nil).Body, want.page, server)
		token := k.token(t)
		k.submit(t, "access", 1)
		made := k.attached(t, token, "a.txt", "internal_use_only")
		a := k.send(t, token, "GET", filesOf+"/"+made.ID, nil)
		require.Contains(t, a.Body, `"retrieved_attachment_url":"`+want.links+filesOf+"/"+made.ID+`/content"`, server)
		require.Equal(t, http.StatusOK, k.send(t, token, "PATCH", "/privacy-request/administrate/approve", []string{"pri_1"}).Status)
		require.Equal(t, dsr.StatusComplete, k.advance(t, "pri_1").Status)
		a = k.send(t, token, "GET", "/privacy-request/pri_1/access-results", nil)
		require.Contains(t, a.Body, `{"access_result_urls":["`+want.links+"/privacy-request/pri_1/access-package?token=", server)
	}
}

func TestTheDocumentIsCompressedForThoseWhoTakeIt(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for _, path := range []string{"/docs", "/openapi.json", "/openapi.yaml"} {
		plain := k.send(t, "", "GET", path, nil)
		require.Empty(t, plain.Header.Get("Content-Encoding"))
		for accept, compressed := range map[string]bool{"gzip": true, "br, GZIP;q=0.5": true, "gzip;q=0": false, "gzip;q=x": false, "br": false, "x-gzip": false} {
			r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
			r.Header.Set("Accept-Encoding", accept)
			w := httptest.NewRecorder()
			k.door.ServeHTTP(w, r)
			require.Equal(t, "Accept-Encoding", w.Header().Get("Vary"))
			if !compressed {
				require.Empty(t, w.Header().Get("Content-Encoding"), accept)
				require.Equal(t, plain.Body, w.Body.String())
				continue
			}
			require.Equal(t, "gzip", w.Header().Get("Content-Encoding"), accept)
			z, err := gzip.NewReader(w.Body)
			require.NoError(t, err)
			body, err := io.ReadAll(z)
			require.NoError(t, err)
			require.Equal(t, plain.Body, string(body))
		}
	}
	require.Contains(t, k.send(t, "", "GET", "/openapi.yaml", nil).Body, "openapi: 3.1.0")
}
