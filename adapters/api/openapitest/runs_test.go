package openapitest_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/openapitest"
)

func TestOneSeedGivesOneRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		run := func() string {
			report, err := openapitest.Run(t.Context(), config(newWidgets(t, "an echo of broken JSON"), 500))
			require.Error(t, err)
			return report.String()
		}
		first, second := run(), run()
		require.Equal(t, first, second)
	})
}

func TestOverAConnection(t *testing.T) {
	t.Parallel()
	for fault, rule := range map[string]string{
		"":                              "",
		"takes a weak token":            openapitest.RuleDenied,
		"a missing member in an answer": openapitest.RuleBody,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(newWidgets(t, fault))
			t.Cleanup(server.Close)
			c := config(nil, 600)
			c.BaseURL, c.Client = server.URL, server.Client()
			report, err := openapitest.Run(t.Context(), c)
			if rule == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			require.True(t, slices.ContainsFunc(report.Violations, func(v openapitest.Violation) bool { return v.Rule == rule }))
		})
	}
}

func TestABrokenConnectionIsNoAnswer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)
	c := config(nil, 100)
	c.BaseURL, c.Client, c.Partial = server.URL, server.Client(), true
	report, err := openapitest.Run(t.Context(), c)
	require.Error(t, err)
	require.Len(t, report.Violations, len(report.Operations))
	for _, v := range report.Violations {
		require.Equal(t, openapitest.RuleSilence, v.Rule)
	}
	require.Equal(t, 3*len(report.Operations), report.Sent, "an operation is left alone after three silences")
}

func TestReportHidesSecretsAndShowsASmallRequest(t *testing.T) {
	t.Parallel()
	report, err := openapitest.Run(t.Context(), config(newWidgets(t, "500 at a login"), 800))
	require.ErrorContains(t, err, "seed 7")
	require.ErrorContains(t, err, "never succeeded: login\n")
	require.Equal(t, []string{"login"}, report.Missed())
	require.Len(t, report.Violations, 1)
	v := report.Violations[0]
	require.Equal(t, openapitest.Operation{ID: "login", Method: http.MethodPost, Path: "/login"}, v.Operation)
	require.Greater(t, v.Times, 20)
	require.NotContains(t, err.Error(), "correct horse")
	require.NotContains(t, err.Error(), "good-token")
	require.Contains(t, err.Error(), "the password of ")

	report, err = openapitest.Run(t.Context(), config(newWidgets(t, "500 on a rare letter"), 3000))
	require.Error(t, err)
	require.Len(t, report.Violations, 1)
	require.Regexp(t, `^POST /v1/widgets\nContent-Type: application/json\n\{"kind":"(round|square)","name":"日"\}$`, report.Violations[0].Request)
}

func TestOperationsThatNeverSucceed(t *testing.T) {
	t.Parallel()
	closed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusNotFound, "closed") })
	c := config(closed, 200)
	c.Document = []byte(strings.ReplaceAll(string(document), `"400"`, `"404"`))
	c.Document = []byte(strings.ReplaceAll(string(c.Document), `"422"`, `"404"`))
	c.Document = []byte(strings.ReplaceAll(string(c.Document), `"403"`, `"404"`))
	report, err := openapitest.Run(t.Context(), c)
	require.ErrorContains(t, err, "never succeeded: ")
	require.Empty(t, report.Violations)
	require.ElementsMatch(t, []string{"create", "list", "read", "change", "remove", "addPart", "login", "usage"}, report.Missed())

	c.Excuse = map[string]string{"login": "there are no users"}
	report, err = openapitest.Run(t.Context(), c)
	require.ErrorContains(t, err, "never succeeded: ")
	require.Contains(t, report.String(), "(excused: there are no users)")
	require.Contains(t, report.String(), "never succeeded: ")
	require.NotContains(t, report.Missed(), "login")

	c.Partial = true
	report, err = openapitest.Run(t.Context(), c)
	require.NoError(t, err)
	require.Empty(t, report.Missed())
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := newWidgets(t, "")
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-time.After(time.Second)
			slow.ServeHTTP(w, r)
		})
		c := config(h, 0)
		c.Duration, c.Partial = time.Minute, true
		report, err := openapitest.Run(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, 60, report.Sent)
		require.Equal(t, time.Minute, report.Elapsed)

		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second/4)
		defer cancel()
		report, err = openapitest.Run(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 22, report.Sent)
		require.Empty(t, report.Violations, "a request that the end of the run cut off is no violation")
		synctest.Wait()
		<-time.After(time.Second) // for the handler that was cut off
	})
}

func TestWrongConfigurations(t *testing.T) {
	t.Parallel()
	_, err := openapitest.Run(t.Context(), openapitest.Config{Document: document, BaseURL: "example.com/x", Prefix: "v1", Timeout: -1, Excuse: map[string]string{"none": "x", "login": " "}})
	for _, part := range []string{
		"BaseURL must be a scheme and a host", "Prefix must begin with /", "must not be negative", "set Count or Duration",
		`the operation "none", which the document does not have`, `no reason for "login"`,
	} {
		require.ErrorContains(t, err, part)
	}
	_, err = openapitest.Run(t.Context(), openapitest.Config{Document: document, Count: 1})
	require.EqualError(t, err, "set exactly one of Handler and BaseURL")
}

func TestWrongDocuments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{`:                              "the document is no JSON",
		`{"openapi":"3.0"}`:              `of OpenAPI "3.0", want 3.1`,
		`{"openapi":"3.1.0","paths":{}}`: "the document has no operation",
		`{"openapi":"3.1.0","paths":{"/a/{b}":{"get":{"responses":{"200":{}}}}}}`:                                                            `GET /a/{b}: the path parameter "b" is not described`,
		`{"openapi":"3.1.0","paths":{"/a":{"get":{}}}}`:                                                                                      "no answer is described",
		`{"openapi":"3.1.0","paths":{"/a":{"get":{"parameters":[{"in":"query"}],"responses":{"200":{}}}}}}`:                                  "lacks a name or a place",
		`{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/none"}}}}}}}}}`:     "the schema at /paths/~1a/get/responses/200/content/application~1json/schema",
		`{"openapi":"3.1.0","paths":{"/a":{"get":{"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"http://x/y"}}}}}}}}}`: "the document must hold all it refers to",
	} {
		_, err := openapitest.Run(t.Context(), openapitest.Config{Document: []byte(text), Handler: http.NotFoundHandler(), Count: 1})
		require.ErrorContains(t, err, want)
	}
}
