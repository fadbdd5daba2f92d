package download_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
)

// style is what stands in a page's only style element.
func (a answer) style() string {
	_, rest, _ := strings.Cut(a.body, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	return style
}

// A page holds what it says, one style that its policy knows, and nothing else.
func TestPage(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	got := k.serve(t).ask(t, http.MethodGet, k.once(t))
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Download your data</title>
<style>`+got.style()+`</style>
</head>
<body>
<main>
<h1>Download your data</h1>
<p>This link works once. When you press the button, the download begins and the link is used up. Save the file in a place that only you can get to: it holds personal data.</p>
<dl>
<dt>File</dt><dd>personal-data-r1.json</dd>
<dt>Size</dt><dd>74 B</dd>
<dt>The link expires</dt><dd><time datetime="2030-01-07T03:04:05Z">2030-01-07 03:04 UTC</time></dd>
</dl>
<form method="post"><button type="submit">Download</button></form>
<p>Contact: <a href="mailto:privacy@shop.example">privacy@shop.example</a></p>
</main>
</body>
</html>
`, got.body)
	require.Len(t, k.content(t), 74)
	sum := sha256.Sum256([]byte(got.style()))
	require.Equal(t, `Cache-Control: no-store
Content-Language: en
Content-Length: `+got.header.Get("Content-Length")+`
Content-Security-Policy: default-src 'none'; style-src 'sha256-`+base64.StdEncoding.EncodeToString(sum[:])+`'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'
Content-Type: text/html; charset=utf-8
Referrer-Policy: no-referrer
X-Content-Type-Options: nosniff
X-Robots-Tag: noindex, nofollow`, got.headers())
	require.Len(t, got.body, int(got.length))
}

// Whoever comes too late, or to the wrong place, learns why and what to do.
func TestWhatDoesNotWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		do     func(t *testing.T, k *desk)
		keep   dsr.Retention
		status int
		title  string
	}{
		{"expired", func(_ *testing.T, k *desk) { k.wait(5 * 24 * time.Hour) }, dsr.Retention{}, 410, "This link has expired"},
		{"removed by retention", func(t *testing.T, k *desk) {
			// As after a link that was made before the rules became strict.
			rec, err := k.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			rec.State, rec.Version = []byte(strings.Replace(string(rec.State), `"packages":864000000000000`, `"packages":1`, 1)), rec.Version+1
			require.NoError(t, k.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
			k.wait(time.Second)
			_, err = k.engine.Requests().Advance(t.Context(), "r1")
			require.NoError(t, err)
		}, dsr.Retention{Packages: 10 * 24 * time.Hour}, 410, "This file is no longer there"},
		{"deleted", func(t *testing.T, k *desk) {
			_, err := k.engine.Requests().Delete(t.Context(), "r1", dsr.By{})
			require.NoError(t, err)
		}, dsr.Retention{}, 410, "This file is no longer there"},
		{"not complete", func(t *testing.T, k *desk) {
			rec, err := k.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			rec.Status, rec.Version = dsr.StatusError, rec.Version+1
			require.NoError(t, k.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
		}, dsr.Retention{}, 409, "Your data is not ready yet"},
		{"failing", func(t *testing.T, k *desk) {
			rec, err := k.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			rec.Outcomes, rec.Version = []byte("{"), rec.Version+1
			require.NoError(t, k.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
		}, dsr.Retention{}, 500, "Something went wrong"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, func(config *dsr.Config, _ *dsr.Submission) { config.Retention = c.keep })
			s, many, once := k.serve(t), k.link(t, nil), k.once(t)
			c.do(t, k)
			var first answer
			for _, token := range []string{many, once} {
				for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead} {
					got := s.ask(t, method, token)
					require.Equal(t, c.status, got.status)
					require.Contains(t, got.header.Get("Content-Security-Policy"), "form-action 'none'")
					require.Empty(t, got.header.Get("Content-Disposition"))
					if method == http.MethodHead {
						require.Equal(t, first.headers(), got.headers())
						continue
					}
					require.Equal(t, c.title, got.title())
					require.Contains(t, got.body, `<a href="mailto:privacy@shop.example">`)
					require.NotContains(t, got.body, "r1")
					if first.status == 0 {
						first = got
					}
					require.Equal(t, first, got)
				}
			}
			require.Equal(t, c.status == 500, strings.Contains(k.logs.String(), `"msg":"a download failed","error":"dsr: the stored outcomes of request r1 cannot be read`))
		})
	}
}

// away is a store that does not answer for now.
type away struct{ dsr.Store }

// Request implements [dsr.Store].
func (away) Request(context.Context, string) (*dsr.Record, error) {
	return nil, fmt.Errorf("%w: it is starting", dsr.ErrUnavailable)
}

// What goes by itself is told as such, to people and to machines, and to the
// operator.
func TestUnavailableForNow(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.link(t, nil)
	k.config.Store = away{k.store}
	k.engine = newEngine(t, k.config)
	got := k.serve(t).ask(t, http.MethodGet, token)
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.Equal(t, "Something went wrong", got.title())
	require.Contains(t, got.body, "Try again in a few minutes")
	require.Contains(t, k.logs.String(), `"level":"ERROR","msg":"a download failed","error":"dsr: unavailable for now: it is starting"`)
}

// The second counts.
func TestExpiresAtTheSecond(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, token := k.serve(t), k.link(t, &dsr.LinkOptions{Expires: time.Minute})
	k.wait(time.Minute - time.Second)
	require.Equal(t, http.StatusOK, s.ask(t, http.MethodGet, token).status)
	k.wait(time.Second)
	require.Equal(t, http.StatusGone, s.ask(t, http.MethodGet, token).status)
}

// silent is a store that answers nothing.
type silent struct{ dsr.Store }

// A link that was never made and one that was forged are answered alike, by the
// token alone.
func TestForgedAndUnknownAreAlike(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.link(t, nil)
	other := newDesk(t, nil).link(t, nil)
	k.config.Store = silent{} // it would not survive a look
	k.engine = newEngine(t, k.config)
	s := k.serve(t)
	want := s.ask(t, http.MethodGet, "nothing")
	require.Equal(t, http.StatusNotFound, want.status)
	require.Equal(t, "There is no such link", want.title())
	for i := range token {
		flipped := []byte(token)
		if flipped[i] = 'A'; token[i] == 'A' {
			flipped[i] = 'B'
		}
		require.Equal(t, want, s.ask(t, http.MethodGet, string(flipped)))
	}
	for _, token := range []string{"", "r1", other, strings.Repeat("A", 2000), "%2e%2e%5c", "%00", token[:len(token)-1]} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			require.Equal(t, want, s.ask(t, method, token))
		}
	}
	require.Equal(t, http.StatusInternalServerError, s.ask(t, http.MethodGet, token).status, "the true one is looked up")
	require.NotContains(t, k.logs.String(), token)
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.opts.Texts = map[string]download.Texts{
		"de":    {Unknown: download.Text{Title: "Diesen Link gibt es nicht"}},
		"pt-BR": {Unknown: download.Text{Title: "Link <desconhecido>", Body: "Peça outro."}, Contact: "Contato:"},
		"ar":    {Unknown: download.Text{Title: "لا يوجد"}, RightToLeft: true},
	}
	s := k.serve(t)
	for accept, want := range map[string]string{
		"":                                   "en",
		"*":                                  "en",
		"fr":                                 "en",
		"de":                                 "de",
		"de-AT, en;q=0.9":                    "de",
		"fr-CH, fr;q=0.9, en;q=0.8, de;q=.7": "en",
		"en;q=0.5, de;q=0.8":                 "de",
		"de;q=0, en":                         "en",
		"DE;q=0":                             "en",
		"pt-br":                              "pt-br",
		"pt":                                 "en",
		"ar-EG":                              "ar",
		"-, ;q=1, de;q=nonsense, ,ar;q=0.1":  "ar",
		strings.Repeat("xx,", 20) + "de":     "en",
	} {
		got := s.ask(t, http.MethodGet, "x", "Accept-Language", accept)
		require.Equal(t, want, got.header.Get("Content-Language"), accept)
		require.Contains(t, got.body, `<html lang="`+want+`"`)
		require.Equal(t, want == "ar", strings.Contains(got.body, ` dir="rtl"`))
	}
	german := s.ask(t, http.MethodGet, "x", "Accept-Language", "de")
	require.Equal(t, "Diesen Link gibt es nicht", german.title())
	require.Contains(t, german.body, download.English().Unknown.Body[:30], "what is missing is in English")
	require.Contains(t, german.body, "<p>Contact: ")
	portuguese := s.ask(t, http.MethodGet, "x", "Accept-Language", "pt-BR")
	require.Equal(t, "Link &lt;desconhecido&gt;", portuguese.title())
	require.Contains(t, portuguese.body, "<p>Peça outro.</p>\n<p>Contato: ")
}

func TestContacts(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string]string{
		"":                          "",
		"the desk on floor 2":       "<p>Contact: the desk on floor 2</p>",
		"https://shop.example/help": `<p>Contact: <a href="https://shop.example/help">https://shop.example/help</a></p>`,
		"help@shop.example":         `<p>Contact: <a href="mailto:help@shop.example">help@shop.example</a></p>`,
		"javascript:x@y":            "<p>Contact: javascript:x@y</p>",
		"<b>a@b</b>":                "<p>Contact: &lt;b&gt;a@b&lt;/b&gt;</p>",
	} {
		k := newDesk(t, nil)
		k.opts.Contact = contact
		got := k.serve(t).ask(t, http.MethodGet, "x")
		if want == "" {
			require.NotContains(t, got.body, "Contact")
		}
		require.Contains(t, got.body, want)
	}
}
