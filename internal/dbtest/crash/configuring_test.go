package crash_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// A server that is killed at any moment while clients configure it starts again,
// has all of what it answered and all or nothing of what it did not, and answers
// requests under it.
func TestCrashServerWhileItIsConfigured(t *testing.T) {
	t.Parallel()
	program := servertest.Build(t)
	for name, store := range map[string]func(t testing.TB) string{
		"SQLite":     func(testing.TB) string { return "" },
		"PostgreSQL": dbtest.PostgresDSN,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed(t), 1))
			var w *changedServer
			var answered, kept, lost int
			for round := range kills(t, 6) {
				if round%5 == 0 { // so that the catalogue does not grow for ever
					w = newChangedServer(t, servertest.Options{Program: program, Store: store(t), Data: filepath.Join(t.TempDir(), "data")}, rnd)
				}
				a, k, l := w.round(t, round, randomTime(rnd, 400*time.Millisecond))
				answered, kept, lost = answered+a, kept+k, lost+l
			}
			t.Logf("%d calls were answered; of others %d were kept and %d lost", answered, kept, lost)
			require.Positive(t, answered)
		})
	}
}

// change is a call that configures, and how to tell what became of it.
type change struct {
	method, path string
	body         any
	// of names what the call replaces or takes away; empty for what makes
	// something.
	of string
	// seen are paths that show it, and state tells what one of them shows.
	seen  []string
	state func(status int, text string) state
	// policy is one that it makes, which requests can be under.
	policy   string
	answered bool
}

// state is how much there is of a change.
type state int

const (
	partly state = iota
	nothing
	wholly
)

// made is the state of what is found once it is made.
func made(status int, _ string) state {
	return map[int]state{http.StatusOK: wholly, http.StatusNotFound: nothing}[status]
}

// removed is the state of what is not found once it is removed.
func removed(status int, _ string) state {
	return map[int]state{http.StatusOK: nothing, http.StatusNotFound: wholly}[status]
}

// replaced is the state of what shows either this or what was there before.
func replaced(done bool) state {
	if done {
		return wholly
	}
	return nothing
}

// bulkSize is how many a call makes.
const bulkSize = 20

// changedServer is a server that clients configure.
type changedServer struct {
	*servertest.Server
	rnd  *rand.Rand
	last map[string]change // of each thing that is replaced
}

// killStarting kills it while it starts, now and then.
func (w *changedServer) killStarting(t *testing.T) {
	t.Helper()
	for range w.rnd.IntN(3) {
		w.KillStarting(t, randomTime(w.rnd, 100*time.Millisecond))
	}
}

// randomTime is a time below a limit.
func randomTime(rnd *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(limit)))
}

const api = "/api/v1"

// newChangedServer starts a server which can answer about a person.
func newChangedServer(t *testing.T, opts servertest.Options, rnd *rand.Rand) *changedServer {
	t.Helper()
	w := &changedServer{Server: &servertest.Server{Options: opts}, rnd: rnd, last: map[string]change{}}
	w.killStarting(t)
	w.Server = servertest.Start(t, opts)
	makePeople(t, w.Data)
	w.LogIn(t, servertest.RootID, servertest.RootSecret)
	configurePeople(t, w.Server)
	w.Call(t, http.MethodPatch, api+"/connection", `[{"name":"Archive","key":"archive","connection_type":"manual_task","access":"write"}]`, http.StatusOK)
	w.Call(t, http.MethodPost, api+"/plus/connection/archive/manual-field", `{"key":"note","label":"Note","field_type":"text","request_type":"access","data_categories":["system.operations"]}`, http.StatusCreated)
	for _, c := range []change{w.patterns("start"), w.hooks("start"), w.task("start")} {
		w.Call(t, c.method, api+c.path, c.body, http.StatusOK)
		w.last[c.of] = c
	}
	return w
}

// configurePeople configures what answers requests under the policy "copy".
func configurePeople(t *testing.T, s *servertest.Server) {
	t.Helper()
	for _, c := range []change{
		{method: http.MethodPatch, path: "/connection", body: `[{"name":"People","key":"people","connection_type":"sqlite","access":"write"},
			{"name":"Shelf","key":"shelf","connection_type":"sqlite","access":"read","disabled":true},
			{"name":"Hook","key":"hook","connection_type":"https","access":"read"}]`},
		{method: http.MethodPut, path: "/connection/people/secret", body: `{"path":"people.db"}`},
		{method: http.MethodPut, path: "/connection/hook/secret?verify=false", body: `{"url":"https://hook.example.com/in","authorization":"word"}`},
		{method: http.MethodPatch, path: "/connection/people/dataset", body: "[" + peopleDataset + "]"},
		{method: http.MethodPatch, path: "/storage/config", body: `[{"name":"Here","key":"here","type":"local","format":"json","details":{"naming":"request_id"}}]`},
		{method: http.MethodPatch, path: "/policy", body: "[" + copyPolicy("copy") + "," + copyPolicy("hooked") + "]"},
	} {
		answer := s.Call(t, c.method, api+c.path, c.body, http.StatusOK)
		require.NotContains(t, answer, `"failed":[{`)
	}
}

// copyPolicy is a policy that hands everything over.
func copyPolicy(key string) string {
	return fmt.Sprintf(`{"name":"Policy %s","key":"%[1]s","rules":[{"name":"Rule %[1]s","key":"%[1]s_rule","action_type":"access",
		"storage_destination_key":"here","targets":[{"data_category":"user","key":"%[1]s_target"}]}]}`, key)
}

// many joins what is made for the numbers of a bulk call.
func many(make func(n int) string) string {
	all := make(0)
	for n := 1; n < bulkSize; n++ {
		all += "," + make(n)
	}
	return "[" + all + "]"
}

// paths are those of what a bulk call makes.
func paths(format, name string) []string {
	var all []string
	for n := range bulkSize {
		all = append(all, fmt.Sprintf(format, fmt.Sprintf("%s_%d", name, n)))
	}
	return all
}

func (w *changedServer) patterns(name string) change {
	var patterns []string
	for n := range bulkSize {
		patterns = append(patterns, fmt.Sprintf("^%s_%d$", name, n))
	}
	want, _ := json.Marshal(map[string]any{"patterns": patterns}) //nolint:errchkjson // strings
	return change{
		method: http.MethodPut, path: "/privacy-request/redaction-patterns", body: string(want), of: "patterns",
		seen: []string{"/privacy-request/redaction-patterns"}, state: func(_ int, text string) state { return replaced(text == string(want)) },
	}
}

// task is what a field of a task is called: in the task and in its dataset.
// Nobody is asked for it.
func (w *changedServer) task(name string) change {
	const at = "/plus/connection/archive/manual-field/note"
	return change{
		method: http.MethodPut, path: at, of: "task", seen: []string{at, "/connection/archive/dataset/archive"},
		body:  fmt.Sprintf(`{"label":"%s","field_type":"text","request_type":"access","data_categories":["system.operations"]}`, name),
		state: func(_ int, text string) state { return replaced(strings.Contains(text, `"`+name+`"`)) },
	}
}

func (w *changedServer) hooks(name string) change {
	const at = "/dsr/policy/hooked/webhook/pre_execution"
	var keys []string
	body := many(func(n int) string {
		keys = append(keys, fmt.Sprintf("%s_%d", name, n))
		return fmt.Sprintf(`{"connection_config_key":"hook","direction":"one_way","key":"%s","name":"%[1]s"}`, keys[n])
	})
	return change{
		method: http.MethodPut, path: at, body: body, of: "hooks", seen: []string{at + "?size=100"},
		state: func(_ int, text string) state {
			var list struct{ Items []struct{ Key string } }
			if json.Unmarshal([]byte(text), &list) != nil || len(list.Items) != len(keys) {
				return nothing
			}
			for i, item := range list.Items {
				if item.Key != keys[i] {
					return nothing
				}
			}
			return wholly
		},
	}
}

// client makes a client, which is told from others by its name.
func client(name string) change {
	return change{
		method: http.MethodPost, path: "/oauth/client", body: fmt.Sprintf(`{"name":"%s","scopes":["connection:read","policy:read","rule:read"]}`, name),
		seen: []string{"/oauth/client?size=100"},
		state: func(_ int, text string) state {
			var list struct {
				Items []struct {
					Name   string
					Scopes []string
				}
			}
			if json.Unmarshal([]byte(text), &list) != nil {
				return partly
			}
			for _, item := range list.Items {
				switch {
				case item.Name == name && len(item.Scopes) == 3:
					return wholly
				case item.Name == name:
					return partly
				}
			}
			return nothing
		},
	}
}

// next is what a client changes as its nth change. What there is once is
// replaced by one of the clients only.
func (w *changedServer) next(who, round, n int) change {
	name := fmt.Sprintf("r%dw%dn%d", round, who, n)
	switch n % 7 {
	case 0:
		return change{
			method: http.MethodPatch, path: "/connection", seen: paths("/connection/%s", name), state: made, body: many(func(n int) string {
				return fmt.Sprintf(`{"name":"%s %d","key":"%[1]s_%[2]d","connection_type":"manual_webhook","access":"read"}`, name, n)
			}),
		}
	case 1:
		return change{
			method: http.MethodPatch, path: "/dsr/policy", policy: name + "_7", state: made, seen: paths("/dsr/policy/%[1]s/rule/%[1]s_rule/target/%[1]s_target", name),
			body: many(func(n int) string { return copyPolicy(fmt.Sprintf("%s_%d", name, n)) }),
		}
	case 2:
		return client(name)
	case 3:
		return change{
			method: http.MethodPatch, path: "/connection/shelf/dataset", seen: paths("/connection/shelf/dataset/%s", name), state: made, body: many(func(n int) string {
				return strings.NewReplacer(`"fides_key":"people"`, fmt.Sprintf(`"fides_key":"%s_%d"`, name, n)).Replace(peopleDataset)
			}),
		}
	case 4:
		return change{
			method: http.MethodPatch, path: "/storage/config", seen: paths("/storage/config/%s", name), state: made, body: many(func(n int) string {
				return fmt.Sprintf(`{"name":"%s %d","key":"%[1]s_%[2]d","type":"local","format":"json","details":{}}`, name, n)
			}),
		}
	case 5:
		switch {
		case who > 0:
			return w.hooks(name)
		case round%2 > 0:
			return w.task(name)
		}
		return w.patterns(name)
	}
	one := fmt.Sprintf("/connection/r%dw%dn%d_3", round, who, n-6)
	return change{method: http.MethodDelete, path: one, of: one, seen: []string{one}, state: removed}
}

// round lets clients configure the server until it is killed, and counts what
// it answered, and what it kept and lost of what it did not.
func (w *changedServer) round(t *testing.T, round int, after time.Duration) (answered, kept, lost int) {
	t.Helper()
	const clients = 2
	called := make([][]change, clients)
	faults := make([]string, clients)
	var all sync.WaitGroup
	ready := make(chan struct{})
	begun := sync.OnceFunc(func() { close(ready) }) // a call was answered, or none will be
	for who := range clients {
		all.Go(func() {
			defer begun()
			for n := 0; ; n++ {
				c := w.next(who, round, n)
				status, answer, err := w.Send(t.Context(), c.method, api+c.path, c.body)
				if c.answered = err == nil; c.answered && (status > 299 || strings.Contains(answer, `"failed":[{`)) {
					faults[who] = fmt.Sprintf("%s %s: %d %s", c.method, c.path, status, answer)
					return
				}
				if called[who] = append(called[who], c); !c.answered {
					return
				}
				begun()
			}
		})
	}
	if round == 0 {
		<-ready // however slow the machine is
	}
	<-time.After(after) // any moment
	w.Kill(t)
	all.Wait()
	require.Empty(t, strings.Join(faults, ""), "before it was killed")
	w.killStarting(t)
	w.Start(t)

	policy, gone := "copy", map[string]bool{}
	for _, changes := range called {
		for _, c := range changes {
			if c.method == http.MethodDelete {
				gone[c.path] = true
			}
			if c.answered {
				answered++
				if w.last[c.of] = c; c.policy != "" {
					policy = c.policy
				}
			}
		}
	}
	for _, changes := range called {
		for _, c := range changes {
			at := fmt.Sprintf("%s %s, killed after %v in round %d", c.method, c.path, after, round)
			if c.of != "" {
				if c.answered {
					continue // the last of them is looked at below
				}
				if w.state(t, c, nil) == wholly {
					w.last[c.of] = c
					kept++
				} else {
					lost++
				}
				continue
			}
			switch got := w.state(t, c, gone); {
			case got == partly, c.answered && got == nothing:
				require.Fail(t, "it is not whole", "%s, answered: %t", at, c.answered)
			case c.answered:
			case got == wholly:
				kept++
			default:
				lost++
			}
		}
	}
	delete(w.last, "")
	for of, c := range w.last {
		require.Equal(t, wholly, w.state(t, c, nil), "%s, killed after %v in round %d", of, after, round)
	}
	id := submit(t, w.Server, policy, "jane@example.com")
	require.JSONEq(t, `{"people:people":[{"id":1,"email":"jane@example.com","name":"Jane"}]}`, w.Packed(t, id))
	waitComplete(t, w.Server, id)
	return answered, kept, lost
}

// state is how much there is of a change, but for what another one takes away.
func (w *changedServer) state(t *testing.T, c change, gone map[string]bool) state {
	t.Helper()
	counts := map[state]int{}
	for _, path := range c.seen {
		if gone[path] {
			continue
		}
		status, text, err := w.Send(t.Context(), http.MethodGet, api+path, nil)
		require.NoError(t, err)
		counts[c.state(status, text)]++
	}
	switch {
	case counts[nothing] == 0 && counts[partly] == 0:
		return wholly
	case counts[wholly] == 0 && counts[partly] == 0:
		return nothing
	}
	return partly
}
