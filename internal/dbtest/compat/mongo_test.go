//go:build compat

package compat_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// combined makes an engine over the sample's PostgreSQL and Mongo, whose
// details refer to customers of the former.
func combined(t *testing.T, p graph.Policy, change func(mongo *graph.Dataset)) (*engineFlow, *memory.Connector) {
	t.Helper()
	details := dataset(t, mongoFile)
	if change != nil {
		change(details)
	}
	documents := mongo(t)
	return newFlow(t, p, datasets(dataset(t, postgresFile), details), pgConnection(postgres(t)), dsr.Connection{Key: mongoKey, Connector: documents}), documents
}

// packages decodes a package by the names of Mongo's collections, without the
// ids that the documents were given.
func packages(t *testing.T, src string) map[string]any {
	t.Helper()
	var all map[string][]map[string]any
	require.NoError(t, json.Unmarshal([]byte(src), &all))
	out := map[string]any{}
	for key, documents := range all {
		address, err := graph.ParseAddress(key)
		require.NoError(t, err)
		if address.Dataset != mongoKey {
			continue
		}
		list := []any{}
		for _, d := range documents {
			delete(d, "_id")
			list = append(list, d)
		}
		out[address.Collection] = list
	}
	return out
}

func decode(t *testing.T, src string) map[string]any {
	t.Helper()
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(src), &v))
	return v
}

func TestFides23AccessThroughArrays(t *testing.T) {
	t.Parallel()
	f, _ := combined(t, policy(access("user", "system.operations")), nil)
	req := f.run("policy", email(jane))
	got := found(req)
	for collection, n := range (counts{
		"aircraft": 1, "conversations": 2, "customer_details": 1, "customer_feedback": 0, "employee": 1,
		"flights": 1, "internal_customer_profile": 1, "payment_card": 1, "rewards": 2,
	}) {
		require.Equal(t, n, got[mongoKey+":"+collection], collection)
	}
	require.Equal(t, decode(t, `{
		"aircraft": [{"model": "Boeing 747-8", "planes": ["30005"]}],
		"conversations": [
			{"thread": [{"chat_name": "Jane C", "ccn": "987654321"}]},
			{"thread": [{"chat_name": "Jane C", "ccn": "987654321"}, {"chat_name": "Jane C"}]}
		],
		"customer_details": [{
			"birthday": "1990-02-28T00:00:00Z", "children": ["Erica Example"], "customer_id": 3, "customer_uuid": null, "gender": "female"
		}],
		"employee": [{"email": "employee-2@example.com", "id": "2", "name": "Jane Employee"}],
		"flights": [{"passenger_information": {"full_name": "Jane Customer"}, "pilots": ["2"], "plane": 30005}],
		"internal_customer_profile": [{
			"customer_identifiers": {"derived_emails": ["jane@example.com"], "derived_phone": ["530-486-6983", "254-344-9868"]},
			"derived_interests": ["interior design", "travel", "photography"]
		}],
		"payment_card": [{
			"billing_address_id": null, "ccn": "987654321", "code": "123", "customer_id": 2, "id": "pay_bbb-bbb", "name": "Example Card 2", "preferred": false
		}],
		"rewards": [
			{"owner": [{"phone": "530-486-6983"}, {"phone": "818-695-1881"}]},
			{"owner": [{"phone": "254-344-9868"}]}
		]
	}`), packages(t, f.pack(req)))
}

// Arrays by which documents are found are masked where they match; other
// arrays are masked whole.
func TestFides23CombinedErasure(t *testing.T) {
	t.Parallel()
	f, documents := combined(t, policy(erasure("null_rewrite", nil, "A", "user.name", "user.childrens", "user.financial")), func(m *graph.Dataset) {
		field(t, m, "flights", "passenger_information", "passenger_ids").Categories = []graph.Category{"A"}
	})
	want := map[string][]map[string]any{}
	for _, name := range []string{"aircraft", "conversations", "customer_details", "customer_feedback", "employee", "flights", "internal_customer_profile", "payment_card", "rewards"} {
		want[name] = documents.Rows(name)
	}
	req := f.run("policy", email(customer1))
	require.Equal(t, counts{
		"mongo_test:conversations": 2, "mongo_test:customer_details": 1, "mongo_test:employee": 2, "mongo_test:flights": 1, "mongo_test:payment_card": 1,
		"postgres_example_test_dataset:customer": 1, "postgres_example_test_dataset:employee": 0, "postgres_example_test_dataset:payment_card": 1,
	}, masked(req))

	details := want["customer_details"][0]
	details["children"] = []any{nil, nil}
	details["workplace_info"].(map[string]any)["direct_reports"] = []any{nil, nil}
	for _, contact := range details["emergency_contacts"].([]any) {
		contact.(map[string]any)["name"] = nil
	}
	john := func(conversation, entry int) map[string]any {
		return want["conversations"][conversation]["thread"].([]any)[entry].(map[string]any)
	}
	for _, entry := range []map[string]any{john(0, 0), john(1, 0), john(1, 2)} {
		require.Equal(t, "John C", entry["chat_name"])
		entry["chat_name"], entry["ccn"] = nil, nil
	}
	flight := want["flights"][0]["passenger_information"].(map[string]any)
	flight["full_name"], flight["passenger_ids"] = nil, []any{"old_travel_number", nil}
	want["employee"][0]["name"], want["employee"][1]["name"] = nil, nil
	card := want["payment_card"][0]
	card["ccn"], card["code"], card["name"] = nil, nil, nil
	for name, rows := range want {
		require.Equal(t, rows, documents.Rows(name), name)
	}
}

func phone(v string) dsr.Identities { return dsr.Identities{"phone_number": {v}} }

// return_all_elements keeps an array whole, follows all of it and masks all of
// it.
func TestFides24ReturnAllElements(t *testing.T) {
	t.Parallel()
	const number = "254-344-9868"
	p := policy(access("user.contact.phone_number", "user"), erasure("null_rewrite", nil, "user.contact.phone_number"))
	f, documents := combined(t, p, func(m *graph.Dataset) {
		field(t, m, "internal_customer_profile", "customer_identifiers", "derived_phone").Categories = []graph.Category{"user.contact.phone_number"}
	})
	profiles, rewards := documents.Rows("internal_customer_profile"), documents.Rows("rewards")
	req := f.run("policy", phone(number))
	require.Equal(t, prefixed(mongoKey, counts{"internal_customer_profile": 1, "rewards": 2}), found(req))
	require.Equal(t, decode(t, `{
		"internal_customer_profile": [{
			"customer_identifiers": {"derived_emails": ["jane1@example.com", "jane@example.com"], "derived_phone": ["530-486-6983", "254-344-9868"]},
			"derived_interests": ["interior design", "travel", "photography"]
		}],
		"rewards": [
			{"owner": [{"phone": "530-486-6983"}, {"phone": "818-695-1881"}]},
			{"owner": [{"phone": "254-344-9868"}]}
		]
	}`), packages(t, f.pack(req)))

	require.Equal(t, prefixed(mongoKey, counts{"internal_customer_profile": 1, "rewards": 2}), masked(req))
	profiles[2]["customer_identifiers"].(map[string]any)["derived_phone"] = []any{nil, nil}
	for _, reward := range rewards[:2] {
		for _, owner := range reward["owner"].([]any) {
			owner.(map[string]any)["phone"] = nil
		}
	}
	require.Equal(t, profiles, documents.Rows("internal_customer_profile"))
	require.Equal(t, rewards, documents.Rows("rewards"))
}

// mongo makes a connector over the documents of sql/mongo_example.js. Documents
// without an _id get one, as the database would give them.
func mongo(t testing.TB) *memory.Connector {
	t.Helper()
	collections, err := parseInserts(read(t, "sql/mongo_example.js"))
	require.NoError(t, err)
	id := 0
	made := map[string][]map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(collections)) {
		for _, d := range collections[name] {
			document, ok := d.(map[string]any)
			require.True(t, ok, "%s holds something else than documents", name)
			if document["_id"] == nil {
				id++
				document["_id"] = fmt.Sprintf("%024x", 0xabc000+id)
			}
			made[name] = append(made[name], document)
		}
	}
	return memory.NewConnector(made, nil)
}

// The sample holds what it is known to hold.
func TestMongoSample(t *testing.T) {
	t.Parallel()
	collections, err := parseInserts(read(t, "sql/mongo_example.js"))
	require.NoError(t, err)
	got := map[string]int{}
	for name, documents := range collections {
		got[name] = len(documents)
	}
	require.Equal(t, map[string]int{
		"aircraft": 2, "composite_pk_test": 3, "conversations": 3, "customer": 3, "customer_details": 3, "customer_feedback": 2,
		"employee": 2, "flights": 2, "internal_customer_profile": 3, "orders": 4, "payment_card": 2, "product": 3, "reports": 4,
		"rewards": 3, "type_link_test": 3,
	}, got)
}
