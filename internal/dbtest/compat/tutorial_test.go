//go:build compat

package compat_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/internal/dbtest/servertest"
)

// The scopes that the written tutorial of 2021 gives its client. The script of
// the later demo gives others, without privacy-request:create.
var tutorialScopes = []string{
	"client:create", "client:update", "client:read", "client:delete",
	"policy:create_or_update", "policy:read", "policy:delete",
	"connection:create_or_update", "connection:read", "connection:delete",
	"privacy-request:create", "privacy-request:read", "privacy-request:delete",
	"rule:create_or_update", "rule:read", "rule:delete",
	"storage:create_or_update", "storage:read", "storage:delete",
	"dataset:create_or_update", "dataset:read", "dataset:delete",
}

// The whole tutorial over HTTP: from the first client to the package that it
// prints. The server is killed after each call that configures something, and
// nothing is missing afterwards.
func TestTutorialOverHTTP(t *testing.T) {
	t.Parallel()
	pg, err := dbtest.StartPostgres("", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Close()) })
	require.NoError(t, pg.CreateDatabase(t.Context(), "flaskr"))
	network, err := pg.Proxy()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, network.Close()) })
	at, err := pgx.ParseConfig(network.DSN("flaskr"))
	require.NoError(t, err)
	shop, err := pg.Open("flaskr")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, shop.Close()) })
	run(t, shop, read(t, "flaskr/flaskr.sql"))
	before := snapshot(t, shop, "public")
	s := servertest.Start(t, servertest.Options{})

	s.LogIn(t, servertest.RootID, servertest.RootSecret)
	client := s.Configure(t, http.MethodPost, "/api/v1/oauth/client", tutorialScopes[:1], http.StatusOK)
	id, _ := client["client_id"].(string)
	secret, _ := client["client_secret"].(string)
	s.Call(t, http.MethodPut, "/api/v1/oauth/client/"+id+"/scope", tutorialScopes, http.StatusOK)
	s.Killed(t)
	s.LogIn(t, id, secret)
	s.Killed(t) // the token outlives it

	const connection = "flaskr_postgres"
	s.Configure(t, http.MethodPatch, "/api/v1/connection", `[{"name": "flaskr_postgres", "key": "flaskr_postgres", "connection_type": "postgres", "access": "write"}]`, http.StatusOK)
	told := s.Configure(t, http.MethodPut, "/api/v1/connection/"+connection+"/secret", map[string]any{
		"host": at.Host, "port": strconv.Itoa(int(at.Port)), "dbname": at.Database, "username": at.User, "password": at.Password,
	}, http.StatusOK)
	require.Equal(t, "succeeded", told["test_status"], told)

	var file struct{ Dataset []map[string]any }
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "flaskr/dataset.yml")), &file))
	valid := servertest.Object(t, s.Call(t, http.MethodPut, "/api/v1/connection/"+connection+"/validate_dataset", file.Dataset[0], http.StatusOK))
	require.Equal(t, map[string]any{"is_traversable": true, "msg": nil}, valid["traversal_details"])
	s.Configure(t, http.MethodPatch, "/api/v1/storage/config", `[{"name": "example_storage", "key": "example_storage", "type": "local", "format": "json", "details": {"naming": "request_id"}}]`, http.StatusOK)
	s.Configure(t, http.MethodPatch, "/api/v1/connection/"+connection+"/dataset", file.Dataset[:1], http.StatusOK)
	s.Configure(t, http.MethodPatch, "/api/v1/policy", `[{"name": "example_request_policy", "key": "example_request_policy"}]`, http.StatusOK)
	s.Call(t, http.MethodDelete, "/api/v1/policy/example_request_policy/rule/access_user_data", nil, http.StatusNotFound)
	s.Configure(t, http.MethodPatch, "/api/v1/policy/example_request_policy/rule",
		`[{"name": "access_user_data", "key": "access_user_data", "action_type": "access", "storage_destination_key": "example_storage", "masking_strategy": null}]`, http.StatusOK)
	s.Configure(t, http.MethodPatch, "/api/v1/policy/example_request_policy/rule/access_user_data/target", `[{"data_category": "user.provided.identifiable"}]`, http.StatusOK)

	for _, body := range []string{
		`[{"requested_at": "2021-01-01T00:00:00", "policy_key": "example_request_policy", "identities": [{"email": "user@example.com"}]}]`,
		`[{"requested_at": "2021-10-22 14:33:19.123456", "policy_key": "example_request_policy", "identity": {"email": "user@example.com"}}]`,
	} {
		answer := servertest.Object(t, s.Call(t, http.MethodPost, "/api/v1/privacy-request", body, http.StatusOK))
		require.Empty(t, answer["failed"])
		request, _ := answer["succeeded"].([]any)[0].(map[string]any)
		request2, _ := request["id"].(string)
		s.Killed(t) // whether it has begun to work on it or not
		samePackage(t, printed(t), s.Packed(t, request2))

		for _, name := range []string{"id", "request_id"} {
			list := servertest.Object(t, s.Call(t, http.MethodGet, "/api/v1/privacy-request?"+url.Values{name: {request2}}.Encode(), nil, http.StatusOK))
			require.EqualValues(t, 1, list["total"])
			require.Equal(t, request["created_at"], list["items"].([]any)[0].(map[string]any)["created_at"])
		}
	}
	require.Equal(t, 12, s.Kills)
	require.Empty(t, changes(before, snapshot(t, shop, "public")))
}
