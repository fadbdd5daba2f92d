package fides_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/manualtask"
)

// bodied is an operation of the document that takes a body.
type bodied struct {
	id, method, path, media string
	required                bool
	example                 json.RawMessage
}

// bodiedOperations are those of the document, without other places of them.
func (k *desk) bodiedOperations(t *testing.T) map[string]bodied {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			ID         string `json:"operationId"`
			AliasOf    string `json:"x-alias-of"`
			Parameters []struct{ Name, In, Example string }
			Body       *struct {
				Required bool
				Content  map[string]struct{ Example json.RawMessage }
			} `json:"requestBody"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &document))
	all := map[string]bodied{}
	for path, item := range document.Paths {
		for method, op := range item {
			if op.Body == nil || op.AliasOf != "" {
				continue
			}
			path := path
			for _, p := range op.Parameters {
				if p.In == "path" && p.Example != "" {
					path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
				}
			}
			for _, media := range slices.Sorted(maps.Keys(op.Body.Content)) { // of forms, the one that takes files comes last
				content := op.Body.Content[media]
				all[op.ID] = bodied{op.ID, strings.ToUpper(method), path, media, op.Body.Required, content.Example}
			}
		}
	}
	return all
}

// configuring are operations whose examples, one after another, configure an
// engine and create a request. None of them may fail.
var configuring = []string{
	"patch_connections", "put_connection_secrets", "patch_connection_secrets", "validate_dataset", "patch_datasets", "patch_datasets_yaml", "patch_dataset_configs", "put_dataset_configs",
	"patch_storage", "put_storage_secrets", "put_default_storage", "put_default_storage_secrets", "create_or_update_policies", "create_or_update_rules", "create_or_update_rule_targets",
	"create_or_update_pre_execution_webhooks", "update_pre_execution_webhook", "create_or_update_post_execution_webhooks", "update_post_execution_webhook",
	"create_or_update_pre_approval_webhooks", "update_pre_approval_webhook", "create_access_manual_webhook", "patch_access_manual_webhook",
	"create_manual_task", "update_manual_task", "assign_users_to_manual_task", "update_manual_task_conditions", "create_connection_manual_field", "update_connection_manual_field",
	"create_client", "update_client", "set_client_scopes", "mask_value", "aes_encrypt", "aes_decrypt", "update_redaction_patterns",
	"create_privacy_request", "create_privacy_request_authenticated", "search_privacy_requests", "create_comment",
}

// The order that the document tells is that of the guide.
func TestTheGuideHasTheOrderOfTheDocument(t *testing.T) {
	t.Parallel()
	var document struct{ Info struct{ Description string } }
	require.NoError(t, json.Unmarshal([]byte(newDesk(t, nil).send(t, "", "GET", "/openapi.json", nil).Body), &document))
	_, order, found := strings.Cut(document.Info.Description, " in this order: ")
	require.True(t, found)
	order, _, _ = strings.Cut(order, ". ")
	order = regexp.MustCompile(` \([^)]*\)`).ReplaceAllString(order, "")
	guide, err := os.ReadFile("../../../docs/fides.md")
	require.NoError(t, err)
	require.True(t, bytes.Contains(guide, []byte(" The order is "+order+"; ")), order)
}

func TestTheExamplesOfTheDocumentWork(t *testing.T) {
	t.Parallel()
	k := configurable(t, func(k *desk) {
		k.config.Connections, k.config.Datasets, k.config.Policies, k.config.Destinations = nil, nil, nil, nil
		k.config.ConnectionTypes["manual_task"] = manualtask.ConnectionType()
	})
	token := k.token(t)
	c := &caller{k, token}
	operations := k.bodiedOperations(t)
	var made struct {
		ID string `json:"client_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(c.does(t, "POST", "/oauth/client", nil)), &made))
	// What only the caller knows: the keys of the others are examples, too.
	named := func(op bodied) string {
		return strings.NewReplacer("{client_id}", made.ID, "{privacy_request_id}", "pri_1", "{manual_field_id}", "none").Replace(op.path)
	}
	send := func(op bodied) *answer {
		r := httptest.NewRequestWithContext(t.Context(), op.method, named(op), bytes.NewReader(op.example))
		r.Header.Set("Content-Type", op.media)
		if op.media == "multipart/form-data" {
			var texts map[string]string
			require.NoError(t, json.Unmarshal(op.example, &texts))
			var form bytes.Buffer
			w := multipart.NewWriter(&form)
			for name, text := range texts {
				require.NoError(t, w.WriteField(name, text))
			}
			require.NoError(t, w.Close())
			r = httptest.NewRequestWithContext(t.Context(), op.method, named(op), &form)
			r.Header.Set("Content-Type", w.FormDataContentType())
		}
		r.Header.Set("Authorization", "Bearer "+token)
		return k.do(t, r)
	}
	for _, id := range configuring {
		op := operations[id]
		require.NotEmpty(t, op.example, "%s has no example", id)
		a := send(op)
		require.Less(t, a.Status, 300, "%s: %s", id, a.Body)
		require.NotContains(t, a.Body, `"failed":[{`, id)
		if id == "create_or_update_rules" { // as the document says
			require.Contains(t, send(operations["create_privacy_request"]).Body, `"failed":[{`)
		}
	}
	without := []string{"create_attachment", "acquire_access_token", "revoke_token"} // files, and what only the caller knows
	for id, op := range operations {
		if slices.Contains(without, id) {
			require.Empty(t, op.example)
			continue
		}
		require.NotEmpty(t, op.example, "%s has no example", id)
		if slices.Contains(configuring, id) {
			continue
		}
		a := send(op)
		require.NotEqual(t, http.StatusUnprocessableEntity, a.Status, "%s: %s", id, a.Body)
		require.Less(t, a.Status, 500, "%s: %s", id, a.Body)
	}
	for id, op := range operations { // what is said to be required is
		if !op.required {
			require.Contains(t, []string{"create_client", "search_privacy_requests", "acquire_access_token", "create_manual_task", "pre_approve_eligible", "pre_approve_not_eligible"}, id)
			continue
		}
		r := httptest.NewRequestWithContext(t.Context(), op.method, named(op), http.NoBody)
		if op.media != "multipart/form-data" {
			r.Header.Set("Content-Type", op.media)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		a := k.do(t, r)
		require.GreaterOrEqual(t, a.Status, 400, "%s: %s", id, a.Body)
	}

	for _, id := range []string{"upload_access_manual_webhook", "upload_erasure_manual_webhook"} {
		require.Contains(t, operations[id].path, "_manual_webhook/help_desk", "which has the form")
	}
	page := k.send(t, "", "GET", "/docs", nil).Body
	require.Contains(t, page, `-d &#39;[{&#34;policy_key&#34;:&#34;access_request&#34;,&#34;identity&#34;:{&#34;email&#34;:&#34;someone@example.com&#34;}}]&#39;`)
	require.Contains(t, page, `--form-string &#39;field_value=Called on 3 March.&#39;`)
}

func TestTheDocumentNamesTheTypesThatThereAre(t *testing.T) {
	t.Parallel()
	type schemas struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Enum []string }
			}
		}
	}
	read := func(k *desk) (all schemas) {
		require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &all))
		return all
	}
	full := read(configurable(t, nil)).Components.Schemas
	require.Equal(t, []string{"https", "manual_request", "manual_webhook", "postgres"}, full["NewConnection"].Properties["connection_type"].Enum)
	require.Equal(t, []string{"local", "s3"}, full["NewStorage"].Properties["type"].Enum)
	require.Equal(t, []string{"local", "s3"}, full["DefaultStorage"].Properties["type"].Enum)
	none := read(newDesk(t, nil)).Components.Schemas
	require.Empty(t, none["NewConnection"].Properties["connection_type"].Enum)
}
