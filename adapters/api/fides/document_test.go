package fides_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// JSON Schema admits null only where the choices have it, whatever the type.
func TestChoicesThatMayBeNullHaveNullInTheDocument(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	var document struct {
		Components struct{ Schemas map[string]any }
	}
	require.NoError(t, json.Unmarshal([]byte(k.send(t, "", "GET", "/openapi.json", nil).Body), &document))
	nullable := 0
	var look func(name string, node any)
	look = func(name string, node any) {
		schema, _ := node.(map[string]any)
		types, _ := schema["type"].([]any)
		if choices, ok := schema["enum"].([]any); ok && len(types) > 1 {
			nullable++
			require.Contains(t, types, "null", name)
			require.Contains(t, choices, nil, name)
		}
		for key, inner := range schema {
			look(name+"/"+key, inner)
		}
	}
	for name, schema := range document.Components.Schemas {
		look(name, schema)
	}
	require.NotZero(t, nullable)

	token := k.token(t)
	k.send(t, token, "PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write"}]`).is(t, http.StatusOK)
	k.send(t, token, "PUT", "/connection/crm/secret?verify=false", `{"host":"here","password":"x"}`).
		want(t, http.StatusOK, `{"msg":"Secrets updated for ConnectionConfig with key: crm.","test_status":null,"failure_reason":null}`)
	k.send(t, token, "PUT", "/storage/default", `{"type":"local","details":{},"format":"pdf"}`).want(t, http.StatusUnprocessableEntity,
		`{"detail":[{"type":"enum","loc":["body","format"],"msg":"Input should be 'json', 'csv' or 'html'"}]}`)
}
