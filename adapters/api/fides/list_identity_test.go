package fides_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// An identity finds requests, whatever the datasets of today know of its kind:
// also those of before a dataset was deleted.
func TestAnIdentityIsLookedForUnderAllKinds(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Identities = append(graph.DefaultIdentityKinds(), graph.IdentityKind{Name: "badge"})
	})
	token := k.token(t)
	all := map[string]string{
		"email": "nia.vale@example.com", "phone_number": "+11234567891", "external_id": "x-1", "ga_client_id": "ga-1", "ljt_readerID": "ljt-1",
		"fides_user_device_id": device, "badge": "b-1", "loyalty": "l-1",
	}
	ids := dsr.Identities{}
	for kind, v := range all {
		ids[kind] = []string{v}
	}
	_, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: ids})
	require.NoError(t, err)
	_, err = k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"z@example.com"}, "phone_number": {"+49 30 1234567"}}})
	require.NoError(t, err)

	datasets, _, err := graph.LoadFS(fstest.MapFS{"other.yml": {Data: []byte(`
dataset:
  - fides_key: other
    collections:
      - name: people
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true}}
          - {name: device, data_categories: [user], fides_meta: {identity: device}}
`)}}, []string{"*.yml"}, nil)
	require.NoError(t, err)
	k.config.Datasets = datasets
	k.config.Connections = []dsr.Connection{{Key: "other", Connector: memory.NewConnector(nil, nil), Datasets: []string{"other"}}}
	k.config.Policies = k.config.Policies[:1]
	k.restart(t)
	found := func(method, target string, body any) (ids []string) {
		a := k.send(t, token, method, target, body)
		require.Equal(t, 200, a.Status, a.Body)
		var page struct {
			Items []struct {
				ID string `json:"id"`
			} `json:"items"`
		}
		require.NoError(t, json.Unmarshal([]byte(a.Body), &page))
		for _, item := range page.Items {
			ids = append(ids, item.ID)
		}
		return ids
	}
	for query, want := range map[string][]string{
		"nia.vale@example.com": {"pri_1"}, "%2B11234567891": {"pri_1"}, "%2B1+(123)+456-7891": {"pri_1"}, "+11234567891": {"pri_1"}, "11234567891": {"pri_1"},
		"x-1": {"pri_1"}, "ga-1": {"pri_1"}, "ljt-1": {"pri_1"}, device: {"pri_1"}, "b-1": {"pri_1"},
		"%2B49+30+1234567": {"pri_2"}, "nobody@example.com": nil, "1": nil,
		"l-1": nil, // of a kind that nobody names: it is looked for by kind
	} {
		require.Equal(t, want, found("GET", "/privacy-request?identity="+query, nil), query)
	}
	require.Equal(t, []string{"pri_1"}, found("POST", "/privacy-request/search", map[string]any{"identities": map[string]string{"loyalty": "l-1"}}))
}
