package fides_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allocated is what an answer to a body takes, in bytes.
func allocated(t *testing.T, k *desk, body string) (w *httptest.ResponseRecorder, bytes uint64) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/privacy-request", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w = httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	k.door.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	return w, after.TotalAlloc - before.TotalAlloc
}

func TestNoBodyTakesMuchMoreMemoryThanItHasBytes(t *testing.T) { //nolint:paralleltest // it counts what the process allocates
	k := newDesk(t, func(k *desk) {
		k.options.PublicIntake = true
		k.config.Flow.VerifyIdentity = true
	})
	const size = 1_000_000
	filled := func(before, one, after string) string {
		return before + strings.TrimSuffix(strings.Repeat(one, (size-len(before)-len(after))/len(one)), ",") + after
	}
	unknown := &strings.Builder{}
	for i := 0; unknown.Len() < size; i++ {
		fmt.Fprintf(unknown, `"%d":0,`, i)
	}
	request := `[{"policy_key":"access","identity":{"email":"a@b.co"},"consent_preferences":[`
	for name, body := range map[string]string{
		"deep":              request + strings.Repeat("[", 9985) + strings.Repeat("]", 9985) + `]}]`,
		"deep with text":    request + strings.Repeat("[", 3000) + filled("", `"\u0000",`, "") + strings.Repeat("]", 3000) + `]}]`,
		"deep objects":      request + strings.Repeat(`{"a":`, 9000) + "0" + strings.Repeat("}", 9000) + `]}]`,
		"not closed":        request + strings.Repeat("[", size),
		"as deep as can be": filled(request+strings.Repeat("[", 90), `"\u0000",`, strings.Repeat("]", 90)+`]}]`),
		"no texts":          filled(request, `"\u0000",`, `]}]`),
		"unknown keys":      `[{` + unknown.String() + `"x":0}]`,
		"a long name":       filled(request+`{"`+strings.Repeat("n", size/2)+`":[`, `"\u0000",`, `]}]}]`),
		"no requests":       filled("[", `0,`, "]"),
		"no identities":     filled(`[{"policy_key":"access","identities":[`, `0,`, `]}]`),
	} {
		w, took := allocated(t, k, body)
		t.Logf("%s: %d bytes took %d, the answer has %d", name, len(body), took, w.Body.Len())
		require.Equal(t, http.StatusUnprocessableEntity, w.Code, name)
		require.Less(t, took, uint64(100<<20), name)
		require.Less(t, w.Body.Len(), 100_000, name)
	}
}

func TestAnAnswerTellsAHundredFaultsAtMost(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for n, last := range map[int]string{
		100: `{"type":"extra_forbidden","loc":["body",0,"k099"],"msg":"Extra inputs are not permitted"}`,
		101: `{"type":"too_many_errors","loc":["body"],"msg":"There are 2 more errors"}`,
		500: `{"type":"too_many_errors","loc":["body"],"msg":"There are 401 more errors"}`,
	} {
		body := &strings.Builder{}
		for i := range n {
			fmt.Fprintf(body, `,"k%03d":0`, i)
		}
		a := k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"access"`+body.String()+`}]`)
		require.Equal(t, http.StatusUnprocessableEntity, a.Status)
		var told struct{ Detail []json.RawMessage }
		require.NoError(t, json.Unmarshal([]byte(a.Body), &told))
		require.Len(t, told.Detail, 100)
		require.Equal(t, last, string(told.Detail[99]))
	}
}

func TestALongNameIsCutInFaults(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	a := k.send(t, k.token(t), "PUT", "/masking/mask", map[string]any{strings.Repeat("ä", 101): 0, "values": []string{}, "masking_strategy": []any{}})
	require.Contains(t, a.Body, `{"type":"extra_forbidden","loc":["body","`+strings.Repeat("ä", 100)+`…"],"msg":"Extra inputs are not permitted"}`)
}

func TestJSONIsAHundredLevelsDeepAtMost(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	send := func(body string) string { return k.send(t, token, "POST", "/privacy-request", body).Body }
	for levels, want := range map[int]string{
		97: `"message":"Consent preferences are not supported"`,
		98: `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, lists and objects can be inside one another 100 times at most"}]}`,
	} {
		body := `[{"policy_key":"access","identity":{"email":"a@b.co"},"consent_preferences":[` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `]}]`
		require.Contains(t, send(body), want)
		text := `[{"policy_key":"access","identity":{"email":"a@b.co"},"external_id":"\"` + strings.Repeat("[", levels) + `"}]`
		require.NotContains(t, send(text), "inside one another", "brackets of a text count for nothing")
	}
}
