package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// overtaken is a store at which somebody else does something just before secrets
// are read.
type overtaken struct {
	dsr.Store
	by atomic.Pointer[func()]
}

// Entries implements [dsr.EntryStore].
func (o *overtaken) Entries(ctx context.Context, q dsr.EntryQuery) ([]dsr.Entry, error) {
	if strings.Contains(q.Kind, "secret") {
		if by := o.by.Swap(nil); by != nil {
			(*by)()
		}
	}
	return o.Store.Entries(ctx, q)
}

// anotherProcess is one over the same store: updates of one process wait for each
// other.
func anotherProcess(t *testing.T, k *desk) *dsr.Engine {
	t.Helper()
	engine, err := dsr.New(k.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func TestAConnectionThatIsDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"PATCH", "/connection/crm/secret?verify=false", `{"host":"there","password":"` + canary + `"}`, http.StatusNotFound},
		{"GET", "/connection/crm", nil, http.StatusOK},
		{"GET", "/connection", nil, http.StatusOK},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			o := &overtaken{}
			desk := configurable(t, func(k *desk) {
				o.Store = k.store
				k.config.Store = o
			}).caller(t)
			desk.does(t, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write"}]`)
			desk.does(t, "PUT", "/connection/crm/secret?verify=false", secretsBody)
			other := anotherProcess(t, desk.desk)
			by := func() {
				_, err := other.Catalogue().Update(t.Context(), func(defs *dsr.Definitions) error {
					delete(defs.Connections, "crm")
					return nil
				})
				require.NoError(t, err)
			}
			o.by.Store(&by)
			a := desk.send(t, desk.token, c.method, "/api/v1"+c.path, c.body)
			require.Equal(t, c.status, a.Status, a.Body)
		})
	}
}

// outrun is a store at which somebody else does something just before entries are
// saved.
type outrun struct {
	dsr.Store
	by atomic.Pointer[func()]
}

// SaveEntries implements [dsr.EntryStore].
func (o *outrun) SaveEntries(ctx context.Context, changes []dsr.EntryChange) (int64, error) {
	if by := o.by.Swap(nil); by != nil {
		(*by)()
	}
	return o.Store.SaveEntries(ctx, changes)
}

// Secrets are judged by those that they take the place of, not by those that
// there were when the call came in.
func TestSecretsThatOthersChangeMeanwhile(t *testing.T) {
	t.Parallel()
	const item = `"key":"crm","name":"Ours","connection_type":"postgres","access":"write"`
	const shown = `{"host":"db.internal","port":"5432","ssl":"true","password":"**********"}`
	for _, test := range []struct{ name, body, loc, want string }{
		{"what is shown no more", `[{` + item + `,"secrets":` + shown + `}]`, `"body",0,"secrets","password"`, "It is masked: give the secret itself, or all as they are shown."},
		{"what the type refuses now", `[{` + item + `,"secrets":{"host":"db.internal","password":"` + canary + `"}}]`, `"body",0,"secrets"`, "no secrets for what was told options"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := &outrun{}
			c := configurable(t, func(k *desk) {
				o.Store, k.config.Store = k.store, o
				of := k.config.ConnectionTypes["postgres"]
				connect := of.Connect
				of.CheckOptions = func(json.RawMessage) error { return nil }
				of.Connect = func(s dsr.ConnectionSettings) (dsr.Connector, error) {
					if s.Options != nil {
						return nil, errors.New("no secrets for what was told options")
					}
					return connect(s)
				}
				k.config.ConnectionTypes["postgres"] = of
			}).caller(t)
			c.does(t, "PATCH", "/connection", crmBody)
			c.does(t, "PUT", "/connection/crm/secret?verify=false", secretsBody)
			other := anotherProcess(t, c.desk)
			by := func() {
				_, err := other.Catalogue().Update(t.Context(), func(defs *dsr.Definitions) error {
					crm := defs.Connections["crm"]
					crm.Secrets, crm.Options = dsr.Secrets{"host": "elsewhere", "password": "theirs"}, json.RawMessage("{}")
					return nil
				})
				require.NoError(t, err)
			}
			o.by.Store(&by)
			a := c.send(t, c.token, "PATCH", "/api/v1/connection", test.body)
			require.JSONEq(t, `{"detail":[{"type":"value_error","loc":[`+test.loc+`],"msg":"Value error, `+test.want+`"}]}`, a.Body)
			secrets, err := c.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, "crm")
			require.NoError(t, err)
			require.Equal(t, "theirs", secrets["password"])
		})
	}
}
