package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// lineLog takes the lines of a log from many goroutines.
type lineLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// started runs a server until stop is called.
func started(t *testing.T, s settings, env map[string]string) (welcome string, log *lineLog, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	log = &lineLog{}
	s.addr = "127.0.0.1:0"
	go func() {
		err := run(ctx, s, func(name string) string { return env[name] }, out, log)
		_ = out.CloseWithError(err)
		ended <- err
	}()
	page := make([]byte, 1<<16)
	n, err := in.Read(page)
	require.NoError(t, err)
	stop = func() error {
		cancel()
		err := <-ended
		require.NotContains(t, log.String(), "nia.vale")
		return err
	}
	return string(page[:n]), log, stop
}

// linePasted pastes one of the printed lines into a terminal with these
// variables, and returns the answer.
func linePasted(t *testing.T, line string, env map[string]string) (string, error) {
	t.Helper()
	paste := exec.CommandContext(t.Context(), "sh", "-c", line)
	paste.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		paste.Env = append(paste.Env, name+"="+value)
	}
	output, err := paste.CombinedOutput()
	return string(output), err
}

// lineAnswer reads an answer about one request.
func lineAnswer(t *testing.T, output string) (id, status string) {
	t.Helper()
	var answer struct {
		Succeeded []struct{ ID, Status string }
		Failed    []any
	}
	require.NoError(t, json.Unmarshal([]byte(output), &answer), output)
	require.Empty(t, answer.Failed)
	require.Len(t, answer.Succeeded, 1)
	require.Regexp(t, `^pri_[0-9a-f-]{36}$`, answer.Succeeded[0].ID)
	return answer.Succeeded[0].ID, answer.Succeeded[0].Status
}

// The line that it prints works when it is pasted, again after a restart, with
// a root client of the environment, and where somebody has to approve.
func TestPastedLine(t *testing.T) {
	t.Parallel()
	own := map[string]string{"OAUTH_ROOT_CLIENT_ID": "root", "OAUTH_ROOT_CLIENT_SECRET": "a+secret&of enough=length"}
	parent := t.TempDir()
	data := filepath.Join(parent, "it's a?b#c%20d")
	const folder = "the package is in the folder a moment later:\n\n"
	for _, c := range []struct {
		env      map[string]string
		approval bool
		says     []string
	}{
		{nil, false, []string{"Paste this into another terminal; " + folder}},
		{nil, false, []string{"Paste this into another terminal; " + folder}},
		{own, false, []string{"Paste this into another terminal where OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET are set as for this server; " + folder}},
		{nil, true, []string{"Paste this into another terminal; the request then waits for approval:\n\n", "\nTo approve it, paste this there; " + folder}},
		{own, true, []string{" are set as for this server; the request then waits for approval:\n\n", "\nTo approve it, paste this there; " + folder}},
	} {
		s := settings{allow: "localhost", data: data, demo: true, lease: time.Minute, approval: c.approval}
		welcome, _, stop := started(t, s, c.env)
		require.Regexp(t, `^Serving data subject requests at http://127\.0\.0\.1:\d+\n  the API       http://127\.0\.0\.1:\d+/docs\n`, welcome)
		for _, text := range c.says {
			require.Contains(t, welcome, text)
		}
		lines := regexp.MustCompile(`(?m)^  .*curl .*$`).FindAllString(welcome, -1)
		require.Len(t, lines, len(c.says), welcome)
		for name, value := range c.env {
			require.NotContains(t, welcome, value[1:])
			without := maps.Clone(c.env)
			delete(without, name)
			for _, line := range lines {
				output, err := linePasted(t, line, without)
				require.Error(t, err, "it stops")
				require.Regexp(t, `^sh: .*`+name+`: set it as for the server\n$`, output)
			}
		}
		var id string
		for i, line := range lines {
			output, err := linePasted(t, line, c.env)
			require.NoError(t, err, output)
			made, status := lineAnswer(t, output)
			require.True(t, i == 0 || made == id)
			require.Equal(t, c.approval && i == 0, status == "pending", status)
			id = made
		}
		var data []byte
		require.Eventually(t, func() bool {
			var err error
			data, err = os.ReadFile(filepath.Join(s.data, "fides_uploads", id+".json"))
			return err == nil
		}, time.Minute, 10*time.Millisecond)
		require.JSONEq(t, `{
			"demo_shop:customers": [{"id": 1, "email": "nia.vale@example.com", "name": "Nia Vale", "phone": "+44 20 7946 0102"}],
			"demo_shop:orders": [
				{"customer_id": 1, "placed_on": "2026-03-02", "product": "Teapot", "note": "Leave it with the neighbour"},
				{"customer_id": 1, "placed_on": "2026-04-11", "product": "Cups, six", "note": "For Mira's birthday"}
			]
		}`, string(data))
		require.NoError(t, stop())
	}
	beside, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Len(t, beside, 1, "nothing is kept elsewhere")
}

// net/http answers nothing in the place of the door that has come as a request.
func TestTheDoorAnswersOptionsOfAll(t *testing.T) {
	t.Parallel()
	welcome, log, stop := started(t, settings{data: t.TempDir(), demo: true, lease: time.Minute}, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(welcome))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: the-call\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close(), conn.Close()))
	require.Equal(t, []any{http.StatusNotFound, "the-call", `{"detail":"Not Found"}`},
		[]any{resp.StatusCode, resp.Header.Get("X-Request-ID"), strings.TrimSpace(string(body))})
	require.NoError(t, stop())
	require.Equal(t, 1, strings.Count(log.String(), `"request_id":"the-call"`), log.String())
}

// lineCall sends a body of JSON, with a token of the demo's client.
func lineCall(t *testing.T, s settings, welcome, method, path, body string) string {
	t.Helper()
	api := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(welcome) + "/api/v1"
	do := func(method, url, kind, token, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", kind)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		require.Equal(t, 2, resp.StatusCode/100, string(answer))
		return strings.TrimSpace(string(answer))
	}
	secret, err := os.ReadFile(filepath.Join(s.data, "demo-secret"))
	require.NoError(t, err)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {demoClient}, "client_secret": {string(secret)}}
	var token struct {
		Value string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(do(http.MethodPost, api+"/oauth/token", "application/x-www-form-urlencoded", "", form.Encode())), &token))
	return do(method, api+path, "application/json", token.Value, body)
}

// Who asks to be told of failures is told by way of the log, which names nobody.
func TestFailuresAreToldInTheLog(t *testing.T) {
	t.Parallel()
	s := settings{allow: "localhost", data: t.TempDir(), demo: true, lease: time.Minute}
	welcome, log, stop := started(t, s, nil)
	const at, set = "/privacy-request/notification", `{"email_addresses":["desk@example.com"],"notify_after_failures":2}`
	require.Equal(t, set, lineCall(t, s, welcome, http.MethodPut, at, set))
	require.NoError(t, os.WriteFile(filepath.Join(s.data, "fides_uploads"), nil, 0o600)) // no folder for packages
	for range 2 {
		lineAnswer(t, lineCall(t, s, welcome, http.MethodPost, "/privacy-request", `[{"policy_key":"demo_access","identity":{"email":"nia.vale@example.com"}}]`))
	}
	const told = `"kind":"failed","audience":"operators","at":`
	require.Eventually(t, func() bool { return strings.Contains(log.String(), told) }, time.Minute, 10*time.Millisecond, log)
	require.NoError(t, stop())
	require.Equal(t, 1, strings.Count(log.String(), `"message":"2 privacy requests stopped with an error"`), log.String())
	require.NotContains(t, log.String(), "desk@example.com")

	welcome, _, stop = started(t, s, nil)
	require.Equal(t, set, lineCall(t, s, welcome, http.MethodGet, at, ""))
	require.NoError(t, stop())
}

// Where files of SQLite go is told by the field that names one, and at start;
// that there is none is told without saying where it was looked for.
func TestFilesOfSQLite(t *testing.T) {
	t.Parallel()
	c := repliedServer(t, "localhost")
	var taken struct {
		Properties struct{ Path struct{ Description string } }
	}
	c.send(t, "GET", "/connection_type/sqlite/secret", "", "", &taken)
	require.Equal(t, `The path of a file that is there, below the folder "databases" of -data, such as "shop.db".`, taken.Properties.Path.Description)
	c.send(t, "PATCH", "/connection", "", `[{"key":"stock","name":"Stock","connection_type":"sqlite","access":"read","secrets":{"path":"stock.db"}}]`, nil)
	var tried struct {
		Reason string `json:"failure_reason"`
	}
	c.send(t, "GET", "/connection/stock/test", "", "", &tried)
	require.Equal(t, "sqlconn: ping: the database cannot open its file: there may be no such file (code 14)", tried.Reason)
}

// The example bodies of the API's document that configure a connection work here.
func TestExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	const id, secret = "root", "a secret of enough length"
	s := settings{allow: "localhost,127.0.0.0/8,::1/128", data: t.TempDir(), lease: time.Minute}
	welcome, _, stop := started(t, s, map[string]string{"OAUTH_ROOT_CLIENT_ID": id, "OAUTH_ROOT_CLIENT_SECRET": secret})
	base := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(welcome)
	send := func(method, path, media, authorization string, body io.Reader) []byte {
		req, err := http.NewRequestWithContext(t.Context(), method, base+path, body)
		require.NoError(t, err)
		req.Header.Set("Content-Type", media)
		req.Header.Set("Authorization", authorization)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s %s: %s", method, path, answer)
		require.NotContains(t, string(answer), `"failed":[{`)
		return answer
	}
	var token struct {
		Value string `json:"access_token"`
	}
	form := url.Values{"client_id": {id}, "client_secret": {secret}, "grant_type": {"client_credentials"}}
	require.NoError(t, json.Unmarshal(send("POST", "/api/v1/oauth/token", "application/x-www-form-urlencoded", "", strings.NewReader(form.Encode())), &token))
	var document struct {
		Paths map[string]map[string]struct {
			Body struct {
				Content map[string]struct{ Example json.RawMessage }
			} `json:"requestBody"`
		}
	}
	require.NoError(t, json.Unmarshal(send("GET", "/openapi.json", "", "", http.NoBody), &document))
	for _, call := range []struct{ method, path, query string }{
		{"PATCH", "/connection", ""}, {"PUT", "/connection/{connection_key}/secret", "?verify=false"}, {"PATCH", "/connection/{connection_key}/secret", "?verify=false"},
	} {
		example := document.Paths[call.path][strings.ToLower(call.method)].Body.Content["application/json"].Example
		require.NotEmpty(t, example, call.path)
		path := "/api/v1" + strings.Replace(call.path, "{connection_key}", "shop_database", 1) + call.query
		send(call.method, path, "application/json", "Bearer "+token.Value, bytes.NewReader(example))
	}
	require.NoError(t, stop())
}

func TestWithoutDemo(t *testing.T) {
	t.Parallel()
	s := settings{data: t.TempDir(), lease: time.Minute}
	half := func(name string) string { return map[string]string{"OAUTH_ROOT_CLIENT_ID": "root"}[name] }
	require.EqualError(t, run(t.Context(), settings{data: s.data, demo: true}, half, io.Discard, io.Discard), "set both OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET, or neither")
	err := run(t.Context(), s, func(string) string { return "" }, io.Discard, io.Discard)
	require.EqualError(t, err, "without the demo, set OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET (at least 16 bytes): nobody else could make the first client")

	welcome, _, stop := started(t, s, map[string]string{"OAUTH_ROOT_CLIENT_ID": "root", "OAUTH_ROOT_CLIENT_SECRET": "a secret of enough length"})
	require.NotContains(t, welcome, "curl")
	base := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(welcome)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/api/v1/privacy-request", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.NoError(t, stop())
	require.NoFileExists(t, filepath.Join(s.data, "databases", "shop.db"))
}

// Where somebody configured something before, the demo does not come with it,
// and no line is printed that would not work.
func TestDemoOverAnotherConfiguration(t *testing.T) {
	t.Parallel()
	s := settings{data: t.TempDir(), lease: time.Minute}
	env := map[string]string{"OAUTH_ROOT_CLIENT_ID": "root", "OAUTH_ROOT_CLIENT_SECRET": "a secret of enough length"}
	_, _, stop := started(t, s, env)
	require.NoError(t, stop())

	s.demo = true
	welcome, _, stop := started(t, s, env)
	require.Contains(t, welcome, "curl", "nobody configured anything")
	require.NoError(t, stop())

	welcome, _, stop = started(t, s, nil)
	lineCall(t, s, welcome, http.MethodDelete, "/dsr/policy/demo_access", "")
	require.NoError(t, stop())
	welcome, _, stop = started(t, s, nil)
	require.NotContains(t, welcome, "curl")
	require.Contains(t, welcome, "\nThe demo's policies are not there, since there was a configuration before. To try them, name a new folder with -data.\n")
	require.NoError(t, stop())
}

// A request that does not end is cut off when the server has waited for it as
// long as it may, which is no error; what net/http says is a line as any other.
func TestRequestsAreCutOffInTheEnd(t *testing.T) {
	t.Parallel()
	welcome, log, stop := started(t, settings{data: t.TempDir(), demo: true, lease: time.Minute, drain: 50 * time.Millisecond}, nil)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(welcome))
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(conn, "POST /api/v1/oauth/token HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\n")
	require.NoError(t, err)
	answers := bufio.NewReader(conn)
	line, err := answers.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line, "it reads the body, which does not come")
	require.NoError(t, stop())
	rest, _ := io.ReadAll(answers) // how it was cut off does not matter
	require.Equal(t, "\r\n", string(rest), "no answer follows")
	require.NoError(t, conn.Close())
	require.Equal(t, 1, strings.Count(log.String(), `"level":"WARN","msg":"HTTP requests that did not finish in time are cut off","time":"50ms"}`), log.String())
}

func TestNetHTTPWritesToTheLog(t *testing.T) {
	t.Parallel()
	log := &lineLog{}
	app, err := newService(t.Context(), settings{data: t.TempDir(), demo: true}, oauth.Credentials{}, log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, app.close()) })
	server := httptest.NewUnstartedServer(nil)
	server.Config = app.server()
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		w.WriteHeader(http.StatusNoContent)
	})
	server.Start()
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Regexp(t, `(?m)^\{"time":"[^"]+","level":"WARN","msg":"http: superfluous response.WriteHeader call from [^"]+"\}$`, log.String())
}

func TestArguments(t *testing.T) {
	t.Parallel()
	s, err := parse(nil, io.Discard)
	require.NoError(t, err)
	require.Equal(t, settings{
		addr: "127.0.0.1:8080", data: "dsr-data", demo: true, lease: time.Minute, drain: 10 * time.Second, allow: "localhost,127.0.0.0/8,::1/128",
	}, s)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-h"}, "Server answers data subject requests over HTTP."},
		{[]string{"-h"}, "OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET."},
		{[]string{"-h"}, "files of SQLite that connections name go into its folder \"databases\""},
		{[]string{"-nothing"}, "flag provided but not defined: -nothing\nServer answers"},
		{[]string{"-lease", "long"}, "invalid value \"long\" for flag -lease"},
		{[]string{"-demo", "false", "-data", "x"}, "it takes flags only, not \"false\"\nServer answers"},
	} {
		var out strings.Builder
		_, err := parse(c.args, &out)
		require.Error(t, err)
		require.Equal(t, c.args[0] == "-h", errors.Is(err, flag.ErrHelp))
		require.Contains(t, out.String(), c.want)
	}
}

// All faults of a start are told at once, and nothing is made.
func TestFaultsOfSettings(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	data := filepath.Join(t.TempDir(), "data")
	s := settings{data: data, store: "mysql://root:canary@db/x", perMinute: -1, lease: -1, drain: -1, allow: "10.0.0.0/99"}
	require.EqualError(t, run(t.Context(), s, none, io.Discard, io.Discard), strings.Join([]string{
		"-store must be a postgres:// address; without it a SQLite file is used",
		"-per-minute must not be negative",
		"-lease must not be negative",
		"-drain must not be negative",
		`-allow holds "10.0.0.0/99", which is no network`,
		"without the demo, set OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET (at least 16 bytes): nobody else could make the first client",
	}, "\n"))
	require.NoDirExists(t, data)
	require.EqualError(t, run(t.Context(), settings{demo: true}, none, io.Discard, io.Discard), "-data must name a folder")
}

func TestWrongStart(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, taken.Close()) }) // the cases are parallel, and outlive this
	damaged, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(damaged, "keys.json"), []byte(`{}`), 0o600))
	for name, c := range map[string]struct {
		settings
		want string
	}{
		"address in use":   {settings{addr: taken.Addr().String(), demo: true}, "-addr: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		"a file for data":  {settings{addr: "127.0.0.1:0", demo: true, data: file}, "-data: mkdir " + file + ": not a directory"},
		"nobody there":     {settings{addr: "127.0.0.1:0", demo: true, store: "postgres://u:canary@127.0.0.1:1/x"}, "connection refused"},
		"another database": {settings{addr: "127.0.0.1:0", demo: true, store: "mysql://root:canary@db/x"}, "-store must be a postgres:// address"},
		"a bad address":    {settings{addr: "127.0.0.1:0", demo: true, store: "postgres://u:canary@[x/y"}, "-store is no address that PostgreSQL understands"},
		"damaged keys":     {settings{addr: "127.0.0.1:0", demo: true, data: damaged}, "does not hold the keys of this service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.data == "" {
				c.data = t.TempDir()
			}
			c.lease = time.Minute
			err := run(t.Context(), c.settings, func(string) string { return "" }, io.Discard, io.Discard)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}
