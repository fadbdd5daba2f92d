package crash_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// Everything that is configured over the API is there when the server is killed
// as soon as it has answered, as it was answered, and nothing of another kind
// has changed.
func TestServerKeepsWhatIsConfigured(t *testing.T) {
	t.Parallel()
	program := servertest.Build(t)
	routes := configuring(t)
	t.Run("every route that configures is tried", func(t *testing.T) {
		t.Parallel()
		var tried []string
		for _, st := range keptSteps() {
			tried = append(tried, st.method+" "+template(t, routes, st.method, st.path))
		}
		for name := range routes {
			require.Contains(t, tried, name)
		}
	})
	for _, test := range []struct {
		name    string
		store   func(t testing.TB) string
		aliases bool
	}{
		{"SQLite", func(testing.TB) string { return "" }, false},
		{"PostgreSQL, by the other names", dbtest.PostgresDSN, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := &keptWorld{
				Server: servertest.Start(t, servertest.Options{Program: program, Store: test.store(t)}),
				names:  map[string]string{}, routes: routes, aliases: test.aliases,
			}
			makePeople(t, w.Data)
			w.LogIn(t, servertest.RootID, servertest.RootSecret)
			before := w.seen(t)
			for _, st := range keptSteps() {
				before = w.take(t, st, before)
			}
			require.Equal(t, len(keptSteps()), w.Kills)
		})
	}
}

// step is a call that configures, and what shows that it did.
type step struct {
	method, path string
	body         any
	want         int
	// see is a path that shows exactly what was answered. After one that ends
	// with a slash come the keys of all that was answered.
	see string
	// shows are parts of what its path shows; of all that is seen, for none.
	at    string
	shows []string
	// gone is a path that is not found afterwards.
	gone string
	// same says that nothing is to change.
	same bool
	// names are fields of the answer to be used in later steps, as $field.
	names []string
	// then looks further.
	then func(t *testing.T, w *keptWorld)
	// first is done before it.
	first func(t *testing.T, w *keptWorld)
}

type keptWorld struct {
	*servertest.Server
	names   map[string]string
	routes  map[string][]string
	aliases bool
}

// configuring are the routes that configure something, with their aliases.
func configuring(t *testing.T) map[string][]string {
	t.Helper()
	engine, err := dsr.New(dsr.Config{
		ConnectionTypes: map[string]dsr.ConnectionType{"manual": {Title: "Manual"}},
		Store:           memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(), Notifier: memory.NewNotifier(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	auth, err := oauth.New(&oauth.Options{Records: oauth.NewMemoryRecords(), Key: bytes.Repeat([]byte{7}, 32)})
	require.NoError(t, err)
	door, err := fides.New(engine, &fides.Options{OAuth: auth})
	require.NoError(t, err)
	changes := regexp.MustCompile(`:(create_or_update|update|delete)$|^client:create$`)
	found := map[string][]string{}
	for _, route := range door.Routes() {
		name := route.Method + " " + route.Path
		switch {
		case route.Method == http.MethodGet:
		case route.AliasOf != "":
			found[route.AliasOf] = append(found[route.AliasOf], name)
		case slices.ContainsFunc(route.Scopes, changes.MatchString) || name == "POST /oauth/revoke":
			found[name] = append(found[name], name)
		}
	}
	for name, places := range found {
		if !slices.Contains(places, name) { // the alias of one that configures nothing
			delete(found, name)
		}
	}
	require.Greater(t, len(found), 30)
	return found
}

// template is the path of a route, of which a path is one.
func template(t *testing.T, routes map[string][]string, method, path string) string {
	t.Helper()
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	best, literal := "", -1
	for name := range routes {
		verb, at, _ := strings.Cut(name, " ")
		names, same := strings.Split(at, "/"), 0
		if verb != method || len(names) != len(parts) {
			continue
		}
		for i, part := range names {
			switch {
			case part == parts[i]:
				same++
			case !strings.HasPrefix(part, "{"):
				same = -len(parts)
			}
		}
		if same > literal {
			best, literal = at, same
		}
	}
	require.NotEmpty(t, best, "%s %s is no route that configures", method, path)
	return best
}

// place is where a step is called: at the last of its aliases, if aliases are
// tried.
func (w *keptWorld) place(t *testing.T, st step) (method, path string) {
	t.Helper()
	at := template(t, w.routes, st.method, st.path)
	places := w.routes[st.method+" "+at]
	others := slices.DeleteFunc(slices.Clone(places), func(p string) bool { return p == st.method+" "+at })
	if !w.aliases || len(others) == 0 {
		return st.method, w.named(st.path)
	}
	values := map[string]string{}
	path, query, _ := strings.Cut(st.path, "?")
	for i, part := range strings.Split(at, "/") {
		if strings.HasPrefix(part, "{") {
			values[part] = strings.Split(path, "/")[i]
		}
	}
	method, path, _ = strings.Cut(others[len(others)-1], " ")
	for name, value := range values {
		path = strings.ReplaceAll(path, name, value)
	}
	if query != "" {
		path += "?" + query
	}
	return method, w.named(path)
}

// named puts what earlier steps were answered for $names.
func (w *keptWorld) named(text string) string {
	for name, value := range w.names {
		text = strings.ReplaceAll(text, "$"+name, value)
	}
	return text
}

func (w *keptWorld) get(t *testing.T, path string) (int, string) {
	t.Helper()
	status, answer, err := w.Send(t.Context(), http.MethodGet, "/api/v1"+w.named(path), nil)
	require.NoError(t, err, path)
	return status, answer
}

// take takes a step, kills the server, and returns all that is seen then.
func (w *keptWorld) take(t *testing.T, st step, before map[string]string) map[string]string {
	t.Helper()
	if st.first != nil {
		st.first(t, w)
		before = w.seen(t)
	}
	method, path := w.place(t, st)
	body := st.body
	switch b := body.(type) {
	case string:
		body = w.named(b)
	case servertest.Text:
		b.Text = w.named(b.Text)
		body = b
	}
	if st.want == 0 {
		st.want = http.StatusOK
	}
	answer := w.Call(t, method, "/api/v1"+path, body, st.want)
	w.Killed(t)
	at := method + " " + path
	require.NotContains(t, answer, `"failed":[{`, at)

	for _, name := range st.names {
		value, _ := servertest.Object(t, answer)[name].(string)
		require.NotEmpty(t, value, "%s of %s", name, answer)
		w.names[name] = value
	}
	after := w.seen(t)
	changed := 0
	for name := range names(before, after) {
		if before[name] != after[name] {
			require.Equal(t, kind(st.path), kind(name), "%s changed %s from %s to %s", at, name, before[name], after[name])
			changed++
		}
	}
	require.Equal(t, st.same, changed == 0, "%s changed %d of what is seen", at, changed)
	if st.see != "" {
		w.shown(t, at, st.see, answer)
	}
	if st.gone != "" {
		status, text := w.get(t, st.gone)
		require.Equal(t, http.StatusNotFound, status, "%s: %s", at, text)
	}
	for _, part := range st.shows {
		status, text := w.get(t, st.at)
		require.Equal(t, http.StatusOK, status, text)
		require.Contains(t, text, w.named(part), at)
	}
	if st.then != nil {
		st.then(t, w)
		return w.seen(t)
	}
	return after
}

// names are those that either of two has.
func names(a, b map[string]string) map[string]string {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// kind is what a path is about.
func kind(path string) string {
	path = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "/yml"), "/dsr"), "/plus")
	first, _, _ := strings.Cut(path[1:], "/")
	first, _, _ = strings.Cut(first, "?")
	if first == "access_manual_webhook" {
		return "connection"
	}
	return first
}

// shown requires that a path shows exactly what was answered.
func (w *keptWorld) shown(t *testing.T, at, path, answer string) {
	t.Helper()
	var told any
	require.NoError(t, json.Unmarshal([]byte(answer), &told), answer)
	if object, ok := told.(map[string]any); ok {
		for _, part := range []string{"succeeded", "resource"} {
			if object[part] != nil {
				told = object[part]
			}
		}
	}
	if !strings.HasSuffix(path, "/") {
		told, path = []any{told}, path+"?"
	} else if _, list := told.([]any); !list {
		told = []any{told}
	}
	items, _ := told.([]any)
	require.NotEmpty(t, items, at)
	for _, item := range items {
		one := strings.TrimSuffix(path, "?")
		if one == path {
			object, _ := item.(map[string]any)
			key, _ := object["key"].(string)
			if key == "" {
				key, _ = object["fides_key"].(string)
			}
			one += key
		}
		status, text := w.get(t, one)
		require.Equal(t, http.StatusOK, status, "%s: %s", one, text)
		var got any
		readJSON(t, text, &got)
		if object, ok := got.(map[string]any); ok { // alone it may tell more than in a list
			told, _ := item.(map[string]any)
			maps.DeleteFunc(object, func(name string, _ any) bool { _, ok := told[name]; return !ok })
		}
		require.Equal(t, item, got, "%s, then %s", at, one)
	}
}

// seen is everything that is configured, as the API shows it.
func (w *keptWorld) seen(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	look := func(path string) (keys []string) {
		_, text := w.get(t, path)
		all[path] = text
		if !strings.HasSuffix(path, "?size=100") {
			return nil
		}
		var list struct{ Items []map[string]any }
		require.NoError(t, json.Unmarshal([]byte(text), &list), "%s: %s", path, text)
		for _, item := range list.Items {
			for _, name := range []string{"key", "client_id"} {
				if key, ok := item[name].(string); ok {
					keys = append(keys, key)
				}
			}
		}
		return keys
	}
	for _, path := range []string{
		"/access_manual_webhook", "/storage/default?size=100", "/storage/default/active", "/storage/default/status", "/storage/config?size=100",
		"/dsr/webhook/pre_approval?size=100", "/privacy-request/redaction-patterns", "/privacy-request/notification", "/privacy-request?size=100",
	} {
		look(path)
	}
	for _, key := range look("/connection?size=100") {
		for _, part := range []string{"", "/dataset?size=100", "/datasetconfig?size=100", "/access_manual_webhook"} {
			look("/connection/" + key + part)
		}
		for _, part := range []string{"/manual-task", "/manual-fields"} {
			look("/plus/connection/" + key + part)
		}
	}
	for _, key := range look("/dsr/policy?size=100") {
		at := "/dsr/policy/" + key
		look(at)
		look(at + "/webhook/pre_execution?size=100")
		look(at + "/webhook/post_execution?size=100")
		for _, rule := range look(at + "/rule?size=100") {
			look(at + "/rule/" + rule + "/target?size=100")
		}
	}
	for _, id := range look("/oauth/client?size=100") {
		look("/oauth/client/" + id + "/scope")
		look("/oauth/client/" + id + "/token?size=100")
	}
	return all
}

// makePeople makes a database of people in the folder of a server.
func makePeople(t *testing.T, dir string) {
	t.Helper()
	dir = filepath.Join(dir, "databases") // where the server has them
	require.NoError(t, os.MkdirAll(dir, 0o700))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "people.db"))
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, name TEXT); INSERT INTO people VALUES (1, 'jane@example.com', 'Jane')")
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
