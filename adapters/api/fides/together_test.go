package fides_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/fides"
)

// togetherCall is a call that is made while others are.
type togetherCall struct{ method, path, body string }

// togetherDesk is a desk with a second process over its store.
type togetherDesk struct {
	*caller
	doors [2]*fides.Door
}

func together(t *testing.T) *togetherDesk {
	t.Helper()
	c := configurable(t, nil).caller(t)
	door, err := fides.New(anotherProcess(t, c.desk), &c.options)
	require.NoError(t, err)
	return &togetherDesk{c, [2]*fides.Door{c.door, door}}
}

// atOnce makes all calls, at the two doors by turns.
func (d *togetherDesk) atOnce(t *testing.T, calls ...togetherCall) []*answer {
	t.Helper()
	answers, start := make([]*answer, len(calls)), make(chan struct{})
	var all sync.WaitGroup
	for i, call := range calls {
		r := httptest.NewRequestWithContext(t.Context(), call.method, "/api/v1"+call.path, strings.NewReader(call.body))
		r.Header.Set("Authorization", "Bearer "+d.token)
		if call.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		all.Go(func() {
			<-start
			w := httptest.NewRecorder()
			d.doors[i%2].ServeHTTP(w, r)
			answers[i] = &answer{Status: w.Code, Header: w.Header(), Body: w.Body.String()}
		})
	}
	close(start)
	all.Wait()
	return answers
}

// holds checks that nothing names what there is not, and that what has nothing to
// do with it can still be changed.
func (d *togetherDesk) holds(t *testing.T) {
	t.Helper()
	for _, door := range d.doors {
		r := httptest.NewRequestWithContext(t.Context(), "PATCH", "/api/v1/policy", strings.NewReader(`[{"name":"Unrelated","key":"unrelated"}]`))
		r.Header.Set("Authorization", "Bearer "+d.token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		require.Equal(t, ok, w.Code, w.Body.String())
		require.Contains(t, w.Body.String(), `"failed":[]`)
	}
	defs, err := d.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	for key, dataset := range defs.Datasets {
		require.Contains(t, defs.Connections, dataset.Connection, key)
	}
	for key, policy := range defs.Policies {
		for _, rule := range policy.Rules {
			if rule.Destination != "" {
				require.Contains(t, defs.Destinations, rule.Destination, key)
			}
		}
	}
}

// togetherRounds is how often callers meet. Who comes first differs.
const togetherRounds = 20

func TestWhatIsDeletedWhileItIsNamed(t *testing.T) {
	t.Parallel()
	d := together(t)
	d.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine"}]`)
	for range togetherRounds {
		d.does(t, "PATCH", "/storage/config", `[{"name":"K","key":"k","type":"local","details":{}}]`)
		d.does(t, "PATCH", "/dsr/policy/mine/rule", `[{"name":"R","key":"r","action_type":"access","storage_destination_key":null}]`)
		a := d.atOnce(t,
			togetherCall{"DELETE", "/storage/config/k", ""},
			togetherCall{"PATCH", "/dsr/policy/mine/rule", `[{"name":"R","key":"r","action_type":"access","storage_destination_key":"k"}]`},
		)
		require.Equal(t, ok, a[1].Status, a[1].Body)
		if a[0].Status == http.StatusNoContent {
			require.Contains(t, a[1].Body, `"failed":[{"message":"A StorageConfig with key k does not exist"`)
		} else {
			require.Equal(t, answer{http.StatusConflict, a[0].Header, detail("Storage destination 'k' is used by: rule 'r' of policy 'mine'. Change these first.")}, *a[0])
			require.Contains(t, a[1].Body, `"failed":[]`)
		}
		d.holds(t)
		d.does(t, "DELETE", "/dsr/policy/mine/rule/r", nil)

		d.does(t, "PATCH", "/connection", `[{"key":"k","connection_type":"postgres","access":"write"}]`)
		a = d.atOnce(t,
			togetherCall{"DELETE", "/connection/k", ""},
			togetherCall{"PATCH", "/connection/k/dataset", `[` + peopleJSON + `]`},
		)
		require.Equal(t, http.StatusNoContent, a[0].Status, a[0].Body)
		if a[1].Status != ok {
			require.Equal(t, answer{http.StatusNotFound, a[1].Header, detail("No connection config with key 'k'")}, *a[1])
		}
		d.holds(t)
		require.NotContains(t, d.does(t, "GET", "/connection", nil), `"key":"k"`)
	}
}

func TestWhatFourCreateAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		call   func(i int) togetherCall
		others string
		undo   string // of the one that was created; %d is which
	}{
		"policies of one name": {
			func(i int) togetherCall {
				return togetherCall{"PATCH", "/dsr/policy", fmt.Sprintf(`[{"name":"One","key":"one_%d"}]`, i)}
			},
			"Name One already exists in Policy.", "/dsr/policy/one_%d",
		},
		"policies of one drp_action": {
			func(i int) togetherCall {
				return togetherCall{"PATCH", "/policy", fmt.Sprintf(`[{"name":"One %d","key":"one_%d","drp_action":"access"}]`, i, i)}
			},
			"Policy one_%d has drp_action access already.", "/dsr/policy/one_%d",
		},
		"rules of one key": {
			func(i int) togetherCall {
				return togetherCall{"PATCH", fmt.Sprintf("/dsr/policy/of_%d/rule", i), fmt.Sprintf(`[{"name":"One %d","key":"one","action_type":"access"}]`, i)}
			},
			"Rule with identifier one belongs to another policy.", "/dsr/policy/of_%d/rule/one",
		},
		"connections of one name": {
			func(i int) togetherCall {
				return togetherCall{"PATCH", "/connection", fmt.Sprintf(`[{"name":"One","key":"one_%d","connection_type":"postgres","access":"write"}]`, i)}
			},
			"Name One already exists in ConnectionConfig.", "/connection/one_%d",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := together(t)
			d.does(t, "PATCH", "/dsr/policy", `[{"name":"Of 0"},{"name":"Of 1"},{"name":"Of 2"},{"name":"Of 3"}]`)
			for range togetherRounds {
				answers := d.atOnce(t, test.call(0), test.call(1), test.call(2), test.call(3))
				first := -1
				for i, a := range answers {
					require.Equal(t, ok, a.Status, a.Body)
					if strings.Contains(a.Body, `"failed":[]`) {
						require.Equal(t, -1, first, "two were created")
						first = i
					}
				}
				require.NotEqual(t, -1, first, "none was created")
				message := test.others
				if strings.Contains(message, "%d") {
					message = fmt.Sprintf(message, first)
				}
				for i, a := range answers {
					if i != first {
						require.Contains(t, a.Body, `{"succeeded":[],"failed":[{"message":"`+message+`"`)
					}
				}
				d.holds(t)
				d.does(t, "DELETE", fmt.Sprintf(test.undo, first), nil)
			}
		})
	}
}
