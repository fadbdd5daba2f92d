package fides_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/storage"
)

// canary is a password that may be seen nowhere.
const canary = "pass-canary-77"

// namedDatabase is a database that answers unless its host is called nowhere.
type namedDatabase struct {
	*memory.Connector
	secrets dsr.Secrets
}

func (n *namedDatabase) Ping(context.Context) error {
	if n.secrets["host"] == "nowhere" {
		return errors.New("no such host; tried " + n.secrets["password"])
	}
	return nil
}

// silentHook is told everything and says nothing.
type silentHook struct{}

func (silentHook) Call(context.Context, *dsr.HookCall) (*dsr.HookAnswer, error) { return nil, nil }

// brokenDestination cannot be read.
type brokenDestination struct{ storage.Destination }

func (brokenDestination) Open(context.Context, string) (storage.File, error) {
	return nil, errors.New("access denied")
}

// configurable is a desk whose host has types of everything.
func configurable(t testing.TB, change func(*desk)) *desk {
	t.Helper()
	folder := storage.NewFolder(t.TempDir(), nil)
	return newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{
			"postgres": {
				Title: "PostgreSQL",
				Fields: []dsr.SecretField{
					{Name: "host", Title: "Host"}, {Name: "port", Optional: true}, {Name: "password", Sensitive: true}, {Name: "ssl", Optional: true},
				},
				Connect: func(s dsr.ConnectionSettings) (dsr.Connector, error) {
					rows := map[string][]map[string]any{"people": {{"id": 1, "email": "nia.vale@example.com"}}}
					return &namedDatabase{memory.NewConnector(rows, nil), s.Secrets}, nil
				},
			},
			"https": {
				Title: "Policy Webhook", Fields: []dsr.SecretField{{Name: "url"}, {Name: "authorization", Sensitive: true, Optional: true}},
				Hook: func(dsr.ConnectionSettings) (dsr.Hook, error) { return silentHook{}, nil },
			},
			"manual_webhook": {Title: "Manual Process"},
			"manual_request": {Title: "Manual Process"},
		}
		k.config.DestinationTypes = map[string]dsr.DestinationType{
			"local": {
				Title: "Local folder", Details: []dsr.SecretField{{Name: "naming", Optional: true}},
				Open: func(dsr.DestinationSettings) (storage.Destination, error) { return folder, nil },
			},
			"s3": {
				Title:   "S3",
				Details: []dsr.SecretField{{Name: "bucket"}, {Name: "auth_method"}, {Name: "naming", Optional: true}, {Name: "max_retries", Optional: true}},
				Fields:  []dsr.SecretField{{Name: "aws_access_key_id"}, {Name: "aws_secret_access_key", Sensitive: true}},
				Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
					if s.Secrets["aws_access_key_id"] == "unknown" {
						return brokenDestination{folder}, nil
					}
					return folder, nil
				},
			},
		}
		if change != nil {
			change(k)
		}
	})
}

// restart is another process over the same store.
func (k *desk) restart(t testing.TB) {
	t.Helper()
	var err error
	require.NoError(t, k.engine.Close())
	k.engine, err = dsr.New(k.config)
	require.NoError(t, err)
	k.door, err = fides.New(k.engine, &k.options)
	require.NoError(t, err)
}

// caller sends requests with one token.
type caller struct {
	*desk
	token string
}

func (k *desk) caller(t testing.TB) *caller { return &caller{k, k.token(t)} }

// wants sends a request and wants this answer, of which no secret may be part.
func (c *caller) wants(t testing.TB, status int, want, method, target string, body any) {
	t.Helper()
	a := c.send(t, c.token, method, "/api/v1"+target, body)
	require.Equal(t, want, a.Body, "%s %s", method, target)
	require.Equal(t, status, a.Status)
	require.NotContains(t, a.Body, canary)
}

// does is wants without a look at what is answered.
func (c *caller) does(t testing.TB, method, target string, body any) string {
	t.Helper()
	a := c.send(t, c.token, method, "/api/v1"+target, body)
	require.Less(t, a.Status, 300, "%s %s: %s", method, target, a.Body)
	require.NotContains(t, a.Body, `"failed":[{`)
	require.NotContains(t, a.Body, canary)
	return a.Body
}

// detail is what a call is refused with.
func detail(format string, args ...any) string {
	return `{"detail":"` + fmt.Sprintf(format, args...) + `"}`
}

func pages(items string, total, size int) string {
	return fmt.Sprintf(`{"items":[%s],"total":%d,"page":1,"size":%d,"pages":%d}`, items, total, size, (total+size-1)/size)
}

const crmBody = `[{"name":"Our CRM","key":"crm","connection_type":"postgres","access":"write"}]`

// crmView is how the connection of crmBody is shown.
func crmView(change ...string) string {
	v := `{"name":"Our CRM","key":"crm","description":null,"connection_type":"postgres","access":"write","created_at":"2026-03-01T12:00:00.000000Z",` +
		`"updated_at":"2026-03-01T12:00:00.000000Z","disabled":false,"last_test_timestamp":null,"last_test_succeeded":null,"authorized":false,` +
		`"enabled_actions":null,"secrets":null,"saas_config":null,"linked_systems":[]}`
	return strings.NewReplacer(change...).Replace(v)
}

const shopView = `{"name":null,"key":"shop","description":null,"connection_type":null,"access":"write","created_at":null,"updated_at":null,"disabled":false,` +
	`"last_test_timestamp":null,"last_test_succeeded":null,"authorized":false,"enabled_actions":null,"secrets":null,"saas_config":null,"linked_systems":[]}`

const ok = http.StatusOK
