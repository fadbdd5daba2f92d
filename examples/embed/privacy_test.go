package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/storage"
)

// notices is a notifier that lets a test wait for what it is told.
type notices chan dsr.Notice

func (n notices) Notify(ctx context.Context, notice dsr.Notice) error {
	select {
	case n <- notice:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// service is a running shop with a customer of its own making.
type service struct {
	*app
	url     string
	notices notices
}

func start(t *testing.T) *service {
	t.Helper()
	s := &service{notices: make(notices, 100)}
	var err error
	s.app, err = newApp(t.Context(), settings{dir: t.TempDir(), desk: "secret"}, s.notices, io.Discard)
	require.NoError(t, err)
	server := httptest.NewServer(s.routes())
	s.url = server.URL
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, s.close())
	})
	for _, order := range []string{
		`{"email": "nia.vale@example.com", "name": "Nia Vale", "product": "teapot", "note": "Leave it with the neighbour"}`,
		`{"email": "ravi.moss@example.com", "name": "Ravi Moss", "product": "kettle", "note": "Ring twice"}`,
		`{"email": "nia.vale@example.com", "name": "Nia Vale", "product": "cups"}`,
	} {
		status, _ := s.call(t, "POST", "/orders", "", order)
		require.Equal(t, http.StatusCreated, status)
	}
	return s
}

// work lets the engine run until the test ends.
func (s *service) work(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	stopped := make(chan error, 1)
	go func() { stopped <- s.engine.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
}

// await waits for a notice of that kind about a request.
func (s *service) await(t *testing.T, id string, kind dsr.NoticeKind) dsr.Notice {
	t.Helper()
	for {
		select {
		case n := <-s.notices:
			if n.RequestID == id {
				require.NotEqual(t, dsr.NoticeFailed, n.Kind, n.Message)
				if n.Kind == kind {
					return n
				}
			}
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		}
	}
}

func (s *service) call(t *testing.T, method, path, token, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, strings.TrimSpace(string(data))
}

// submit files a request as the data subject and returns its id.
func (s *service) submit(t *testing.T, policy, email string) string {
	t.Helper()
	status, answer := s.call(t, "POST", "/privacy/requests", "", `{"policy": "`+policy+`", "email": "`+email+`"}`)
	require.Equal(t, http.StatusAccepted, status, answer)
	var v requestView
	require.NoError(t, json.Unmarshal([]byte(answer), &v))
	require.JSONEq(t, `{"id": "`+v.ID+`", "policy": "`+policy+`", "status": "identity_unverified"}`, answer)
	return v.ID
}

// verified does so, and enters the code that was sent.
func (s *service) verified(t *testing.T, policy, email string) string {
	t.Helper()
	id := s.submit(t, policy, email)
	code := s.await(t, id, dsr.NoticeVerify).Code
	s.do(t, id, "verify", `{"code": "`+code+`"}`, http.StatusOK)
	return id
}

// do calls a verb on a request at the desk, and returns the status that it has
// then.
func (s *service) do(t *testing.T, id, verb, body string, want int) dsr.Status {
	t.Helper()
	status, answer := s.call(t, "POST", "/privacy/requests/"+id+"/"+verb, "secret", body)
	require.Equal(t, want, status, answer)
	var v requestView
	require.NoError(t, json.Unmarshal([]byte(answer), &v))
	return v.Status
}

func (s *service) show(t *testing.T, id string) (v requestView) {
	t.Helper()
	status, answer := s.call(t, "GET", "/privacy/requests/"+id, "secret", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal([]byte(answer), &v))
	return v
}

// download has a link made, which works once, and opens it.
func (s *service) download(t *testing.T, id string) string {
	t.Helper()
	status, answer := s.call(t, "POST", "/privacy/requests/"+id+"/link", "secret", `{"once": true}`)
	require.Equal(t, http.StatusCreated, status, answer)
	var made linkView
	require.NoError(t, json.Unmarshal([]byte(answer), &made))
	status, page := s.call(t, "GET", made.Link, "", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "<h1>Download your data</h1>")
	status, data := s.call(t, "POST", made.Link, "", "")
	require.Equal(t, http.StatusOK, status)
	status, page = s.call(t, "POST", made.Link, "", "")
	require.Equal(t, http.StatusGone, status)
	require.Contains(t, page, "<h1>This link was used already</h1>")
	return data
}

func TestAccessAndErasure(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.work(t)
	const everything = `{
		"shop:customers": [{"id": 1, "email": "nia.vale@example.com", "name": "Nia Vale"}],
		"shop:orders": [
			{"id": 1, "product": "teapot", "note": "Leave it with the neighbour"},
			{"id": 3, "product": "cups", "note": null}
		]
	}`

	id := s.verified(t, "access", "Nia.Vale@Example.com")
	s.await(t, id, dsr.NoticeComplete)
	v := s.show(t, id)
	require.Equal(t, dsr.StatusComplete, v.Status)
	require.NotNil(t, v.FinishedAt)
	require.Equal(t, []collectionView{{"shop:customers", 1, 0}, {"shop:orders", 2, 0}}, v.Collections)
	require.JSONEq(t, everything, s.download(t, id))

	denied := s.verified(t, "erasure", "nia.vale@example.com")
	s.do(t, denied, "deny", `{}`, http.StatusUnprocessableEntity)
	require.Equal(t, dsr.StatusDenied, s.do(t, denied, "deny", `{"reason": "an open invoice"}`, http.StatusOK))

	id = s.verified(t, "leave", "nia.vale@example.com")
	require.Equal(t, dsr.StatusPending, s.show(t, id).Status)
	require.Equal(t, dsr.StatusApproved, s.do(t, id, "approve", `{}`, http.StatusOK))
	s.await(t, id, dsr.NoticeComplete)
	require.Equal(t, []collectionView{{"shop:customers", 1, 1}, {"shop:orders", 2, 1}}, s.show(t, id).Collections)
	require.JSONEq(t, everything, s.download(t, id))
	_, answer := s.call(t, "GET", "/orders/1", "", "")
	require.NotContains(t, answer, "Nia")
	require.NotContains(t, answer, "neighbour")
	require.Contains(t, answer, `"product":"teapot"`)
	_, answer = s.call(t, "GET", "/orders/2", "", "")
	require.JSONEq(t, `{"id": 2, "email": "ravi.moss@example.com", "name": "Ravi Moss", "product": "kettle", "note": "Ring twice"}`, answer)

	id = s.verified(t, "erasure", "ravi.moss@example.com")
	s.do(t, id, "approve", `{}`, http.StatusOK)
	s.await(t, id, dsr.NoticeComplete)
	status, answer := s.call(t, "POST", "/privacy/requests/"+id+"/link", "secret", "{}")
	require.Equal(t, http.StatusNotFound, status)
	require.JSONEq(t, `{"error": "there is no such request, policy or package"}`, answer)

	_, answer = s.call(t, "GET", "/privacy/requests?status=denied&policy=erasure", "secret", "")
	require.JSONEq(t, `{"requests": [{"id": "`+denied+`", "policy": "erasure", "status": "denied", "finished_at": "`+
		s.show(t, denied).FinishedAt.Format(time.RFC3339Nano)+`"}]}`, answer)
}

// Who submits again, having got no answer, gets the request that is there; who
// asks for the same twice, a duplicate for the desk to look at.
func TestSubmittedTwice(t *testing.T) {
	t.Parallel()
	s := start(t)
	const body = `{"policy": "erasure", "email": "nia.vale@example.com", "reference": "form 7"}`
	_, first := s.call(t, "POST", "/privacy/requests", "", body)
	_, again := s.call(t, "POST", "/privacy/requests", "", body)
	require.JSONEq(t, first, again)
	var v requestView
	require.NoError(t, json.Unmarshal([]byte(first), &v))
	s.await(t, v.ID, dsr.NoticeVerify)

	s.do(t, v.ID, "verify", `{"code": "no code"}`, http.StatusForbidden)
	s.do(t, v.ID, "code", ``, http.StatusOK)
	newer := s.await(t, v.ID, dsr.NoticeVerify).Code
	require.Equal(t, dsr.StatusPending, s.do(t, v.ID, "verify", `{"code": "`+newer+`"}`, http.StatusOK))
	s.do(t, v.ID, "verify", `{"code": "`+newer+`"}`, http.StatusConflict)

	second := s.verified(t, "erasure", "NIA.VALE@example.com")
	shown := s.show(t, second)
	require.Equal(t, dsr.StatusDuplicate, shown.Status)
	require.Equal(t, v.ID, shown.DuplicateOf)
	require.Equal(t, dsr.StatusCanceled, s.do(t, second, "cancel", `{}`, http.StatusOK))
	_, answer := s.call(t, "GET", "/privacy/requests?reference=form+7", "secret", "")
	require.JSONEq(t, `{"requests": [{"id": "`+v.ID+`", "reference": "form 7", "policy": "erasure", "status": "pending"}]}`, answer)
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := start(t) // nobody works on requests: the first stays open
	pending := s.submit(t, "access", "nia.vale@example.com")
	const badBody = `{"error": "the body is not the JSON object that this route takes"}`
	const notAllowed = `{"error": "this route is for the privacy desk"}`
	for name, c := range map[string]struct {
		method, path, token, body string
		status                    int
		answer                    string
	}{
		"no token":         {"GET", "/privacy/requests", "", "", 401, notAllowed},
		"wrong token":      {"POST", "/privacy/requests/" + pending + "/approve", "guess", `{}`, 401, notAllowed},
		"no token to read": {"GET", "/privacy/requests/" + pending, "", "", 401, notAllowed},
		"no token to link": {"POST", "/privacy/requests/" + pending + "/link", "", "{}", 401, notAllowed},
		"no JSON":          {"POST", "/privacy/requests", "secret", `policy=access`, 400, badBody},
		"unknown key":      {"POST", "/privacy/requests", "secret", `{"policy": "access", "e-mail": "x@example.com"}`, 400, badBody},
		"unknown request":  {"GET", "/privacy/requests/42", "secret", "", 404, `{"error": "there is no such request, policy or package"}`},
		"unknown policy":   {"POST", "/privacy/requests", "secret", `{"policy": "tickle", "email": "nia.vale@example.com"}`, 404, `{"error": "there is no such request, policy or package"}`},
		"unknown verb":     {"POST", "/privacy/requests/" + pending + "/tickle", "secret", `{}`, 404, `{"error": "there is no such verb"}`},
		"unknown status": {"GET", "/privacy/requests?status=tickled", "secret", "", 422,
			`{"error": "the request cannot be carried out", "faults": ["error: filter: there is no status \"tickled\""]}`},
		"approved too early": {"POST", "/privacy/requests/" + pending + "/approve", "secret", `{}`, 409,
			`{"error": "the request has not the status for that, or was changed meanwhile"}`},
		"linked too early": {"POST", "/privacy/requests/" + pending + "/link", "secret", "{}", 409,
			`{"error": "the request has not the status for that, or was changed meanwhile"}`},
		"everything missing": {"POST", "/privacy/requests", "secret", `{}`, 422,
			`{"error": "the request cannot be carried out", "faults": [
				"error: submission: it names no policy",
				"error: identity email: a value is empty"
			]}`},
		"order without a name": {"POST", "/orders", "", `{"email": "x@example.com"}`, 422, `{"error": "an order needs email, name and product"}`},
		"unknown order":        {"GET", "/orders/99", "", "", 404, `{"error": "there is no such order"}`},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := s.call(t, c.method, c.path, c.token, c.body)
			require.Equal(t, c.status, status)
			require.JSONEq(t, c.answer, answer)
		})
	}
}

// What was accepted before a restart is finished after it, with the keys and
// the store of the first process.
func TestRestart(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.verified(t, "access", "ravi.moss@example.com")
	require.NoError(t, s.close())

	second, err := newApp(t.Context(), s.settings, s.notices, io.Discard)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.close()) })
	s.app.engine = second.engine
	s.work(t)
	s.await(t, id, dsr.NoticeComplete)
	data, err := os.ReadFile(filepath.Join(s.dir, "packages", id+".json"))
	require.NoError(t, err)
	require.Contains(t, string(data), "Ring twice")
}

// A privacy flow is unit-tested without a database: the shop's own datasets
// and policies over rows of Go values.
func TestFlowInProcess(t *testing.T) {
	t.Parallel()
	shop := memory.NewConnector(map[string][]map[string]any{
		"customers": {
			{"id": 1, "email": "nia.vale@example.com", "name": "Nia Vale"},
			{"id": 2, "email": "ravi.moss@example.com", "name": "Ravi Moss"},
		},
		"orders": {
			{"id": 10, "customer_id": 1, "product": "teapot", "note": "Leave it with the neighbour"},
			{"id": 11, "customer_id": 2, "product": "kettle", "note": "Ring twice"},
		},
	}, nil)
	config, err := privacyConfig(0)
	require.NoError(t, err)
	config.Connections = []dsr.Connection{{Key: "shop", Connector: shop, Datasets: []string{"shop"}}}
	config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(t.TempDir(), nil)}}
	config.Store, config.Spool, config.Keyring = memory.NewStore(), memory.NewSpool(), dsr.NewEphemeralKeyring()
	config.Notifier = make(notices, 100)
	engine, err := dsr.New(config)
	require.NoError(t, err)

	req, err := engine.Requests().Submit(t.Context(), dsr.Submission{
		Policy: "erasure", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}, Verified: true,
	})
	require.NoError(t, err)
	_, err = engine.Requests().Approve(t.Context(), req.ID, dsr.By{Actor: "privacy desk"})
	require.NoError(t, err)
	req, err = engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)

	customers, orders := shop.Rows("customers"), shop.Rows("orders")
	require.NotEqual(t, "Nia Vale", customers[0]["name"])
	require.NotEqual(t, "nia.vale@example.com", customers[0]["email"])
	require.Equal(t, map[string]any{"id": int64(2), "email": "ravi.moss@example.com", "name": "Ravi Moss"}, customers[1])
	require.Equal(t, "teapot", orders[0]["product"])
	require.NotEqual(t, "Leave it with the neighbour", orders[0]["note"])
	require.Equal(t, map[string]any{"id": int64(11), "customer_id": int64(2), "product": "kettle", "note": "Ring twice"}, orders[1])
}
