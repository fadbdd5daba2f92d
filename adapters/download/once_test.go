package download_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// Whatever follows the links in a mail uses nothing up; the button does, once.
func TestOneTimeLink(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, token, want := k.serve(t), k.once(t), k.content(t)
	trail := k.trail(t)
	page := s.ask(t, http.MethodGet, token)
	for range 3 {
		require.Equal(t, page, s.ask(t, http.MethodGet, token))
		require.Equal(t, page, s.ask(t, http.MethodGet, token, "Range", "bytes=0-1", "Sec-Purpose", "prefetch"))
		head := s.ask(t, http.MethodHead, token)
		require.Equal(t, page.headers(), head.headers())
		require.Empty(t, head.body)
	}
	require.Equal(t, http.StatusOK, page.status)
	require.Equal(t, "Download your data", page.title())
	require.Contains(t, page.body, `<form method="post"><button type="submit">Download</button></form>`)
	require.NotContains(t, page.body, token)
	require.Equal(t, trail, k.trail(t))

	got := s.ask(t, http.MethodPost, token, "Range", "bytes=0-1", "If-None-Match", "*")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, want, got.body)
	require.Equal(t, `attachment; filename="personal-data-r1.json"; filename*=UTF-8''personal-data-r1.json`, got.header.Get("Content-Disposition"))
	require.Equal(t, append(trail, "downloaded"), k.trail(t))

	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		got := s.ask(t, method, token)
		require.Equal(t, http.StatusGone, got.status)
		require.Empty(t, got.header.Get("Content-Disposition"))
		require.NotContains(t, got.body, "nia.vale")
	}
	require.Equal(t, "This link was used already", s.ask(t, http.MethodGet, token).title())
	require.Equal(t, append(trail, "downloaded"), k.trail(t))
}

// Of many who press the button at once, at two processes, one gets the package.
func TestOneTimeLinkAtOnce(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.once(t)
	sites := []*site{k.serve(t), nil}
	k.engine = newEngine(t, k.config)
	sites[1] = k.serve(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs error
	count := map[int]int{}
	for i := range 20 {
		wg.Go(func() {
			got, err := sites[i%2].try(t.Context(), http.MethodPost, token)
			mu.Lock()
			defer mu.Unlock()
			errs = errors.Join(errs, err)
			count[got.status]++
			if got.status == http.StatusOK && got.body != k.content(t) {
				count[0]++
			}
		})
	}
	wg.Wait()
	require.NoError(t, errs)
	require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusGone: 19}, count)
}

// The token is the only authority. There is no cookie that a form of another
// site could ride on, and nothing is answered by what is sent beside the token:
// whoever can send the form has the token.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s := k.serve(t)
	foreign := []string{"Origin", "https://elsewhere.example", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Cookie", "session=1"}
	require.Equal(t, http.StatusNotFound, s.ask(t, http.MethodPost, "", foreign...).status)
	// A browser sends "null" from our own page, whose referrer policy tells
	// no origin: forms that are not from elsewhere cannot be told apart by it.
	for _, headers := range [][]string{foreign, {"Origin", "null"}} {
		token := k.once(t)
		page := s.ask(t, http.MethodGet, token, headers...)
		got := s.ask(t, http.MethodPost, token, headers...)
		require.Equal(t, http.StatusOK, got.status)
		for _, a := range []answer{page, got} {
			require.Empty(t, a.header.Values("Set-Cookie"))
			require.Empty(t, a.header.Values("Access-Control-Allow-Origin"))
			require.Contains(t, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		}
	}
}

// Logs say what happened, and neither to whom nor how to do it again.
func TestLogs(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	s, once, many := k.serve(t), k.once(t), k.link(t, nil)
	for _, token := range []string{once, many, "forged" + many, "unknown"} {
		for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPost} {
			s.ask(t, method, token)
		}
	}
	k.wait(6 * 24 * time.Hour)
	s.ask(t, http.MethodGet, many)
	logs := k.logs.String()
	var outcomes []string
	for line := range strings.Lines(logs) {
		_, rest, _ := strings.Cut(line, `"outcome":`)
		outcomes = append(outcomes, strings.TrimSuffix(rest, "}\n"))
	}
	require.Equal(t, []string{
		`"asked","method":"HEAD","request":"r1"`, `"asked","method":"GET","request":"r1"`, `"sent","method":"POST","request":"r1"`,
		`"looked","method":"HEAD","request":"r1"`, `"sent","method":"GET","request":"r1"`, `"sent","method":"POST","request":"r1"`,
		`"unknown","method":"HEAD","error":"dsr: not found: download link"`, `"unknown","method":"GET","error":"dsr: not found: download link"`, `"unknown","method":"POST","error":"dsr: not found: download link"`,
		`"unknown","method":"HEAD","error":"dsr: not found: download link"`, `"unknown","method":"GET","error":"dsr: not found: download link"`, `"unknown","method":"POST","error":"dsr: not found: download link"`,
		`"expired","method":"GET","error":"dsr: the download link has expired: one to a package of request r1"`,
	}, outcomes)
	for _, secret := range []string{once, many, "nia.vale", "personal-data", "127.0.0.1", "Mozilla", k.folder} {
		require.NotContains(t, logs, secret)
	}
}

// A link that Link made is good for whoever runs the same engine later.
func TestRestart(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.once(t)
	k.engine = newEngine(t, k.config)
	s := k.serve(t)
	require.Equal(t, k.content(t), s.ask(t, http.MethodPost, token).body)
	k.engine = newEngine(t, k.config)
	require.Equal(t, http.StatusGone, k.serve(t).ask(t, http.MethodPost, token).status)

	k.config.Keyring = dsr.NewEphemeralKeyring()
	k.engine = newEngine(t, k.config)
	require.Equal(t, http.StatusNotFound, k.serve(t).ask(t, http.MethodPost, token).status, "another keyring")
}
