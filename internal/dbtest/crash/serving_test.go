package crash_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// letters are what makePost gives each person.
const letters = 10_000

// A request that came in over HTTP completes once, with a whole package, when
// the server is killed while it works on it.
func TestCrashServerWhileItWorks(t *testing.T) {
	t.Parallel()
	program := servertest.Build(t)
	for name, store := range map[string]func(t testing.TB) string{
		"SQLite":     func(testing.TB) string { return "" },
		"PostgreSQL": dbtest.PostgresDSN,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd, rounds := rand.New(rand.NewPCG(seed(t), 2)), kills(t, 4)
			s := servertest.Start(t, servertest.Options{Program: program, Store: store(t)})
			db := makePost(t, s.Data, rounds)
			s.LogIn(t, servertest.RootID, servertest.RootSecret)
			configurePost(t, s)

			began := time.Now()
			id := submit(t, s, "copy", "person0@example.com")
			wholePost(t, s.Packed(t, id), 0)
			waitComplete(t, s, id)
			took := time.Since(began)
			working := 0 // when it was killed
			strike := func(id string) {
				<-time.After(randomTime(rnd, took)) // any moment
				s.Killed(t)
				if finished(t, s, id) == 0 {
					working++
				}
			}
			for n := 1; n <= rounds; n++ {
				copied := submit(t, s, "copy", fmt.Sprintf("person%d@example.com", n))
				strike(copied)
				wholePost(t, s.Packed(t, copied), n)
				first := waitComplete(t, s, copied)

				forgotten := submit(t, s, "forget", fmt.Sprintf("person%d@example.com", n))
				strike(forgotten)
				waitComplete(t, s, forgotten)
				require.Equal(t, first, waitComplete(t, s, copied), "it is not touched again")
				for _, id := range []string{copied, forgotten} {
					require.Equal(t, 1, finished(t, s, id), "request %s completed once", id)
				}
				var masked, others int
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM letters WHERE body = 'gone' AND person = ?", n).Scan(&masked))
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM letters WHERE body = 'gone' AND person <> ?", n).Scan(&others))
				require.Equal(t, []int{letters, (n - 1) * letters}, []int{masked, others})
			}
			t.Logf("it was killed %d times, %d times while it worked", s.Kills, working)
			files, err := os.ReadDir(filepath.Join(s.Data, "fides_uploads"))
			require.NoError(t, err)
			require.Len(t, files, 2*(rounds+1), "packages, each with its manifest")
		})
	}
}

// finished counts how often the trail says that a request was finished.
func finished(t *testing.T, s *servertest.Server, id string) int {
	t.Helper()
	text := s.Call(t, http.MethodGet, api+"/privacy-request?verbose=true&id="+id, nil, http.StatusOK)
	var list struct {
		Items []struct{ Results map[string][]any }
	}
	readJSON(t, text, &list)
	require.Len(t, list.Items, 1)
	return len(list.Items[0].Results["Request finished"])
}

// makePost makes a database of people and their letters in the folder of a
// server.
func makePost(t *testing.T, dir string, people int) *sql.DB {
	t.Helper()
	dir = filepath.Join(dir, "databases") // where the server has them
	require.NoError(t, os.MkdirAll(dir, 0o700))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "people.db")+"?_pragma=busy_timeout(300000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	for _, text := range []string{
		"CREATE TABLE people (id INTEGER PRIMARY KEY, email TEXT, name TEXT)",
		"CREATE TABLE letters (id INTEGER PRIMARY KEY, person INTEGER, body TEXT)",
		"CREATE INDEX letters_person ON letters (person)",
		"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < ?1) INSERT INTO people SELECT i, 'person' || i || '@example.com', 'Person ' || i FROM n",
		fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < (?1+1)*%d-1) INSERT INTO letters SELECT i, i/%[1]d, 'letter ' || i FROM n", letters),
	} {
		var args []any
		if strings.Contains(text, "?1") {
			args = append(args, people)
		}
		_, err := db.ExecContext(t.Context(), text, args...)
		require.NoError(t, err, text)
	}
	return db
}

// configurePost configures what hands letters over, and what masks them.
func configurePost(t *testing.T, s *servertest.Server) {
	t.Helper()
	configurePeople(t, s)
	for path, body := range map[string]string{
		"/connection/people/dataset": "[" + strings.TrimSuffix(peopleDataset, "]}") + `,{"name":"letters","fields":[
			{"name":"id","data_categories":["system.operations"],"fides_meta":{"primary_key":true,"data_type":"integer"}},
			{"name":"person","data_categories":["system.operations"],"fides_meta":{"data_type":"integer","references":[{"dataset":"people","field":"people.id","direction":"from"}]}},
			{"name":"body","data_categories":["user.content"],"fides_meta":{"data_type":"string"}}]}]}]`,
		"/policy": `[{"name":"Forget","key":"forget","rules":[{"name":"Letters","key":"letters","action_type":"erasure",
			"masking_strategy":{"strategy":"string_rewrite","configuration":{"rewrite_value":"gone"}},"targets":[{"data_category":"user.content"}]}]}]`,
	} {
		require.NotContains(t, s.Call(t, http.MethodPatch, api+path, body, http.StatusOK), `"failed":[{`)
	}
}

// wholePost requires that a package holds everything of a person.
func wholePost(t *testing.T, text string, person int) {
	t.Helper()
	var got map[string][]map[string]any
	readJSON(t, text, &got)
	require.Equal(t, []map[string]any{{"id": float64(person), "email": fmt.Sprintf("person%d@example.com", person), "name": fmt.Sprintf("Person %d", person)}}, got["people:people"])
	want := make([]map[string]any, letters)
	for i := range want {
		want[i] = map[string]any{"body": fmt.Sprintf("letter %d", person*letters+i)}
	}
	require.ElementsMatch(t, texts(t, want), texts(t, got["people:letters"]))
}

func texts(t *testing.T, rows []map[string]any) []string {
	t.Helper()
	all := make([]string, len(rows))
	for i, row := range rows {
		text, err := json.Marshal(row)
		require.NoError(t, err)
		all[i] = string(text)
	}
	return all
}

// Two servers share a PostgreSQL store: each uses what the other one configures,
// and goes on with it when the other one is killed.
func TestServersShareWhatIsConfigured(t *testing.T) {
	t.Parallel()
	opts := servertest.Options{Program: servertest.Build(t), Data: filepath.Join(t.TempDir(), "data"), Store: dbtest.PostgresDSN(t)}
	makePeople(t, opts.Data)
	both := servertest.StartAll(t, opts, 2) // both make what is not there yet
	one, two := both[0], both[1]
	one.LogIn(t, servertest.RootID, servertest.RootSecret)
	two.Token = one.Token
	configurePeople(t, one)

	const all = `{"people:people":[{"id":1,"email":"jane@example.com","name":"Jane"}]}`
	answers := func(s *servertest.Server, policy, want string) {
		t.Helper()
		id := submit(t, s, policy, "jane@example.com")
		require.JSONEq(t, want, s.Packed(t, id))
		waitComplete(t, s, id)
	}
	for _, path := range []string{"/connection?size=100", "/connection/people/dataset?size=100", "/policy?size=100", "/storage/config?size=100"} {
		require.Equal(t, one.Call(t, http.MethodGet, api+path, nil, http.StatusOK), two.Call(t, http.MethodGet, api+path, nil, http.StatusOK))
	}
	for range 3 {
		answers(one, "copy", all)
		answers(two, "copy", all)
	}

	// What one was told last, two uses alone.
	const target = "/policy/copy/rule/copy_rule/target"
	one.Call(t, http.MethodDelete, api+target+"/copy_target", nil, http.StatusNoContent)
	one.Call(t, http.MethodPatch, api+target, `[{"data_category":"user.name"}]`, http.StatusOK)
	one.Kill(t)
	answers(two, "copy", `{"people:people":[{"name":"Jane"}]}`)
	two.Call(t, http.MethodPatch, api+target, `[{"data_category":"user.contact"}]`, http.StatusOK)
	one.Start(t)
	two.Kill(t)
	answers(one, "copy", `{"people:people":[{"email":"jane@example.com","name":"Jane"}]}`)
	two.Start(t)

	// What one is working on when it is killed, two takes over.
	id := submit(t, one, "copy", "jane@example.com")
	one.Kill(t)
	require.JSONEq(t, `{"people:people":[{"email":"jane@example.com","name":"Jane"}]}`, two.Packed(t, id))
	waitComplete(t, two, id)
	one.Start(t)

	// A token that ends at one ends at two, and a client that is deleted.
	made := servertest.Object(t, one.Call(t, http.MethodPost, api+"/oauth/client", `["connection:read"]`, http.StatusOK))
	name, _ := made["client_id"].(string)
	secret, _ := made["client_secret"].(string)
	script := &servertest.Server{Options: opts, URL: two.URL}
	script.LogIn(t, name, secret)
	script.Call(t, http.MethodGet, api+"/connection", nil, http.StatusOK)
	one.Call(t, http.MethodDelete, api+"/oauth/client/"+name+"/token", nil, http.StatusOK)
	script.Call(t, http.MethodGet, api+"/connection", nil, http.StatusForbidden)
	one.Call(t, http.MethodDelete, api+"/oauth/client/"+name, nil, http.StatusOK)
	script.Token = ""
	script.Call(t, http.MethodPost, api+"/oauth/token", servertest.Form("grant_type=client_credentials&client_id="+name+"&client_secret="+secret), http.StatusUnauthorized)
}
