package fides_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

const exampleStorage = `{"name":"Example Storage","key":"example_storage","type":"local","details":{"naming":"request_id"},"format":"json"}`

const (
	exampleView = `{"name":"Example Storage","type":"local","details":{"naming":"request_id"},"key":"example_storage","format":"json","is_default":false}`
	bucketView  = `{"name":"Bucket","type":"s3","details":{"auth_method":"secret_keys","bucket":"b","max_retries":0},"key":"bucket","format":"csv","is_default":false}`
	folderView  = `{"name":"folder","type":null,"details":{},"key":"folder","format":null,"is_default":false}`
)

const bucket = `{"name":"Bucket","type":"s3","details":{"bucket":"b","auth_method":"secret_keys","max_retries":0},"format":"csv"}`

const keysBody = `{"aws_access_key_id":"known","aws_secret_access_key":"` + canary + `"}`

func TestDestinationsAreCreatedChangedAndKept(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.wants(t, ok, `{"succeeded":[`+exampleView+`],"failed":[]}`, "PATCH", "/storage/config", `[`+exampleStorage+`]`)
	c.wait(time.Second)
	c.wants(t, ok, `{"succeeded":[`+bucketView+`],"failed":[{"message":"Name Example Storage already exists in StorageConfig.","data":`+
		`{"details":{},"key":"other","name":"Example Storage","type":"local"}},{"message":"The type of a destination cannot be changed: 'example_storage' is of type 'local'. Delete it first.",`+
		`"data":{"details":{"auth_method":"x","bucket":"b"},"key":"example_storage","name":"E","type":"s3"}},`+
		`{"message":"It comes from the host's configuration and cannot be changed here.","data":{"details":{},"key":"folder","name":"F","type":"local"}},`+
		`{"message":"Key bucket already exists in StorageConfig. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name.",`+
		`"data":{"details":{},"name":"Bucket","type":"local"}}]}`,
		"PATCH", "/storage/config", `[`+bucket+`,{"name":"Example Storage","key":"other","type":"local","details":{}},{"name":"E","key":"example_storage","type":"s3","details":{"bucket":"b","auth_method":"x"}},
		{"name":"F","key":"folder","type":"local","details":{}},{"name":"Bucket","type":"local","details":{}}]`)
	c.restart(t)
	c.wants(t, ok, exampleView, "GET", "/storage/config/example_storage", nil)
	c.wants(t, ok, pages(bucketView+","+exampleView+","+folderView, 3, 50), "GET", "/storage/config", nil)
	html := strings.NewReplacer(`"json"`, `"html"`, "Example Storage", "Renamed")
	c.wants(t, ok, `{"succeeded":[`+html.Replace(exampleView)+`],"failed":[]}`, "PATCH", "/storage/config", `[`+html.Replace(exampleStorage)+`]`)
	c.wants(t, 204, ``, "DELETE", "/storage/config/example_storage", nil)
	c.restart(t)
	c.wants(t, 404, detail("No configuration with key example_storage."), "GET", "/storage/config/example_storage", nil)
	c.wants(t, 404, detail("No configuration with key example_storage."), "DELETE", "/storage/config/example_storage", nil)
	c.wants(t, 409, detail("It comes from the host's configuration and cannot be changed here."), "DELETE", "/storage/config/folder", nil)
}

func TestWhatIsWrongWithDestinations(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body",0,"type"],"msg":"Input should be 'local' or 's3'"}]}`, "PATCH", "/storage/config", `[{"name":"a","type":"ftp","details":{}}]`)
	c.wants(t, 422, `{"detail":[`+strings.Join([]string{
		`{"type":"missing","loc":["body",0,"details","bucket"],"msg":"Field required"}`,
		`{"type":"missing","loc":["body",0,"details","auth_method"],"msg":"Field required"}`,
		`{"type":"extra_forbidden","loc":["body",0,"details","colour"],"msg":"Extra inputs are not permitted"}`,
		`{"type":"value_error","loc":["body",1],"msg":"Value error, Only JSON or HTML upload format are supported for local storage destinations."}`,
	}, ",")+`]}`, "PATCH", "/storage/config", `[{"name":"b","type":"s3","details":{"colour":"red"}},{"name":"c","type":"local","details":{},"format":"csv"},`+bucket+`]`)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body",0,"details"],"msg":"Field required"},{"type":"enum","loc":["body",0,"format"],"msg":"Input should be 'json', 'csv' or 'html'"},`+
		`{"type":"missing","loc":["body",0,"name"],"msg":"Field required"},{"type":"extra_forbidden","loc":["body",0,"default"],"msg":"Extra inputs are not permitted"}]}`,
		"PATCH", "/storage/config", `[{"type":"local","format":"pdf","default":true}]`)
	c.wants(t, ok, pages(folderView, 1, 50), "GET", "/storage/config", nil)
}

func TestPackagesAreNamedAfterTheirRequest(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body",0,"details","naming"],"msg":"Input should be 'request_id'"},`+
		`{"type":"enum","loc":["body",1,"details","naming"],"msg":"Input should be 'request_id'"}]}`, "PATCH", "/storage/config",
		`[{"name":"a","type":"local","details":{"naming":"uuid"}},{"name":"b","type":"s3","details":{"bucket":"b","auth_method":"automatic","naming":""}},`+exampleStorage+`]`)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body","details","naming"],"msg":"Input should be 'request_id'"}]}`,
		"PUT", "/storage/default", `{"type":"local","details":{"naming":"uuid"}}`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"a","type":"local","details":{"naming":null}}]`)
}

// What is told of the name is so, also where there is no default yet, or it was
// given another one.
func TestTheDefaultDestinationKeepsItsName(t *testing.T) {
	t.Parallel()
	c := configurable(t, func(k *desk) { k.config.Destinations, k.config.Policies = nil, nil }).caller(t)
	told := func(at, what string) string {
		return `{"detail":[{"type":"value_error","loc":["body","` + at + `"],"msg":"Value error, it is told only: ` + what + `"}]}`
	}
	called := "the default destination of this type has the name "
	c.wants(t, 422, told("name", called+"'Default Storage Config [local]'"), "PUT", "/storage/default", `{"name":"L","type":"local","details":{}}`)
	c.wants(t, 422, told("key", "the default destination of this type has the key 'default_storage_config_local'"), "PUT", "/storage/default", `{"key":"l","type":"local","details":{}}`)
	c.wants(t, 422, told("is_default", "what is put here becomes the default destination"), "PUT", "/storage/default", `{"is_default":false,"type":"local","details":{}}`)
	c.does(t, "PUT", "/storage/default", `{"name":"Default Storage Config [local]","type":"local","details":{}}`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Ours","key":"default_storage_config_local","type":"local","details":{}}]`)
	c.wants(t, 422, told("name", called+"'Ours'"), "PUT", "/storage/default", `{"name":"Default Storage Config [local]","type":"local","details":{}}`)
	c.does(t, "PUT", "/storage/default", c.does(t, "GET", "/storage/default/local", nil))
}

// Where nobody chose a default destination, what is told is the one that packages
// go to all the same.
func TestTheDestinationThatCounts(t *testing.T) {
	t.Parallel()
	c := configurable(t, func(k *desk) {
		k.config.Destinations["drawer"] = k.config.Destinations["folder"]
		k.config.Policies = nil // which name none
	}).caller(t)
	c.wants(t, 404, detail("No active default storage config found."), "GET", "/storage/default/active", nil)
	c.wants(t, ok, `{"config_status":"not configured","detail":"No active default storage configuration found"}`, "GET", "/storage/default/status", nil)

	c = configurable(t, func(k *desk) { k.config.Destinations, k.config.Policies = nil, nil }).caller(t)
	c.does(t, "PATCH", "/storage/config", `[`+bucket+`]`)
	c.wait(time.Second)
	c.does(t, "PATCH", "/storage/config", `[`+exampleStorage+`]`)
	c.wants(t, ok, bucketView, "GET", "/storage/default/active", nil)
	c.wants(t, ok, `{"config_status":"not configured","detail":"No secrets found for s3 storage configuration"}`, "GET", "/storage/default/status", nil)
	c.does(t, "PUT", "/storage/config/bucket/secret", keysBody)
	c.wants(t, ok, `{"config_status":"configured","detail":"Active default storage configuration of type s3 is fully configured"}`, "GET", "/storage/default/status", nil)
}

func TestADestinationThatIsUsedStays(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/storage/config", `[`+exampleStorage+`]`)
	_, err := c.engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Policies["export"] = &dsr.PolicyDefinition{
			Defined: dsr.Defined{Key: "export"},
			Rules:   []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "example_storage"}},
		}
		return nil
	})
	require.NoError(t, err)
	c.wants(t, 409, detail("Storage destination 'example_storage' is used by: rule 'all' of policy 'export'. Change these first."), "DELETE", "/storage/config/example_storage", nil)
	c.wants(t, ok, exampleView, "GET", "/storage/config/example_storage", nil)
}

func TestSecretsOfADestinationAreTestedAndNeverShown(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/storage/config", `[`+bucket+`]`)
	const updated = `{"msg":"Secrets updated for StorageConfig with key: bucket.",`
	c.wants(t, ok, updated+`"test_status":"succeeded","failure_reason":null}`, "PUT", "/storage/config/bucket/secret", keysBody)
	c.wants(t, ok, updated+`"test_status":null,"failure_reason":null}`, "PUT", "/storage/config/bucket/secret?verify=false", keysBody)
	c.wants(t, ok, updated+`"test_status":"failed","failure_reason":"dsr: ask destination \"bucket\": access denied"}`,
		"PUT", "/storage/config/bucket/secret", strings.Replace(keysBody, `"known"`, `"unknown"`, 1))
	c.wants(t, ok, bucketView, "GET", "/storage/config/bucket", nil)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body","aws_secret_access_key"],"msg":"Field required"},{"type":"extra_forbidden","loc":["body","role"],"msg":"Extra inputs are not permitted"}]}`,
		"PUT", "/storage/config/bucket/secret", `{"aws_access_key_id":"a","role":"b"}`)
	c.wants(t, 404, detail("No storage configuration with key none."), "PUT", "/storage/config/none/secret", keysBody)
	c.wants(t, 409, detail("It comes from the host's configuration and cannot be changed here."), "PUT", "/storage/config/folder/secret", keysBody)
	c.restart(t)
	secrets, err := c.engine.Catalogue().Secrets(t.Context(), dsr.CatalogueDestination, "bucket")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"aws_access_key_id": "unknown", "aws_secret_access_key": canary}, map[string]string(secrets))
	require.NotContains(t, c.logs.String(), canary)
}

func TestDefaultDestinations(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.wants(t, ok, `{"config_status":"configured","detail":"Active default storage configuration 'folder' comes from the host's configuration"}`, "GET", "/storage/default/status", nil)
	c.wants(t, ok, folderView, "GET", "/storage/default/active", nil)
	c.wants(t, ok, pages("", 0, 50), "GET", "/storage/default", nil)
	const s3 = `{"name":"Default Storage Config [s3]","type":"s3","details":{"auth_method":"secret_keys","bucket":"b"},"key":"default_storage_config_s3","format":"json","is_default":true}`
	c.wants(t, ok, s3, "PUT", "/storage/default", `{"type":"s3","details":{"bucket":"b","auth_method":"secret_keys"}}`)
	c.wants(t, ok, `{"config_status":"not configured","detail":"No secrets found for s3 storage configuration"}`, "GET", "/storage/default/status", nil)
	const updated = `{"msg":"Secrets updated for default config of storage type: s3.","test_status":"succeeded","failure_reason":null}`
	c.wants(t, ok, updated, "PUT", "/storage/default/s3/secret", keysBody)
	c.wants(t, ok, `{"config_status":"configured","detail":"Active default storage configuration of type s3 is fully configured"}`, "GET", "/storage/default/status", nil)
	other := strings.Replace(s3, `"bucket":"b"`, `"bucket":"other"`, 1)
	c.wants(t, ok, other, "PUT", "/storage/default", `{"type":"s3","details":{"bucket":"other","auth_method":"secret_keys"},"format":"json","secrets":`+keysBody+`}`)
	c.restart(t)
	c.wants(t, ok, other, "GET", "/storage/default/s3", nil)
	c.wants(t, ok, other, "GET", "/storage/default/active", nil)
	c.wants(t, ok, pages(other, 1, 50), "GET", "/storage/default", nil)
	c.wants(t, 400, detail("Default storage configurations cannot be deleted."), "DELETE", "/storage/config/default_storage_config_s3", nil)

	c.does(t, "PUT", "/storage/default", `{"type":"local","details":{}}`)
	c.wants(t, ok, strings.Replace(other, `"is_default":true`, `"is_default":false`, 1), "GET", "/storage/config/default_storage_config_s3", nil)
	c.wants(t, 404, detail("No default config for storage type s3."), "GET", "/storage/default/s3", nil)
	c.wants(t, ok, `{"config_status":"not configured","detail":"Active default storage configuration is not one of the fully configured storage types"}`, "GET", "/storage/default/status", nil)
	c.wants(t, 404, detail("No default config for storage type gcs."), "GET", "/storage/default/gcs", nil)
	c.wants(t, 404, detail("No default configuration found for storage type gcs."), "PUT", "/storage/default/gcs/secret", keysBody)
	c.wants(t, 422, `{"detail":[{"type":"enum","loc":["body","type"],"msg":"Input should be 'local' or 's3'"}]}`, "PUT", "/storage/default", `{"type":"gcs","details":{}}`)
	c.wants(t, 422, `{"detail":[{"type":"extra_forbidden","loc":["body","names"],"msg":"Extra inputs are not permitted"}]}`, "PUT", "/storage/default", `{"type":"local","details":{},"names":"x"}`)
}

func TestTheNameOfADefaultDestinationMayBeTaken(t *testing.T) {
	t.Parallel()
	c := configurable(t, nil).caller(t)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Default Storage Config [local]","key":"mine","type":"local","details":{}}]`)
	c.wants(t, 400, detail("Name Default Storage Config [local] already exists in StorageConfig."), "PUT", "/storage/default", `{"type":"local","details":{}}`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Theirs","key":"default_storage_config_local","type":"s3","details":{"bucket":"b","auth_method":"a"}}]`)
	c.does(t, "DELETE", "/storage/config/mine", nil)
	c.wants(t, 400, detail("Key default_storage_config_local already exists in StorageConfig. Keys will be snake-cased names if not provided. If you are seeing this error without providing a key, please provide a key or a different name."),
		"PUT", "/storage/default", `{"type":"local","details":{}}`)
}

// Rules that name no destination go where they went, until PUT /storage/default
// says otherwise, and then there, also after a restart.
func TestTheDefaultDestinationIsWherePackagesGo(t *testing.T) {
	t.Parallel()
	c := configurable(t, func(k *desk) { k.config.Destinations, k.config.Policies = nil, nil }).caller(t)
	policy := `[{"name":"Export","key":"export","rules":[{"name":"Names","key":"names","action_type":"access","targets":[{"data_category":"user.name"}]}]}]`
	delivered := func() string {
		t.Helper()
		req, err := c.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "export", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
		require.NoError(t, err)
		req, err = c.engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		return req.Packages[0].Destination
	}
	c.does(t, "PATCH", "/dsr/policy", policy)
	c.does(t, "PATCH", "/storage/config", `[`+exampleStorage+`]`)
	require.Equal(t, "example_storage", delivered())
	c.does(t, "PATCH", "/storage/config", `[{"name":"A Second","type":"local","details":{}}]`)
	require.Equal(t, "example_storage", delivered())
	c.wants(t, 409, detail("Storage destination 'example_storage' is used by: rule 'names' of policy 'export'. Change these first."), "DELETE", "/storage/config/example_storage", nil)
	c.does(t, "PUT", "/storage/default", `{"type":"local","details":{}}`)
	require.Equal(t, "default_storage_config_local", delivered())
	c.restart(t)
	require.Equal(t, "default_storage_config_local", delivered())
	c.wants(t, 400, detail("Default storage configurations cannot be deleted."), "DELETE", "/storage/config/default_storage_config_local", nil)
	c.wants(t, 204, ``, "DELETE", "/storage/config/example_storage", nil)
	require.Equal(t, "default_storage_config_local", delivered())
}
