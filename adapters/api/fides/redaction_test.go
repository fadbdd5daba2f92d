package fides_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

const patternsAt = "/api/v1/privacy-request-redaction-patterns"

// patternsOf is the body of a set of patterns.
func patternsOf(t *testing.T, patterns ...string) string {
	t.Helper()
	text, err := json.Marshal(map[string][]string{"patterns": append([]string{}, patterns...)})
	require.NoError(t, err)
	return string(text)
}

func TestTheExamplesOfTheGuideToRedactionWork(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	read, update := k.token(t, "PRIVACY_REQUEST_REDACTION_PATTERNS_READ"), k.token(t, "PRIVACY_REQUEST_REDACTION_PATTERNS_UPDATE")
	guide := []string{"sensitive_.*", ".*_private", "^email$", "customer.*", ".*user.*"}
	k.send(t, update, "PUT", patternsAt, `{
  "patterns": [
    "sensitive_.*",
    ".*_private",
    "^email$",
    "customer.*",
    ".*user.*"
  ]
}`).want(t, http.StatusOK, patternsOf(t, guide...))
	k.send(t, read, "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, guide...))

	// As requests.put(json={"patterns": new_patterns}) of Python sends it, and as curl does.
	for _, body := range []string{
		`{"patterns": ["sensitive_.*", ".*_private", "^email$", "customer.*"]}`,
		"{\n    \"patterns\": [\n      \"sensitive_.*\",\n      \".*_private\",\n      \"^email$\",\n      \"customer.*\"\n    ]\n  }",
	} {
		k.send(t, update, "PUT", patternsAt, body).want(t, http.StatusOK, patternsOf(t, guide[:4]...))
		k.send(t, read, "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, guide[:4]...))
	}
	valid := []string{"^email$", "sensitive_.*", ".*_private", "customer.*", ".*user.*", "^(email|phone)$", ".*@.*", "data_[0-9]+"}
	k.send(t, update, "PUT", patternsAt, patternsOf(t, valid...)).want(t, http.StatusOK, patternsOf(t, valid...))

	require.Equal(t, http.StatusUnauthorized, k.send(t, "", "GET", patternsAt, nil).Status)
	require.Equal(t, http.StatusForbidden, k.send(t, read, "PUT", patternsAt, patternsOf(t)).Status)
	require.Equal(t, http.StatusForbidden, k.send(t, update, "GET", patternsAt, nil).Status)
}

// TestPeer01PutReplaceAndGet is test_put_replace_and_get.
func TestPeer01PutReplaceAndGet(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for _, at := range []string{patternsAt, "/api/v1/privacy-request/redaction-patterns"} {
		k.send(t, token, "PUT", at, patternsOf(t, "user", "email.*")).want(t, http.StatusOK, patternsOf(t, "user", "email.*"))
		k.send(t, token, "GET", at, nil).want(t, http.StatusOK, patternsOf(t, "user", "email.*"))
		k.send(t, token, "PUT", at, patternsOf(t, "user", "name")).want(t, http.StatusOK, patternsOf(t, "user", "name"))
		k.restart(t)
		k.send(t, token, "GET", at, nil).want(t, http.StatusOK, patternsOf(t, "user", "name"))
	}
}

// TestPeer02PutNormalization is test_put_normalization.
func TestPeer02PutNormalization(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	for range 2 {
		k.send(t, token, "PUT", patternsAt, patternsOf(t, "  name  ", "name", "NAME")).want(t, http.StatusOK, patternsOf(t, "name", "NAME"))
	}
	k.send(t, token, "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, "name", "NAME"))
}

// TestPeer03PutClear is test_put_clear.
func TestPeer03PutClear(t *testing.T) {
	t.Parallel()
	registry, err := redact.NewRegistry(nil, "seed")
	require.NoError(t, err)
	k := newDesk(t, func(k *desk) { k.config.Redaction = registry })
	token := k.token(t)
	k.send(t, token, "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, "seed"))
	k.send(t, token, "PUT", patternsAt, `{"patterns": []}`).want(t, http.StatusOK, `{"patterns":[]}`)
	k.restart(t)
	k.send(t, token, "GET", patternsAt, nil).want(t, http.StatusOK, `{"patterns":[]}`)
	k.send(t, token, "PUT", patternsAt, patternsOf(t, "seed")).want(t, http.StatusOK, patternsOf(t, "seed"))
	k.send(t, token, "PUT", patternsAt, `{"patterns": []}`).want(t, http.StatusOK, `{"patterns":[]}`)
	k.send(t, token, "GET", patternsAt, nil).want(t, http.StatusOK, `{"patterns":[]}`)
}

// TestPeer04PutByRoles is test_put_by_roles.
func TestPeer04PutByRoles(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	for role, status := range map[string]int{
		oauth.RoleOwner: http.StatusOK, oauth.RoleContributor: http.StatusOK, oauth.RoleViewer: http.StatusForbidden,
		oauth.RoleApprover: http.StatusForbidden, oauth.RoleViewerAndApprover: http.StatusForbidden,
	} {
		_, creds, err := k.oauth.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Roles: []string{role}})
		require.NoError(t, err)
		token, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
		require.NoError(t, err)
		require.Equal(t, status, k.send(t, token.Value, "PUT", patternsAt, patternsOf(t, "user")).Status, role)
		require.Equal(t, status, k.send(t, token.Value, "GET", patternsAt, nil).Status, role)
	}
}

func TestPatternsAreRefusedAsTheGuidePrintsIt(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	k.send(t, token, "PUT", patternsAt, patternsOf(t, "name")).want(t, http.StatusOK, patternsOf(t, "name"))
	long := strings.Repeat("x", 501)
	for name, c := range map[string]struct {
		body         string
		status       int
		answer       string
		sameAsInJSON bool
	}{
		"syntax": {patternsOf(t, "[invalid"), 400, `{
  "detail": [
    {
      "loc": ["body", "patterns", 0],
      "msg": "Invalid regex pattern: [invalid",
      "type": "value_error"
    }
  ]
}`, true},
		"too many": {patternsOf(t, slices.Repeat([]string{"x"}, 101)...), 422, `{
  "detail": "Maximum 100 patterns allowed"
}`, true},
		"too long": {patternsOf(t, long), 422, `{
  "detail": [
    {
      "loc": ["body", "patterns", 0],
      "msg": "Pattern exceeds maximum length of 500 characters",
      "type": "value_error"
    }
  ]
}`, true},
		"all faults of a kind": {patternsOf(t, "a", "(", "b", "*"), 400, `{"detail":[{"type":"value_error","loc":["body","patterns",1],"msg":"Invalid regex pattern: ("},{"type":"value_error","loc":["body","patterns",3],"msg":"Invalid regex pattern: *"}]}`, false},
		"limits before syntax": {patternsOf(t, "(", long), 422, `{"detail":[{"type":"value_error","loc":["body","patterns",1],"msg":"Pattern exceeds maximum length of 500 characters"}]}`, false},
		"blank":                {patternsOf(t, "a", " "), 422, `{"detail":[{"type":"value_error","loc":["body","patterns"],"msg":"Value error, Pattern at index 1 cannot be empty"}]}`, false},
		"too large": {patternsOf(t, "a", "(?=a)"+strings.Repeat(`\pL`, 160), "("), 422, `{"detail":[{"type":"value_error","loc":["body","patterns",1],` +
			`"msg":"With this pattern the set is too large: use fewer or smaller repetitions, and fewer classes such as \\pL"}]}`, false},
		"a number": {`{"patterns":["a",1]}`, 422, `{"detail":[{"type":"string_type","loc":["body","patterns",1],"msg":"Input should be a valid string"}]}`, false},
		"null":     {`{"patterns":null}`, 422, `{"detail":[{"type":"list_type","loc":["body","patterns"],"msg":"Input should be a valid list"}]}`, false},
		"absent":   {`{}`, 422, `{"detail":[{"type":"missing","loc":["body","patterns"],"msg":"Field required"}]}`, false},
		"no JSON":  {`{`, 400, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"JSON decode error"}]}`, false},
		"nothing":  {``, 400, `{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]}`, false},
		"no value": {`null`, 400, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}]}`, false},
		"a list":   {`["a"]`, 400, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"Input should be a valid dictionary or object to extract fields from"}]}`, false},
		"twice":    {`{"patterns":[],"patterns":[]}`, 422, `{"detail":[{"type":"duplicate_key","loc":["body","patterns"],"msg":"A key may be given once only"}]}`, false},
		"unknown":  {`{"patterns":[],"x":1}`, 422, `{"detail":[{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}]}`, false},
	} {
		a := k.send(t, token, "PUT", patternsAt, c.body)
		if require.Equal(t, c.status, a.Status, name); c.sameAsInJSON {
			require.JSONEq(t, c.answer, a.Body, name)
			continue
		}
		require.Equal(t, c.answer, a.Body, name)
	}
	k.send(t, token, "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, "name"))
	exactly := []string{strings.Repeat("ü", 500), "  " + strings.Repeat("y", 500) + "  "}
	require.Equal(t, http.StatusOK, k.send(t, token, "PUT", patternsAt, patternsOf(t, exactly...)).Status)
	hundred := slices.Repeat([]string{"x"}, 100)
	k.send(t, token, "PUT", patternsAt, patternsOf(t, hundred...)).want(t, http.StatusOK, patternsOf(t, "x"))
}

func TestPatternsCountForThePackagesThatFollow(t *testing.T) {
	t.Parallel()
	k, folder := office(t, func(k *desk) {
		dir := k.config.Destinations["folder"]
		dir.Format = storage.JSON{}
		k.config.Destinations["folder"] = dir
	})
	require.Equal(t, http.StatusOK, k.send(t, k.token(t), "PUT", patternsAt, patternsOf(t, "customer.*", "^email$")).Status)
	req := k.process(t, "access")
	require.Equal(t, dsr.StatusComplete, req.Status)
	text := packageOf(t, folder, req)
	require.NotContains(t, text, `"email"`)
	require.NotContains(t, text, ":customer")
	require.Contains(t, text, "customer-3@example.com", "values stay")
}

// Patterns that come in by the door match as those of the host do, also after a
// restart.
func TestPatternsAreMatchedByTheOptionsOfTheHost(t *testing.T) {
	t.Parallel()
	for _, search := range []bool{false, true} {
		dir := t.TempDir()
		k := newDesk(t, func(k *desk) {
			registry, err := redact.NewRegistry(&redact.Options{Search: search})
			require.NoError(t, err)
			k.config.Redaction = registry
			k.config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}}
		})
		k.caller(t).does(t, "PUT", "/privacy-request/redaction-patterns", patternsOf(t, "ustome", "^email$"))
		k.restart(t)
		k.send(t, k.token(t), "GET", patternsAt, nil).want(t, http.StatusOK, patternsOf(t, "ustome", "^email$"))
		req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
		require.NoError(t, err)
		req, err = k.engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		text, err := os.ReadFile(filepath.Join(dir, req.ID+".json"))
		require.NoError(t, err)
		require.Contains(t, string(text), "nia.vale@example.com")
		require.NotContains(t, string(text), `"email"`)
		require.Equal(t, search, !strings.Contains(string(text), "customers"))
	}
}
