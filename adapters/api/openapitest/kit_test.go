package openapitest_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/openapitest"
)

//go:embed testdata/widgets.json
var document []byte

const (
	goodToken = "Bearer good-token-6d1f"
	weakToken = "Bearer weak-token-93aa"
)

// widgets is the API of testdata/widgets.json, and keeps to it in all but the
// planted fault.
type widgets struct {
	fault  string
	widget *jsonschema.Schema
	part   *jsonschema.Schema
	asked  int // of /usage
	routes http.Handler

	mu    sync.Mutex
	next  int
	items map[string]map[string]any
	order []string
}

func newWidgets(t testing.TB, fault string) *widgets {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("https://widgets.invalid/", value))
	h := &widgets{
		fault: fault, items: map[string]map[string]any{},
		widget: c.MustCompile("https://widgets.invalid/#/components/schemas/NewWidget"),
		part:   c.MustCompile("https://widgets.invalid/#/components/schemas/NewPart"),
	}
	h.route()
	return h
}

func (h *widgets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.fault == "moves to a path that is not documented" && r.URL.RawQuery != "" {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
		return
	}
	h.routes.ServeHTTP(w, r)
}

func (h *widgets) route() {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/widgets", h.create)
	mux.HandleFunc("GET /v1/widgets", h.list)
	mux.HandleFunc("GET /v1/widgets/{id}", h.read)
	mux.HandleFunc("PUT /v1/widgets/{id}", h.change)
	mux.HandleFunc("DELETE /v1/widgets/{id}", h.remove)
	mux.HandleFunc("POST /v1/widgets/{id}/parts", h.addPart)
	mux.HandleFunc("POST /v1/login", h.login)
	mux.HandleFunc("GET /v1/usage", h.usage)
	h.routes = mux
}

func (h *widgets) is(fault string) bool { return h.fault == fault }

func send(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(value); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(map[string]any{"status": status, "detail": why}); err != nil {
		panic(err)
	}
}

// body reads and checks a JSON body, or refuses it.
func (h *widgets) body(w http.ResponseWriter, r *http.Request, schema *jsonschema.Schema) (map[string]any, bool) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body cannot be read")
		return nil, false
	}
	if h.is("decompresses nothing and panics") && r.Header.Get("Content-Encoding") == "gzip" {
		panic("gzip")
	}
	if kind := r.Header.Get("Content-Type"); kind != "application/json" || r.Header.Get("Content-Encoding") != "" {
		if h.is("an undocumented status for a content type") {
			refuse(w, http.StatusTeapot, "no")
			return nil, false
		}
		refuse(w, http.StatusUnsupportedMediaType, "send JSON")
		return nil, false
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil || !utf8.Valid(text) {
		if h.is("an echo of broken JSON") {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"status": 400, "detail": "%s"}`, text)
			return nil, false
		}
		refuse(w, http.StatusBadRequest, "no JSON")
		return nil, false
	}
	if h.is("500 for deep nesting") && strings.Count(string(text), "[[[[") > 0 {
		w.WriteHeader(http.StatusInternalServerError)
		return nil, false
	}
	if err := schema.Validate(value); err != nil && !h.is("takes what the schema forbids") {
		refuse(w, http.StatusUnprocessableEntity, "not as the schema says")
		return nil, false
	}
	members, ok := value.(map[string]any)
	if !ok {
		refuse(w, http.StatusUnprocessableEntity, "no object")
	}
	return members, ok
}

func (h *widgets) create(w http.ResponseWriter, r *http.Request) {
	members, ok := h.body(w, r, h.widget)
	if !ok {
		return
	}
	name, _ := members["name"].(string)
	if h.is("500 on a rare letter") && strings.ContainsRune(name, '日') {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.next++
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", h.next)
	members["id"] = id
	h.items[id] = members
	h.order = append(h.order, id)
	switch {
	case h.is("a wrong type in an answer") && members["kind"] == "round":
		members["size"] = "large"
	case h.is("a missing member in an answer"):
		delete(members, "name")
	case h.is("no Location"):
	default:
		w.Header().Set("Location", "/v1/widgets/"+id)
	}
	send(w, http.StatusCreated, members)
}

func (h *widgets) list(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "the query is malformed")
		return
	}
	limit := 10
	if query.Has("limit") {
		limit, err = strconv.Atoi(query.Get("limit"))
		if h.is("hangs") && limit == 0 {
			<-r.Context().Done()
			return
		}
		if h.is("panics at a negative limit") && limit < 0 {
			_ = make([]int, 0, limit)
		}
		if err != nil || limit < 1 || limit > 100 {
			refuse(w, http.StatusUnprocessableEntity, "limit must be from 1 to 100")
			return
		}
	}
	found := []any{}
	for _, id := range h.order {
		if item, ok := h.items[id]; ok && len(found) < limit {
			found = append(found, item)
		}
	}
	if h.is("null for an empty list") && len(found) == 0 {
		found = nil
	}
	if h.is("a wrong content type") && query.Has("kind") {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `{"items":[]}`)
		return
	}
	if kind := query.Get("kind"); kind != "" && kind != "round" && kind != "square" {
		refuse(w, http.StatusUnprocessableEntity, "kind must be round or square")
		return
	}
	send(w, http.StatusOK, map[string]any{"items": found, "total": len(h.items)})
}

// item finds what a path names, or refuses it.
func (h *widgets) item(w http.ResponseWriter, r *http.Request) (string, bool) {
	id := r.PathValue("id")
	if _, ok := h.items[id]; ok {
		return id, true
	}
	if h.is("500 for a zero byte in a path") && strings.Contains(id, "\x00") {
		w.WriteHeader(http.StatusInternalServerError)
		return "", false
	}
	refuse(w, http.StatusNotFound, "there is no such widget")
	return "", false
}

func (h *widgets) read(w http.ResponseWriter, r *http.Request) {
	if id, ok := h.item(w, r); ok {
		send(w, http.StatusOK, h.items[id])
	}
}

func (h *widgets) change(w http.ResponseWriter, r *http.Request) {
	id, ok := h.item(w, r)
	if !ok {
		return
	}
	members, ok := h.body(w, r, h.widget)
	if !ok {
		return
	}
	members["id"] = id
	h.items[id] = members
	send(w, http.StatusOK, members)
}

func (h *widgets) remove(w http.ResponseWriter, r *http.Request) {
	id, ok := h.item(w, r)
	if !ok {
		return
	}
	if !h.is("does not delete but says so with a body") {
		delete(h.items, id)
	}
	w.WriteHeader(http.StatusNoContent)
	if h.is("does not delete but says so with a body") {
		fmt.Fprint(w, "gone")
	}
}

func (h *widgets) addPart(w http.ResponseWriter, r *http.Request) {
	id, ok := h.item(w, r)
	if !ok {
		return
	}
	members, ok := h.body(w, r, h.part)
	if !ok {
		return
	}
	if parts, _ := h.items[id]["parts"].(int); h.is("500 in the third step of a chain") && parts == 1 {
		w.WriteHeader(http.StatusInternalServerError)
		return
	} else if h.is("500 in the third step of a chain") {
		h.items[id]["parts"] = parts + 1
	}
	send(w, http.StatusCreated, members)
}

func (h *widgets) login(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("password") == "" || r.PostForm.Get("user") == "" {
		refuse(w, http.StatusBadRequest, "user and password are needed")
		return
	}
	if h.is("500 at a login") {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "the password of %s is %s", r.PostForm.Get("user"), r.PostForm.Get("password"))
		return
	}
	send(w, http.StatusOK, map[string]any{"access_token": "issued-token-1"})
}

func (h *widgets) usage(w http.ResponseWriter, r *http.Request) {
	switch r.Header.Get("Authorization") {
	case goodToken:
	case weakToken:
		if h.is("takes a weak token") {
			break
		}
		refuse(w, http.StatusForbidden, "the scope is missing")
		return
	default:
		if !h.is("no WWW-Authenticate") {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		refuse(w, http.StatusUnauthorized, "a token is needed")
		return
	}
	if h.asked++; h.asked%5 == 0 {
		if !h.is("no Retry-After") {
			w.Header().Set("Retry-After", "1")
		}
		refuse(w, http.StatusTooManyRequests, "later")
		return
	}
	send(w, http.StatusOK, map[string]any{"count": h.asked})
}

func config(h http.Handler, count int) openapitest.Config {
	return openapitest.Config{
		Document: document, Handler: h, Prefix: "/v1", Seed: 7, Count: count,
		Known: map[string][]string{"password": {"correct horse"}},
		Callers: func(op openapitest.Operation) []openapitest.Caller {
			return []openapitest.Caller{
				{Name: "good", Header: http.Header{"Authorization": {goodToken}}},
				{Name: "weak", Header: http.Header{"Authorization": {weakToken}}, Denied: op.ID == "usage"},
				{Name: "nobody", Denied: op.ID == "usage"},
			}
		},
	}
}
