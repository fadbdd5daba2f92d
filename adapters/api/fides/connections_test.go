package fides_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/webhook"
	"github.com/godsr/dsr/storage"
)

const secretsBody = `{"host":"db.internal","port":5432,"ssl":true,"password":"` + canary + `"}`

const secretsShown = `"secrets":{"host":"db.internal","password":"**********","port":"5432","ssl":"true"}`

func TestConnectionsAreCreatedChangedAndKept(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.wants(t, ok, `{"succeeded":[`+crmView()+`],"failed":[]}`, "PATCH", "/connection", crmBody)
	c.wants(t, ok, `{"succeeded":[`+crmView(`"Our CRM"`, `"Manual privacy request ConnectionConfig"`, `"crm"`, `"manual_request_key"`, `"postgres"`, `"manual_request"`, `"write"`, `"read"`)+`],"failed":[]}`,
		"POST", "/connection", `[{"name": "Manual privacy request ConnectionConfig", "key": "manual_request_key", "connection_type": "manual_request", "access": "read"}]`)
	k.wait(time.Hour)
	changed := crmView(`"updated_at":"2026-03-01T12`, `"updated_at":"2026-03-01T13`, `"disabled":false`, `"disabled":true`, `"description":null`, `"description":"Old"`, `"write"`, `"read"`)
	c.wants(t, ok, `{"succeeded":[`+changed+`],"failed":[]}`, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"read","disabled":true,"description":"Old"}]`)
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, defs.Version)
	require.True(t, defs.Connections["crm"].ReadOnly)

	k.restart(t)
	c.wants(t, ok, strings.TrimSuffix(changed, "}")+`,"system_key":null}`, "GET", "/connection/crm", nil)
	c.wants(t, 404, detail("No connection configuration found with key 'none'."), "GET", "/connection/none", nil)
	c.wants(t, 404, detail("No connection configuration found with key 'none'."), "DELETE", "/connection/none", nil)
	c.wants(t, 404, detail("No connection configuration found with key 'none'."), "GET", "/connection/none/test", nil)
	c.wants(t, 404, detail("No connection config found with key none"), "PUT", "/connection/none/secret", `{}`)
	c.wants(t, 204, ``, "DELETE", "/connection/crm", nil)
	k.restart(t)
	c.wants(t, 404, detail("No connection configuration found with key 'crm'."), "GET", "/connection/crm", nil)
}

func TestEveryConnectionOfABulkIsJudgedForItself(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", crmBody)
	item := func(more string) string { return `{` + more + `,"access":"write"}` }
	sent := func(more string) string { return `{"access":"write",` + more + `}` }
	c.wants(t, ok, `{"succeeded":[`+crmView(`"Our CRM"`, `"Second Shop"`, `"crm"`, `"second_shop"`, `"secrets":null`, `"secrets":{"host":"here","password":"**********"}`)+`],"failed":[`+strings.Join([]string{
		`{"message":"Key crm already exists in ConnectionConfig. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name.","data":` + sent(`"connection_type":"postgres","name":"CRM"`) + `}`,
		`{"message":"ConnectionConfig requires a name.","data":` + sent(`"connection_type":"postgres"`) + `}`,
		`{"message":"It comes from the host's configuration and cannot be changed here.","data":` + sent(`"connection_type":"postgres","key":"shop"`) + `}`,
		`{"message":"The type of a connection cannot be changed: 'crm' is of type 'postgres'. Delete it first.","data":` + sent(`"connection_type":"https","key":"crm"`) + `}`,
	}, ",")+`]}`, "PATCH", "/connection", `[`+strings.Join([]string{
		item(`"name":"Second Shop","connection_type":"postgres","secrets":{"host":"here","password":"` + canary + `"}`),
		item(`"name":"CRM","connection_type":"postgres"`), item(`"connection_type":"postgres"`),
		item(`"key":"shop","connection_type":"postgres","secrets":{"host":"here","password":"` + canary + `"}`), item(`"key":"crm","connection_type":"https"`),
	}, ",")+`]`)
	require.NotContains(t, k.logs.String(), canary)

	many := strings.Repeat(strings.Trim(crmBody, "[]")+",", 50)
	c.wants(t, 422, `{"detail":[{"type":"too_long","loc":["body"],"msg":"List should have at most 50 items after validation, not 51"}]}`,
		"PATCH", "/connection", `[`+many+strings.Trim(crmBody, "[]")+`]`)
}

func TestNothingOfAConnectionThatDoesNotValidateIsKept(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body",1,"connection_type"],"msg":"Input should be 'https', 'manual_request', 'manual_webhook' or 'postgres'"}]}`,
		"PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write"},{"key":"a","connection_type":"oracle","access":"read"}]`)
	c.wants(t, 422, `{"detail":[`+strings.Join([]string{
		`{"type":"missing","loc":["body",1,"secrets","password"],"msg":"Field required"}`,
		`{"type":"extra_forbidden","loc":["body",1,"secrets","colour"],"msg":"Extra inputs are not permitted"}`,
	}, ",")+`]}`, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write"},
		{"key":"b","connection_type":"postgres","access":"read","secrets":{"host":"h","colour":"red"}}]`)
	c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body",0,"key"],"msg":"Value error, FidesKeys must only contain alphanumeric characters, '.', '_', '\u003c', '\u003e' or '-'."}]}`,
		"PATCH", "/connection", `[{"key":"a b","connection_type":"postgres","access":"write"}]`)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body",0,"access"],"msg":"Input should be 'read' or 'write'"},`+
		`{"type":"missing","loc":["body",0,"connection_type"],"msg":"Field required"},{"type":"extra_forbidden","loc":["body",0,"color"],"msg":"Extra inputs are not permitted"}]}`,
		"PATCH", "/connection", `[{"key":"a","access":"admin","color":1}]`)
	c.wants(t, ok, pages(shopView, 1, 50), "GET", "/connection", nil)
}

// boastingError quotes a secret, which it promises not to do.
type boastingError string

func (e boastingError) Error() string  { return "boasting: " + e.Reason() }
func (e boastingError) Reason() string { return "it is not " + string(e) }

// What a type does not take is refused when it is set, and not stored.
func TestSecretsThatTheTypeDoesNotTakeAreRefused(t *testing.T) {
	t.Parallel()
	closed := 0
	k := configurable(t, func(k *desk) {
		https := k.config.ConnectionTypes["https"]
		https.Hook = func(s dsr.ConnectionSettings) (dsr.Hook, error) {
			switch {
			case strings.HasPrefix(s.Secrets["url"], "http://"):
				return nil, errors.New("the URL must begin with https://; the authorization was " + s.Secrets["authorization"])
			case s.Secrets["url"] == "reason": // of its own, which is to quote nothing
				return nil, boastingError(s.Secrets["authorization"])
			case s.Secrets["url"] == "later":
				return nil, fmt.Errorf("%w: the network is down", dsr.ErrUnavailable)
			}
			return &closingHook{closed: &closed}, nil
		}
		k.config.ConnectionTypes["https"] = https
	})
	c := k.caller(t)
	refused := func(loc string) string {
		return `{"detail":[{"type":"value_error","loc":` + loc + `,"msg":"Value error, the URL must begin with https://; the authorization was **********"}]}`
	}
	c.does(t, "PATCH", "/connection", `[{"key":"tickets","name":"Tickets","connection_type":"https","access":"write"}]`)
	wrong, state := `{"url":"http://tickets.example.com","authorization":"`+canary+`"}`, k.state(t)
	for _, method := range []string{"PUT", "PATCH"} {
		c.wants(t, 422, refused(`["body"]`), method, "/connection/tickets/secret", wrong)
	}
	c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, The reason is withheld: it could show a secret. Nothing was stored."}]}`,
		"PUT", "/connection/tickets/secret", `{"url":"http://tickets.example.com","authorization":"t"}`)
	for authorization, shown := range map[string]string{canary: "**********", "t": "t"} {
		c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, it is not `+shown+`"}]}`,
			"PUT", "/connection/tickets/secret", `{"url":"reason","authorization":"`+authorization+`"}`)
	}
	c.wants(t, 422, refused(`["body",1,"secrets"]`), "PATCH", "/connection",
		`[{"key":"crm","connection_type":"postgres","access":"write"},{"key":"tickets","connection_type":"https","access":"write","secrets":`+wrong+`}]`)
	require.Equal(t, state, k.state(t), "something was written")
	require.Zero(t, closed)

	c.does(t, "PUT", "/connection/tickets/secret?verify=false", `{"url":"https://tickets.example.com"}`)
	require.Equal(t, 1, closed, "what was made to try is closed")
	c.does(t, "PUT", "/connection/tickets/secret?verify=false", `{"url":"later"}`)
	require.NotContains(t, k.logs.String(), canary)
}

// closingHook counts how often it is closed.
type closingHook struct {
	silentHook
	closed *int
}

func (h *closingHook) Close() error {
	*h.closed++
	return nil
}

// What a type says of its settings in words of its own is shown, also where these
// hold a secret by chance.
func TestAReasonOfTheTypeIsNotWithheld(t *testing.T) {
	t.Parallel()
	c := configurable(t, func(k *desk) { k.config.ConnectionTypes["https"] = webhook.ConnectionType(nil) }).caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"hook","connection_type":"https","access":"write"}]`)
	for address, want := range map[string]string{
		"http://example.com/x":             "over http anybody on its way could read it",
		"https://crm.shop.example:99999/x": "the port is none from 1 to 65535",
	} {
		c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, the URL cannot be called: it is refused: `+want+`"}]}`,
			"PUT", "/connection/hook/secret", `{"url":"`+address+`","authorization":"t"}`)
	}
}

func TestConnectionsAreListedByFilters(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[
		{"name":"beta","key":"b","connection_type":"postgres","access":"write","description":"The old one","secrets":{"host":"here","password":"x"}},
		{"name":"alpha","key":"a","connection_type":"postgres","access":"write","secrets":{"host":"nowhere","password":"x"}},
		{"name":"hook","key":"h","connection_type":"https","access":"write","disabled":true},
		{"name":"paper","key":"p","connection_type":"manual_webhook","access":"write"}]`)
	c.does(t, "GET", "/connection/a/test", nil)
	c.does(t, "GET", "/connection/b/test", nil)
	for query, want := range map[string]string{
		"": "a b h p shop", "search=OLD": "b", "search=alp": "a", "search=%25": "", "disabled=true": "h", "disabled=false": "a b p shop",
		"test_status=passed": "b", "test_status=failed": "a", "test_status=untested": "h p shop", "system_type=database": "a b shop",
		"system_type=manual": "h p", "system_type=saas": "", "orphaned_from_system=true": "a b h p shop", "orphaned_from_system=false": "",
		"connection_type=https&connection_type=MANUAL_webhook": "h p", "connection_type=mongodb": "", "size=2&page=2": "h p", "size=2&page=9": "",
	} {
		var keys []string
		for _, part := range strings.Split(c.does(t, "GET", "/connection?"+query, nil), `"key":"`)[1:] {
			keys = append(keys, part[:strings.Index(part, `"`)])
		}
		require.Equal(t, want, strings.Join(keys, " "), query)
	}
	c.wants(t, 422, `{"detail":[{"type":"extra_forbidden","loc":["query","name"],"msg":"Extra inputs are not permitted"}]}`, "GET", "/connection?name=a", nil)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["query","test_status"],"msg":"Input should be 'passed', 'failed' or 'untested'"}]}`, "GET", "/connection?test_status=ok", nil)
}

func TestSecretsAreSetMergedTestedAndNeverShown(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", crmBody)
	const updated = `"msg":"Secrets updated for ConnectionConfig with key: crm."`
	c.wants(t, ok, `{`+updated+`,"test_status":null,"failure_reason":null}`, "PUT", "/connection/crm/secret?verify=false", secretsBody)
	c.wants(t, ok, strings.TrimSuffix(crmView(`"secrets":null`, secretsShown), "}")+`,"system_key":null}`, "GET", "/connection/crm", nil)
	c.wants(t, ok, `{`+updated+`,"test_status":"succeeded","failure_reason":null}`, "PUT", "/connection/crm/secret", secretsBody)
	c.wants(t, ok, `{`+updated+`,"test_status":"failed","failure_reason":"no such host; tried **********"}`, "PATCH", "/connection/crm/secret?verify=true", `{"host":"nowhere","ssl":null,"password":"`+canary+`"}`)
	c.wants(t, ok, pages(crmView(`"secrets":null`, strings.Replace(secretsShown, "db.internal", "nowhere", 1),
		`"last_test_timestamp":null,"last_test_succeeded":null`, `"last_test_timestamp":"2026-03-01T12:00:00.000000Z","last_test_succeeded":false`), 1, 50), "GET", "/connection?search=crm", nil)
	secrets, err := k.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueConnection, "crm")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"host": "nowhere", "port": "5432", "ssl": "true", "password": canary}, map[string]string(secrets))

	k.restart(t)
	c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: crm.","test_status":"failed","failure_reason":"no such host; tried **********"}`, "GET", "/connection/crm/test", nil)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body","host"],"msg":"Field required"},{"type":"missing","loc":["body","password"],"msg":"Field required"},`+
		`{"type":"extra_forbidden","loc":["body","user"],"msg":"Extra inputs are not permitted"}]}`, "PUT", "/connection/crm/secret", `{"user":"u"}`)
	c.wants(t, 422, `{"detail":[{"type":"value_error","loc":["body","host"],"msg":"Value error, Input should be a valid string, a valid number or a valid boolean"}]}`, "PUT", "/connection/crm/secret", `{"host":["`+canary+`"]}`)
	c.wants(t, 409, detail("It comes from the host's configuration and cannot be changed here."), "PUT", "/connection/shop/secret", secretsBody)
	c.wants(t, 409, detail("It comes from the host's configuration and cannot be changed here."), "DELETE", "/connection/shop", nil)
	require.NotContains(t, k.logs.String(), canary)
}

// Where a mask would tell the secret, or leave nothing to read, there is no reason
// at all.
func TestSecretsThatAReasonHoldsByChance(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", crmBody)
	const withheld = "The reason is withheld: it could show a secret. The log of what this leads to says more."
	for password, want := range map[string]string{
		"e": withheld, " ": withheld, "host; t": withheld, "such host": withheld, "nowhere": withheld, "shown-with-a-7": withheld,
		"Secret 8": "no such host; tried **********", "x no such host; tried ": "no such host; tried **********",
	} {
		body, err := json.Marshal(map[string]string{"host": "nowhere", "port": "shown-with-a-7", "password": password})
		require.NoError(t, err)
		var answer struct {
			Reason string `json:"failure_reason"`
		}
		require.NoError(t, json.Unmarshal([]byte(c.does(t, "PUT", "/connection/crm/secret", string(body))), &answer))
		require.Equal(t, want, answer.Reason, password)
	}
}

func TestATestOfAConnectionSaysWhatItFound(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"empty","connection_type":"postgres","access":"write"},{"key":"hook","connection_type":"https","access":"write"},
		{"key":"off","connection_type":"postgres","access":"write","disabled":true},{"key":"paper","connection_type":"manual_webhook","access":"write"}]`)
	for key, want := range map[string]string{
		"shop": `"succeeded","failure_reason":null`, "hook": `"skipped","failure_reason":null`, "off": `"skipped","failure_reason":"The connection is disabled."`,
		"empty": `"failed","failure_reason":"dsr: connection \"empty\" cannot be used: secret \"host\" is missing; secret \"password\" is missing"`,
		"paper": `"failed","failure_reason":"No fields are defined for it."`,
	} {
		c.wants(t, ok, `{"msg":"Test completed for ConnectionConfig with key: `+key+`.","test_status":`+want+`}`, "GET", "/connection/"+key+"/test", nil)
	}
	shown := func() string {
		return strings.Split(strings.Split(c.does(t, "GET", "/connection/empty", nil), `"last_test_timestamp":`)[1], `,"authorized"`)[0]
	}
	version := func() int64 {
		v, err := k.store.CatalogueVersion(t.Context())
		require.NoError(t, err)
		return v
	}
	before := version()
	require.EqualValues(t, 1, before, "tests make no version")
	k.wait(time.Second)
	c.does(t, "GET", "/connection/empty/test", nil)
	require.Equal(t, `"2026-03-01T12:00:00.000000Z","last_test_succeeded":false`, shown(), "one alike is noted once a minute")
	k.wait(time.Minute)
	c.does(t, "GET", "/connection/empty/test", nil)
	k.restart(t)
	require.Equal(t, `"2026-03-01T12:01:01.000000Z","last_test_succeeded":false`, shown())
	c.does(t, "PUT", "/connection/empty/secret?verify=false", `{"host":"here","password":"`+canary+`"}`)
	before++
	k.wait(time.Second)
	c.does(t, "GET", "/connection/empty/test", nil)
	require.Equal(t, `"2026-03-01T12:01:02.000000Z","last_test_succeeded":true`, shown(), "another one is noted at once")
	k.wait(time.Second)
	c.does(t, "PUT", "/connection/empty/secret?verify=true", `{"host":"there","password":"`+canary+`"}`)
	before++
	require.Equal(t, `"2026-03-01T12:01:03.000000Z","last_test_succeeded":true`, shown(), "and so is one of what has changed")
	require.Equal(t, before, version())
	c.wants(t, 204, ``, "DELETE", "/connection/empty", nil)
	c.does(t, "PATCH", "/connection", `[{"key":"empty","connection_type":"postgres","access":"write"}]`)
	require.Equal(t, `null,"last_test_succeeded":null`, shown())
}

func TestDeletingAConnectionTakesItsDatasetsAndLeavesWebhooksWhole(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write","secrets":{"host":"here","password":"x"}},
		{"key":"ask","connection_type":"https","access":"write","secrets":{"url":"https://example.com"}}]`)
	c.does(t, "PATCH", "/connection/crm/dataset", `[`+peopleJSON+`]`)
	_, err := k.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.PreApproval = []dsr.HookDefinition{{Key: "second", Connection: "ask"}, {Key: "first", Connection: "ask"}}
		return nil
	})
	require.NoError(t, err)
	c.wants(t, 409, detail("Connection 'ask' is used by these webhooks: first, second. Delete them first."), "DELETE", "/connection/ask", nil)
	c.wants(t, 204, ``, "DELETE", "/connection/crm", nil)
	c.wants(t, 404, detail("No connection config with key 'crm'"), "GET", "/connection/crm/dataset", nil)
	k.restart(t)
	defs, err := k.engine.Catalogue().Read(t.Context())
	require.NoError(t, err)
	require.NotContains(t, defs.Datasets, "people")
	require.Contains(t, defs.Connections, "ask")
}

// Whoever may delete connections alone deletes no datasets and no forms.
func TestWhatIsDeletedWithAConnectionTakesItsOwnScope(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write"},{"key":"drawer","connection_type":"manual_webhook","access":"write"},
		{"key":"bare","connection_type":"postgres","access":"write"},{"key":"empty","connection_type":"manual_webhook","access":"write"}]`)
	c.does(t, "PATCH", "/connection/crm/dataset", `[{"fides_key":"people","collections":[]}]`)
	c.does(t, "POST", "/connection/drawer/access_manual_webhook", `{"fields":[{"pii_field":"Last Name"}]}`)
	alone := &caller{c.desk, c.desk.token(t, "connection:delete")}
	for key, needs := range map[string]string{"crm": "dataset:delete", "drawer": "webhook:delete"} {
		alone.wants(t, 403, detail("Not Authorized for this action. Required scope(s): [connection:delete, %s]", needs), "DELETE", "/connection/"+key, nil)
		c.does(t, "GET", "/connection/"+key, nil)
	}
	c.does(t, "GET", "/connection/crm/dataset/people", nil)
	c.does(t, "GET", "/connection/drawer/access_manual_webhook", nil)
	alone.wants(t, 204, ``, "DELETE", "/connection/bare", nil)
	alone.wants(t, 204, ``, "DELETE", "/connection/empty", nil)
	datasets, forms := &caller{c.desk, c.desk.token(t, "connection:delete", "dataset:delete")}, &caller{c.desk, c.desk.token(t, "connection:delete", "webhook:delete")}
	forms.wants(t, 403, detail("Not Authorized for this action. Required scope(s): [connection:delete, dataset:delete]"), "DELETE", "/connection/crm", nil)
	datasets.wants(t, 204, ``, "DELETE", "/connection/crm", nil)
	forms.wants(t, 204, ``, "DELETE", "/connection/drawer", nil)
}

func TestConnectionTypesAndWhatTheyTake(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	view := func(key, kind, title string) string {
		return fmt.Sprintf(`{"identifier":%q,"type":%q,"human_readable":%q,"encoded_icon":null,"authorization_required":false,"user_guide":null,`+
			`"supported_actions":["access","erasure"],"category":null,"tags":null,"enabled_features":null,"custom":false,"default_connector_available":false}`, key, kind, title)
	}
	postgres := view("postgres", "database", "PostgreSQL")
	c.wants(t, ok, pages(strings.Join([]string{
		view("https", "manual", "Policy Webhook"), view("manual_request", "manual", "Manual Process"), view("manual_webhook", "manual", "Manual Process"), postgres,
	}, ","), 4, 100), "GET", "/connection_type", nil)
	c.wants(t, ok, pages(postgres, 1, 100), "GET", "/connection_type?search=SQL", nil)
	c.wants(t, ok, pages(postgres, 1, 100), "GET", "/connection_type?system_type=database&access=true&consent=true", nil)
	c.wants(t, ok, pages("", 0, 100), "GET", "/connection_type?consent=true", nil)
	c.wants(t, ok, `{"title":"PostgreSQL","type":"object","properties":{"host":{"title":"Host","type":"string","sensitive":false},`+
		`"password":{"title":"password","type":"string","sensitive":true},"port":{"title":"port","type":"string","sensitive":false},"ssl":{"title":"ssl","type":"string","sensitive":false}},`+
		`"required":["host","password"],"additionalProperties":false}`, "GET", "/connection_type/postgres/secret", nil)
	hooks := configurable(t, func(k *desk) { k.config.ConnectionTypes["https"] = webhook.ConnectionType(nil) }).caller(t)
	require.Contains(t, hooks.does(t, "GET", "/connection_type/https/secret", nil), `"secret":{"title":"Signing secret","type":"string","sensitive":true,`+
		`"description":"What calls are signed with. Needed without the other of authorization and secret: the receiver knows by one of them who calls."}`)
	c.wants(t, 404, detail("No connection type found with name 'oracle'."), "GET", "/connection_type/oracle/secret", nil)
}

func TestAChangeTellsWhatCannotBeUsedSince(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{
			"half": {
				Fields:  []dsr.SecretField{{Name: "path"}},
				Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) { return memory.NewConnector(nil, nil), nil },
			},
			"web": {Hook: func(dsr.ConnectionSettings) (dsr.Hook, error) { return silentHook{}, nil }},
		}
	})
	token := k.token(t)
	sends := func(method, target, body, want string) {
		t.Helper()
		a := k.send(t, token, method, target, body)
		require.Equal(t, 200, a.Status, a.Body)
		require.True(t, strings.HasSuffix(a.Body, want), a.Body)
	}
	sends("PATCH", "/connection", `[{"key":"half","connection_type":"half","access":"write"},{"key":"web","connection_type":"web","access":"write"}]`, `"failed":[]}`)
	const file = `[{"fides_key":"half","collections":[{"name":"people","fields":[{"name":"id"}]}]}]`
	sends("PATCH", "/connection/half/dataset", file,
		`"failed":[],"warnings":[{"collection":null,"field":null,"action":"unusable","message":"dataset half: connection \"half\": secret \"path\" is missing"}]}`)
	sends("PATCH", "/connection/half/dataset", file, `"failed":[],"warnings":[]}`)
	sends("PATCH", "/policy", `[{"name":"Mine","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.name"}]}]}]`, `"failed":[]}`)
	sends("PUT", "/policy/mine/webhook/post_execution", `[{"name":"Told","direction":"one_way","connection_config_key":"web"}]`, `]`)
	sends("PATCH", "/connection", `[{"key":"web","connection_type":"web","access":"write","disabled":true}]`,
		`"failed":[],"warnings":["hook told: connection \"web\" is disabled: it is not called"]}`)
}

func TestWhatATypeSaysIsNoPartOfAWarning(t *testing.T) {
	t.Parallel()
	said := errors.New("dial 10.0.0.7 as " + canary)
	k := newDesk(t, func(k *desk) {
		k.config.ConnectionTypes = map[string]dsr.ConnectionType{
			"bad":  {Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) { return nil, said }},
			"deaf": {Hook: func(dsr.ConnectionSettings) (dsr.Hook, error) { return nil, said }},
		}
		k.config.DestinationTypes = map[string]dsr.DestinationType{
			"shut": {Open: func(dsr.DestinationSettings) (storage.Destination, error) { return nil, said }},
		}
	})
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"bad","connection_type":"bad","access":"write"},{"key":"deaf","connection_type":"deaf","access":"write","disabled":true}]`)
	a := c.does(t, "PATCH", "/connection/bad/dataset", `[{"fides_key":"bad","collections":[{"name":"people","fields":[{"name":"id"}]}]}]`)
	require.Contains(t, a, `"warnings":[{"collection":null,"field":null,"action":"unusable","message":"dataset bad: connection \"bad\": it cannot be opened"}]`)
	c.does(t, "PATCH", "/policy", `[{"name":"Mine","rules":[{"name":"R","action_type":"access","targets":[{"data_category":"user.name"}]}]}]`)
	c.does(t, "PUT", "/policy/mine/webhook/post_execution", `[{"name":"Told","direction":"one_way","connection_config_key":"deaf"}]`)
	a = c.does(t, "PATCH", "/connection", `[{"key":"deaf","connection_type":"deaf","access":"write","disabled":false}]`)
	require.Contains(t, a, `"warnings":["hook told: connection \"deaf\": it cannot be called"]`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Shut","key":"shut","type":"shut","details":{}}]`)

	// Whatever the words: reasons hold none of it.
	problems, err := k.engine.Catalogue().Problems(t.Context())
	require.NoError(t, err)
	var caused []string
	for _, p := range problems {
		require.NotContains(t, p.Reason, "dial")
		if p.Cause != "" {
			require.Equal(t, said.Error(), p.Cause)
			caused = append(caused, string(p.Kind)+" "+p.Key)
		}
	}
	require.Equal(t, []string{"destination shut", "connection bad", "connection deaf", "dataset bad", "hook told"}, caused)

	// Nor do those read it who may do no more than create requests.
	refused := k.send(t, k.token(t, "privacy-request:create"), "POST", "/api/v1/privacy-request",
		`[{"policy_key":"access","identity":{"email":"nia.vale@example.com"}}]`)
	require.Contains(t, refused.Body, `"succeeded":[],"failed":[{"message":"`)
	require.Contains(t, refused.Body, `dataset bad: it cannot be used: connection \"bad\": it cannot be opened; `)
	require.Contains(t, refused.Body, `hook told: it cannot be called: connection \"deaf\": it cannot be called`)
	require.NotContains(t, refused.Body, "dial")
	require.NotContains(t, refused.Body, canary)
}

// What another answer holds of a connection or a destination tells no more than
// their own routes would tell the same caller.
func TestWhatIsPartOfAnotherAnswerKeepsItsOwnScope(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/connection", `[{"key":"ask","connection_type":"https","access":"write","secrets":{"url":"https://inner.example.com"}},
		{"key":"crm","connection_type":"postgres","access":"write","secrets":{"host":"inner.example.com","password":"x"}},
		{"key":"drawer","connection_type":"manual_webhook","access":"write"}]`)
	c.does(t, "PATCH", "/storage/config", `[{"key":"bucket","name":"B","type":"s3","details":{"bucket":"inner.example.com","auth_method":"a"}}]`)
	rule := `{"name":"R","key":"r","action_type":"access","storage_destination_key":"bucket"}`
	c.does(t, "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine","rules":[`+rule+`]}]`)
	hook := `[{"key":"h","name":"H","direction":"one_way","connection_config_key":"ask"}]`
	c.does(t, "PUT", "/dsr/policy/mine/webhook/pre_execution", hook)
	early := `[{"key":"early","name":"E","connection_config_key":"ask"}]`
	c.does(t, "PUT", "/dsr/webhook/pre_approval", early)
	c.does(t, "POST", "/connection/drawer/access_manual_webhook", `{"fields":[{"pii_field":"Last Name"}]}`)
	crm := `[{"key":"crm","connection_type":"postgres","access":"write"}]`
	for _, test := range []struct{ scope, reads, method, target, body string }{
		{"connection:create_or_update", "connection:read", "PATCH", "/connection", crm},
		{"webhook:read", "connection:read", "GET", "/dsr/policy/mine/webhook/pre_execution", ""},
		{"webhook:read", "connection:read", "GET", "/dsr/policy/mine/webhook/pre_execution/h", ""},
		{"webhook:create_or_update", "connection:read", "PUT", "/dsr/policy/mine/webhook/pre_execution", hook},
		{"webhook:create_or_update", "connection:read", "PATCH", "/dsr/policy/mine/webhook/pre_execution/h", `{}`},
		{"webhook:read", "connection:read", "GET", "/dsr/webhook/pre_approval", ""},
		{"webhook:read", "connection:read", "GET", "/dsr/webhook/pre_approval/early", ""},
		{"webhook:create_or_update", "connection:read", "PUT", "/dsr/webhook/pre_approval", early},
		{"webhook:create_or_update", "connection:read", "PATCH", "/dsr/webhook/pre_approval/early", `{}`},
		{"policy:read", "storage:read", "GET", "/dsr/policy", ""},
		{"policy:read", "storage:read", "GET", "/dsr/policy/mine", ""},
		{"policy:create_or_update", "storage:read", "PATCH", "/dsr/policy", `[{"name":"Mine","key":"mine"}]`},
		{"rule:read", "storage:read", "GET", "/dsr/policy/mine/rule", ""},
		{"rule:read", "storage:read", "GET", "/dsr/policy/mine/rule/r", ""},
		{"rule:create_or_update", "storage:read", "PATCH", "/dsr/policy/mine/rule", `[` + rule + `]`},
	} {
		some, both := &caller{c.desk, c.desk.token(t, test.scope)}, &caller{c.desk, c.desk.token(t, test.scope, test.reads)}
		const address, hidden = `inner.example.com`, `("secrets":null|"details":\{\})`
		seen := some.does(t, test.method, test.target, test.body)
		require.NotContains(t, seen, address, test.target)
		require.Regexp(t, hidden, seen, test.target)
		require.Contains(t, both.does(t, test.method, test.target, test.body), address, test.target)
	}
	require.Contains(t, c.does(t, "GET", "/connection/crm", nil), "inner.example.com", "what came back without secrets kept them")
	forms := &caller{c.desk, c.desk.token(t, "webhook:read")}
	require.Contains(t, forms.does(t, "GET", "/connection/drawer/access_manual_webhook", nil), `"secrets":null`)
}
