package fides_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestABodyThatIsTooLargeIs413(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits.BodyBytes = 100 })
	token := k.token(t)
	body := `[{"policy_key":"` + strings.Repeat("x", 100) + `"}]`
	a := k.send(t, token, "POST", "/privacy-request", body)
	require.Equal(t, http.StatusRequestEntityTooLarge, a.Status)
	require.Equal(t, `{"detail":"The body has more than 100 bytes"}`, a.Body)

	r := httptest.NewRequestWithContext(t.Context(), "POST", "/privacy-request", strings.NewReader(body))
	r.ContentLength = -1 // as it is when it comes in chunks
	r.Header.Set("Authorization", "Bearer "+token)
	a = k.do(t, r)
	require.Equal(t, http.StatusRequestEntityTooLarge, a.Status)
}

func TestABodyOfAnotherMediaTypeIs415(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	const asked, unpacked, inUTF8 = "Content-Type must be application/json", "The body must be sent without Content-Encoding", "The charset of the body must be utf-8"
	for name, tc := range map[string]struct {
		header http.Header
		detail string // none where the body is taken
		accept string
	}{
		"a form":               {http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, asked, "application/json"},
		"no type at all":       {http.Header{"Content-Type": {";"}}, asked, "application/json"},
		"JSON":                 {http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"identity"}}, "", ""},
		"UTF-8":                {http.Header{"Content-Type": {`application/json; charset="UTF-8"`}}, "", ""},
		"UTF-8 as Python says": {http.Header{"Content-Type": {"application/json; charset=utf8"}}, "", ""},
		"Latin 1":              {http.Header{"Content-Type": {"application/json; charset=latin1"}}, inUTF8, "application/json"},
		"packed":               {http.Header{"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"}}, unpacked, "identity"},
		"packed twice":         {http.Header{"Content-Encoding": {"identity", "br, gzip"}}, unpacked, "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), "POST", "/privacy-request", strings.NewReader("[]"))
			r.Header = tc.header
			r.Header.Set("Authorization", "Bearer "+token)
			a := k.do(t, r)
			if tc.detail == "" {
				require.Equal(t, http.StatusOK, a.Status)
				return
			}
			require.Equal(t, http.StatusUnsupportedMediaType, a.Status)
			require.Equal(t, `{"detail":"`+tc.detail+`"}`, a.Body)
			require.Equal(t, tc.accept, a.Header.Get("Accept")+a.Header.Get("Accept-Encoding"))
		})
	}
}

func TestAnotherMethodIs405WithThoseThatThereAre(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "DELETE", "/api/v1/privacy-request/authenticated", nil)
	require.Equal(t, http.StatusMethodNotAllowed, a.Status)
	require.Contains(t, a.Header.Get("Allow"), "POST")
	require.Equal(t, `{"detail":"Method Not Allowed"}`, a.Body)
}

func TestAPathThatIsNoRouteIs404(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for _, path := range []string{"/", "/nowhere", "/api/v1", "/api/v1/", "/api/v1/nowhere", "/api/v1/api/v1/docs", "//docs", "/docs/", "/x/../docs"} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		k.door.ServeHTTP(w, r)
		require.Equal(t, http.StatusNotFound, w.Code, path)
		require.Equal(t, `{"detail":"Not Found"}`, w.Body.String(), path)
	}
	for _, target := range []string{"/api%2fv1/", "/api%2fv1/docs", "/api%2Fv1%2Fdocs", "/%61pi/v1/docs", "/nowhere%2f"} {
		w := httptest.NewRecorder()
		k.door.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil))
		require.Equal(t, http.StatusNotFound, w.Code, target)
		require.Equal(t, `{"detail":"Not Found"}`, w.Body.String(), target)
	}
}

func TestAHostMountsItUnderAnyPrefix(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	mux := http.NewServeMux()
	mux.Handle("/privacy/desk/", http.StripPrefix("/privacy/desk", k.door))
	mux.Handle("/api/v1/", k.door)
	for _, path := range []string{"/privacy/desk/docs", "/privacy/desk/api/v1/docs", "/api/v1/docs"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		require.Equal(t, http.StatusOK, w.Code, path)
	}
}

func TestAClientThatCallsTooOftenHasToWait(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits.PerMinute = 2 })
	token, another := k.token(t), k.token(t)
	get := func(token string) *answer { return k.send(t, token, "GET", "/privacy-request/nix", nil) }
	require.Equal(t, http.StatusNotFound, get(token).Status)
	require.Equal(t, http.StatusNotFound, get(token).Status)
	a := get(token)
	require.Equal(t, http.StatusTooManyRequests, a.Status)
	require.Equal(t, "60", a.Header.Get("Retry-After"))
	require.Equal(t, `{"detail":"Too many requests. Try again later."}`, a.Body)
	require.Equal(t, http.StatusNotFound, get(another).Status)
	k.wait(time.Minute)
	require.Equal(t, http.StatusNotFound, get(token).Status)
}

func TestAnAddressThatGuessesTokensHasToWait(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits.PerMinute = 2 })
	for range 2 {
		require.Equal(t, http.StatusForbidden, k.send(t, "guess", "GET", "/privacy-request/nix", nil).Status)
	}
	require.Equal(t, http.StatusTooManyRequests, k.send(t, "guess", "GET", "/privacy-request/nix", nil).Status)
	require.Equal(t, http.StatusNotFound, k.send(t, k.token(t), "GET", "/privacy-request/nix", nil).Status)
}

func TestUnknownAndRepeatedParametersAreRefused(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "GET", "/privacy-request/nix?identiy=a", nil)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	require.Equal(t, `{"detail":[{"type":"extra_forbidden","loc":["query","identiy"],"msg":"Extra inputs are not permitted"}]}`, a.Body)
}

// verifier answers as a test wants.
type verifier func() (*oauth.Principal, error)

func (v verifier) Authenticate(context.Context, *http.Request) (*oauth.Principal, error) { return v() }

func TestAPanicIs500WithoutItsText(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.options.Verifier = verifier(func() (*oauth.Principal, error) { panic("nia.vale@example.com") })
	})
	a := k.send(t, "x", "GET", "/privacy-request/nix", nil)
	require.Equal(t, http.StatusInternalServerError, a.Status)
	require.Equal(t, `{"detail":"Internal Server Error"}`, a.Body)
	require.Contains(t, k.logs.String(), "a handler panicked")
	require.NotContains(t, k.logs.String(), "nia.vale")
}

func TestWhatCannotBeReachedIs503AndWhatTakesTooLongIs504(t *testing.T) {
	t.Parallel()
	for status, cause := range map[int]error{http.StatusServiceUnavailable: dsr.ErrUnavailable, http.StatusGatewayTimeout: context.DeadlineExceeded} {
		k := newDesk(t, func(k *desk) {
			k.options.Verifier = verifier(func() (*oauth.Principal, error) { return nil, cause })
		})
		require.Equal(t, status, k.send(t, "x", "GET", "/privacy-request/nix", nil).Status)
	}
}

func TestTheRequestIDIsInTheAnswerAndTheLog(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for given, want := range map[string]string{
		"": "a-request", "abc-1.2_3:4": "abc-1.2_3:4", "nia vale": "a-request", "nia@example.com": "a-request",
		strings.Repeat("x", 128): strings.Repeat("x", 128), strings.Repeat("x", 129): "a-request",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/privacy-request/nia.vale@example.com?q=nia.vale", nil)
		r.Header.Set("X-Request-ID", given)
		r.Header.Set("Authorization", "Bearer "+k.token(t))
		a := k.do(t, r)
		require.Equal(t, want, a.Header.Get("X-Request-ID"))
		require.Contains(t, k.logs.String(), `"request_id":"`+want+`"`)
	}
	require.Contains(t, k.logs.String(), `"route":"GET /privacy-request/{privacy_request_id}"`)
	require.NotContains(t, k.logs.String(), "nia")
}

func TestHeadAnswersAsGetWithoutABody(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, "", "HEAD", "/openapi.json", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Empty(t, a.Body)
}

func TestTheDefaultsOfLimits(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits = fides.Limits{} })
	for _, r := range k.door.Routes() {
		if r.Path == "/privacy-request" && r.Method == http.MethodPost {
			require.Equal(t, fides.RouteInfo{
				Method: "POST", Path: "/privacy-request", Scopes: []string{"privacy-request:create"}, BodyBytes: 1 << 20,
				Timeout: 30 * time.Second, PerMinute: 1200, LimitedBy: "client", Summary: "Create privacy requests",
			}, r)
			return
		}
	}
	require.Fail(t, "the route is not there")
}
