package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// repliedClient is a script against a server.
type repliedClient struct {
	host, token string
}

// repliedServer starts a server, and returns a script against it.
func repliedServer(t *testing.T, allow string) *repliedClient {
	t.Helper()
	const id, secret = "root", "a secret of enough length"
	welcome, _, stop := started(t, settings{allow: allow, data: filepath.Join(t.TempDir(), "new"), demo: true, lease: time.Minute},
		map[string]string{"OAUTH_ROOT_CLIENT_ID": id, "OAUTH_ROOT_CLIENT_SECRET": secret})
	t.Cleanup(func() { require.NoError(t, stop()) })
	c := &repliedClient{host: regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(welcome)}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.host+"/api/v1/oauth/token", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	c.do(t, req, http.StatusOK, &answer)
	c.token = answer.Token
	return c
}

func (c *repliedClient) do(t *testing.T, req *http.Request, status int, into any) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, status, res.StatusCode, string(body))
	if into != nil {
		require.NoError(t, json.Unmarshal(body, into), string(body))
	}
}

// send calls the API with a token, which defaults to the client's.
func (c *repliedClient) send(t *testing.T, method, path, token, body string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.host+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	if token == "" {
		token = c.token
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	c.do(t, req, http.StatusOK, into)
}

// connect defines a hook, and submits a request once that is in its place.
func (c *repliedClient) connect(t *testing.T, address, path, hook string) (id string) {
	t.Helper()
	c.send(t, "PATCH", "/connection", "", `[{"key":"crm","name":"CRM","connection_type":"https","access":"read"}]`, nil)
	secrets, err := json.Marshal(map[string]string{"url": address, "authorization": "Basic canary-password"})
	require.NoError(t, err)
	c.send(t, "PUT", "/connection/crm/secret?verify=false", "", string(secrets), nil)
	c.send(t, "PUT", path, "", hook, nil)
	var made struct {
		Succeeded []struct{ ID string }
	}
	c.send(t, "POST", "/privacy-request", "", `[{"policy_key":"demo_access","identity":{"email":"nia.vale@example.com"}}]`, &made)
	require.Len(t, made.Succeeded, 1)
	return made.Succeeded[0].ID
}

// repliedInTime asks until the answer is good, which it is within a minute. Unlike
// with require.Eventually, asking may end the test.
func repliedInTime(t *testing.T, ask func() (good bool, answer string)) {
	t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		good, answer := ask()
		if good {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "the last answer is not good", answer)
		}
	}
}

// until waits for a status.
func (c *repliedClient) until(t *testing.T, id, status string) {
	t.Helper()
	repliedInTime(t, func() (bool, string) {
		var list struct{ Items []struct{ Status string } }
		c.send(t, "GET", "/privacy-request?request_id="+id, "", "", &list)
		require.Len(t, list.Items, 1)
		return list.Items[0].Status == status, "want " + status + ", not " + list.Items[0].Status
	})
}

// repliedCall is what a receiver is told.
type repliedCall struct {
	header http.Header
	body   struct {
		ID       string         `json:"privacy_request_id"`
		Type     string         `json:"callback_type"`
		Identity map[string]any `json:"identity"`
		Request  map[string]any `json:"privacy_request"`
	}
}

// repliedReceiver is a script that listens at localhost, over plain http, as
// those for Fides do.
func repliedReceiver(t *testing.T, answer string) (address string, calls chan repliedCall) {
	t.Helper()
	calls = make(chan repliedCall, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := repliedCall{header: r.Header}
		if json.NewDecoder(r.Body).Decode(&call.body) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		calls <- call
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/privacy?key=canary-password", calls
}

// repliedFirst is the first call, which comes within a minute.
func repliedFirst(t *testing.T, calls <-chan repliedCall) repliedCall {
	t.Helper()
	select {
	case call := <-calls:
		return call
	case <-time.After(time.Minute):
		require.FailNow(t, "the script is not called")
		return repliedCall{}
	}
}

const repliedHook = `[{"key":"ask","name":"Ask","connection_config_key":"crm"%s}]`

// A script is asked for its approval, and gives it later, by the path that it was
// told.
func TestPreApprovalByAScript(t *testing.T) {
	t.Parallel()
	for header, status := range map[string]string{
		"reply-to-eligible": "complete", "reply-to-approve": "complete",
		"reply-to-not-eligible": "pre_approval_not_eligible", "reply-to-deny": "pre_approval_not_eligible",
	} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			c := repliedServer(t, "localhost")
			address, calls := repliedReceiver(t, "")
			id := c.connect(t, address, "/dsr/webhook/pre_approval", fmt.Sprintf(repliedHook, ""))
			call := repliedFirst(t, calls)
			require.Equal(t, "Basic canary-password", call.header.Get("Authorization"))
			require.Equal(t, []any{id, "pre_approval", map[string]any{"email": "nia.vale@example.com"}, "root"},
				[]any{call.body.ID, call.body.Type, call.body.Identity, call.body.Request["submitted_by"]})
			path := call.header.Get(header)
			require.True(t, strings.HasPrefix(path, "/privacy-request/"+id+"/pre-approve/"), path)
			c.until(t, id, "awaiting_pre_approval")
			c.send(t, "POST", path, call.header.Get("reply-to-token"), "", nil)
			c.until(t, id, status)
		})
	}
}

// A script halts a request, and lets it go on later with what it has found out.
func TestHaltAndResumeByAScript(t *testing.T) {
	t.Parallel()
	c := repliedServer(t, "127.0.0.0/8,::1/128")
	address, calls := repliedReceiver(t, `{"halt":true}`)
	id := c.connect(t, address, "/dsr/policy/demo_access/webhook/pre_execution", fmt.Sprintf(repliedHook, `,"direction":"two_way"`))
	call := repliedFirst(t, calls)
	c.until(t, id, "paused")
	require.Equal(t, "/privacy-request/"+id+"/resume", call.header.Get("reply-to"))
	require.Equal(t, "in_processing", call.body.Request["status"])
	require.NotNil(t, call.body.Request["started_processing_at"])
	require.Contains(t, call.body.Request, "reviewed_at")
	c.send(t, "POST", call.header.Get("reply-to"), call.header.Get("reply-to-token"), `{"derived_identity":{"phone_number":"+44 20 7946 0102"}}`, nil)
	c.until(t, id, "complete")
	require.Empty(t, calls, "its answer counts")
}

// Where a script may not be called, whoever looks at the request sees why.
func TestScriptThatMayNotBeCalled(t *testing.T) {
	t.Parallel()
	c := repliedServer(t, "*.db.shop.example")
	address, calls := repliedReceiver(t, "")
	id := c.connect(t, address, "/dsr/webhook/pre_approval", fmt.Sprintf(repliedHook, ""))
	const reason = "its address is not a public one; allow its network if it is meant"
	var page struct {
		Items []struct{ Dataset, Message, Status string }
	}
	var text json.RawMessage
	repliedInTime(t, func() (bool, string) {
		c.send(t, "GET", "/privacy-request/"+id+"/log", "", "", &text)
		return strings.Contains(string(text), reason), string(text)
	})
	require.NoError(t, json.Unmarshal(text, &page))
	last := page.Items[len(page.Items)-1]
	require.Equal(t, "error", last.Status)
	require.Equal(t, "pre_approval hook ask: webhook: hook ask: POST its URL: it is refused: "+reason, last.Message)
	require.NotContains(t, string(text), "canary")
	c.until(t, id, "awaiting_pre_approval")
	require.Empty(t, calls)
}

func TestHooksThatAreRefused(t *testing.T) {
	t.Parallel()
	_, err := hookType([]string{"localhost", "10.0.0.0/99", "a/b"})
	require.EqualError(t, err, "-allow holds \"10.0.0.0/99\", which is no network\n-allow holds \"a/b\", which is no network")
	hooks, err := hookType([]string{"", "LOCALHOST", "10.1.2.3", "*.db.shop.example"})
	require.NoError(t, err)
	for address, want := range map[string]string{
		"http://localhost:9/x": "", "http://127.0.0.1:9/x": "", "http://[::1]:9": "", "https://10.1.2.3/x": "", "https://hooks.shop.example": "",
		"http://hooks.shop.example": "over http anybody on its way could read it", "http://10.1.2.3": "over http anybody on its way could read it",
		"https://10.1.2.4": "its address is not a public one", "http://127.0.0.1@10.1.2.3/x": "over http anybody on its way could read it",
	} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			_, err := hooks.Hook(dsr.ConnectionSettings{Key: "crm", Secrets: dsr.Secrets{"url": address, "authorization": "Basic x"}})
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, want)
		})
	}
}

// Types of connections have the names of the databases that they are for.
func TestMariaDBIsFoundByItsName(t *testing.T) {
	t.Parallel()
	var page struct {
		Items []struct {
			Identifier string
			Title      string `json:"human_readable"`
		}
	}
	repliedServer(t, "localhost").send(t, "GET", "/connection_type?search=maria", "", "", &page)
	require.Len(t, page.Items, 1)
	require.Equal(t, []string{"mariadb", "MariaDB"}, []string{page.Items[0].Identifier, page.Items[0].Title})
}
