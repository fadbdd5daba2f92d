package dsr_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

// redacted runs an access request for ada@example.com whose packages hide what
// the patterns match.
func redacted(t *testing.T, w *world, patterns []string, change func(*dsr.Config), rules ...graph.Rule) *dsr.Request {
	t.Helper()
	c := w.config(nil, policy(rules...))
	var err error
	c.Redaction, err = redact.NewRegistry(&redact.Options{Clock: w.clock.Now}, patterns...)
	require.NoError(t, err)
	if change != nil {
		change(&c)
	}
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	return req
}

// manifest is what the manifest of a package says of its collections.
func (p *packages) manifest(t *testing.T, name string) []storage.ManifestCollection {
	t.Helper()
	var m storage.Manifest
	require.NoError(t, json.Unmarshal([]byte(p.file(name+storage.ManifestSuffix)), &m))
	return m.Collections
}

// secretYAML is a shop that says of some names itself how they are shown, in
// place of the words in capitals.
const secretYAML = `
dataset:
  - fides_key: shop
    fides_meta: {redact: DATASET}
    collections:
      - name: users
        fides_meta: {redact: COLLECTION}
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string, redact: FIELD}}
          - name: address
            fields:
              - {name: street, data_categories: [user.contact.address], fides_meta: {redact: NESTED}}
              - {name: city, data_categories: [user.contact.address]}
      - name: orders
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - {name: user_id, data_categories: [user.unique_id], fides_meta: {references: [{dataset: shop, field: users.id, direction: from}]}}
`

func secretShop(t *testing.T, dataset, collection, field, nested string) *world {
	t.Helper()
	yaml := strings.NewReplacer("DATASET", dataset, "COLLECTION", collection, "FIELD", field, "NESTED", nested).Replace(secretYAML)
	return shop(t, yaml, map[string][]row{
		"users":  {{"id": 1, "email": "ada@example.com", "address": row{"street": "users 1", "city": "email"}}},
		"orders": {{"id": 7, "user_id": 1}, {"id": 8, "user_id": 1}},
	}, nil)
}

func TestPackagesShowRedactedNames(t *testing.T) {
	t.Parallel()
	const none, hide, keep = `""`, "name", "none"
	orders := func(key, field string) string {
		return `  "` + key + "\": [\n    {\"" + field + "\":1},\n    {\"" + field + "\":1}\n  ]"
	}
	users := func(key, row string) string { return `  "` + key + "\": [\n    " + row + "\n  ]" }
	for _, c := range []struct {
		name      string
		patterns  []string
		settings  [4]string // of dataset, collection, field and nested field
		want      []string
		addresses []string
	}{
		{
			"nothing", nil, [4]string{none, none, none, none},
			[]string{orders("shop:orders", "user_id"), users("shop:users", `{"address":{"city":"email","street":"users 1"},"email":"ada@example.com","id":1}`)},
			[]string{"shop:orders", "shop:users"},
		},
		{
			"patterns", []string{"shop", "user.*", "email|id", "(?!city)c?.*t.*"}, [4]string{none, none, none, none},
			[]string{users("dataset_1:collection_1", `{"address":{"city":"email","field_1":"users 1"},"field_1":"ada@example.com","field_2":1}`), orders("dataset_1:orders", "field_2")},
			[]string{"dataset_1:collection_1", "dataset_1:orders"},
		},
		{
			"settings alone", nil, [4]string{hide, hide, hide, hide},
			[]string{users("dataset_1:collection_1", `{"address":{"city":"email","field_1":"users 1"},"field_1":"ada@example.com","id":1}`), orders("dataset_1:orders", "user_id")},
			[]string{"dataset_1:collection_1", "dataset_1:orders"},
		},
		{
			"settings win over patterns", []string{".*"}, [4]string{keep, keep, keep, keep},
			[]string{orders("shop:collection_1", "field_2"), users("shop:users", `{"field_1":{"field_1":"email","street":"users 1"},"email":"ada@example.com","field_2":1}`)},
			[]string{"shop:collection_1", "shop:users"},
		},
		{
			"everything", []string{".*"}, [4]string{none, none, none, none},
			[]string{orders("dataset_1:collection_1", "field_2"), users("dataset_1:collection_2", `{"field_1":{"field_1":"email","field_2":"users 1"},"field_2":"ada@example.com","field_3":1}`)},
			[]string{"dataset_1:collection_1", "dataset_1:collection_2"},
		},
		{
			"a setting holds for its own name only", nil, [4]string{hide, keep, none, none},
			[]string{orders("dataset_1:orders", "user_id"), users("dataset_1:users", `{"address":{"city":"email","street":"users 1"},"email":"ada@example.com","id":1}`)},
			[]string{"dataset_1:orders", "dataset_1:users"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := secretShop(t, c.settings[0], c.settings[1], c.settings[2], c.settings[3])
			redacted(t, w, c.patterns, nil, accessRule())
			require.Equal(t, "{\n"+strings.Join(c.want, ",\n")+"\n}\n", w.packages.file("r1.json"))
			var addresses []string
			for _, told := range w.packages.manifest(t, "r1") {
				require.Equal(t, storage.StateDone, told.State)
				addresses = append(addresses, told.Address)
			}
			require.Equal(t, c.addresses, addresses)
			require.Equal(t, []string{"r1.json", "r1.manifest.json"}, w.packages.names())
		})
	}
}

// sparseYAML has documents of which the data map says nothing.
const sparseYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: people
        fields:
          - {name: email, data_categories: [user], fides_meta: {identity: email}}
          - {name: field_1, data_categories: [user]}
          - {name: secret_a, data_categories: [user]}
          - {name: secret_b, data_categories: [user]}
          - {name: doc, data_categories: [user]}
`

func sparseShop(t *testing.T) *world {
	t.Helper()
	return shop(t, sparseYAML, map[string][]row{"people": {
		{"email": "ada@example.com", "field_1": "real", "doc": row{"secret_z": "secret_a", "open": row{"secret_y": 1}}},
		{"email": "ada@example.com", "secret_b": 2, "doc": []any{row{"secret_a": 3}, "secret_a", row{"field_2": 4, "secret_z": row{"secret_z": nil}}, []any{row{"secret_a": 5}}}},
		{"email": "ada@example.com", "secret_a": row{"secret_b": 6, "plain": []any{row{"secret_b": 7}, row{"secret_a": 8}}}, "doc": row{}},
	}}, nil)
}

// Rows that lack fields, documents that nobody declared and a real field_1: one
// name has one number in its place, and nothing is lost.
func TestSparseRowsKeepTheirNumbers(t *testing.T) {
	t.Parallel()
	w := sparseShop(t)
	redacted(t, w, []string{"secret_.*"}, nil, accessRule())
	require.JSONEq(t, `{"shop:people":[
		{"email":"ada@example.com","field_1":"real","field_2":null,"field_3":null,"doc":{"field_3":"secret_a","open":{"field_1":1}}},
		{"email":"ada@example.com","field_1":null,"field_2":null,"field_3":2,"doc":[{"field_1":3},"secret_a",{"field_2":4,"field_3":{"field_1":null}},[{"field_1":5}]]},
		{"email":"ada@example.com","field_1":null,"field_2":{"field_1":6,"plain":[{"field_2":7},{"field_1":8}]},"field_3":null,"doc":{}}
	]}`, w.packages.file("r1.json"))
}

// The packages of one request agree on names, though their rules select
// different rows and fields.
func TestPackagesOfOneRequestAgree(t *testing.T) {
	t.Parallel()
	w := secretShop(t, "none", "none", "none", "none")
	other := &packages{files: map[string]string{}}
	redacted(t, w, []string{"user.*", "id", "city"}, func(c *dsr.Config) {
		c.Destinations["other"] = dsr.Destination{Storage: &dyingDestination{other, &process{}}}
	},
		graph.Rule{Key: "ids", Action: graph.Access, Targets: []graph.Category{"user.unique_id"}, Destination: "folder"},
		graph.Rule{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "other"},
	)
	require.JSONEq(t, `{"shop:orders":[{"field_2":1},{"field_2":1}],"shop:users":[{"field_1":1}]}`, w.packages.file("r1-ids.json"))
	require.JSONEq(t, `{"shop:orders":[{"field_2":1},{"field_2":1}],"shop:users":[{"field_1":1,"email":"ada@example.com","address":{"field_1":"email","street":"users 1"}}]}`, other.file("r1-all.json"))
}

// What went wrong may quote a name: where any is replaced, the manifest does
// not repeat it.
func TestManifestTellsNoReplacedName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, address, message string
	}{
		{"other", "shop:orders", "the database has no such collection"},
		{"orders", "shop:collection_1", "the reason is in the request's log"},
		{"users", "shop:orders", "the reason is in the request's log"},
	} {
		yaml := strings.NewReplacer("DATASET", "none", "COLLECTION", `""`, "FIELD", `""`, "NESTED", `""`).Replace(secretYAML)
		w := shop(t, yaml, map[string][]row{"users": {{"id": 1, "email": "ada@example.com"}}}, nil)
		req := redacted(t, w, []string{c.pattern}, nil, accessRule())
		require.Equal(t, "the database has no such collection", outcome(t, req, "shop:orders").Message)
		told := w.packages.manifest(t, "r1")
		at := 0
		for i, collection := range told {
			if collection.State == storage.StateSkipped {
				at = i
			}
		}
		require.Equal(t, storage.ManifestCollection{Address: c.address, State: storage.StateSkipped, Message: c.message}, told[at])
		require.NotContains(t, w.packages.file("r1.manifest.json"), c.pattern)
	}
}

// A database that fails in the words of its tables stops the request: there is
// no package, and the next attempt gives one without those words.
func TestFailureThatQuotesATable(t *testing.T) {
	t.Parallel()
	w := secretShop(t, "none", "name", `""`, `""`)
	w.db().fail("orders", errors.New("no permission for table orders of users"))
	c := w.config(nil, policy(accessRule()))
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(t.Context(), "r1")
	require.ErrorContains(t, err, "no permission for table orders of users")
	require.Empty(t, w.packages.names())

	w.db().fail("orders", nil)
	_, err = retry(t, e, "r1")
	require.NoError(t, err)
	require.NotContains(t, strings.Join([]string{w.packages.file("r1.manifest.json"), strings.ReplaceAll(w.packages.file("r1.json"), `"users 1"`, "")}, ""), "users")
	require.Contains(t, w.packages.file("r1.json"), `"shop:collection_1"`)
}

// What docs/redaction.md shows is true.
func TestRedactionGuide(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("docs/redaction.md")
	require.NoError(t, err)
	block := func(language string) string {
		_, after, found := strings.Cut(string(guide), "```"+language+"\n")
		require.True(t, found)
		text, _, found := strings.Cut(after, "```")
		require.True(t, found)
		return text
	}
	first, _, found := strings.Cut(block("go"), "\n")
	require.True(t, found)
	require.Equal(t, `names, err := redact.NewRegistry(nil, "crm_.*", ".*_score", "^id$")`, first)
	w := newWorld(t, block("yaml"), map[string]*memory.Connector{"crm_eu": memory.NewConnector(map[string][]row{
		"people": {{"id": 17, "email": "ada@example.com", "risk_score": 0.2, "churn_score": 0.7, "notes": row{"id": 3, "text": "calls often"}}},
	}, nil)})
	redacted(t, w, []string{"crm_.*", ".*_score", "^id$"}, nil, accessRule())
	require.Equal(t, block("json"), w.packages.file("r1.json"))
}

// Patterns that are replaced hold for packages whose writing begins afterwards.
func TestReplacedPatternsHoldForTheNextPackage(t *testing.T) {
	t.Parallel()
	w := secretShop(t, "none", "none", `""`, `""`)
	c := w.config(nil, policy(accessRule()))
	var err error
	c.Redaction, err = redact.NewRegistry(&redact.Options{Clock: w.clock.Now}, "email")
	require.NoError(t, err)
	id := "r1"
	c.NewID = func() string { return id }
	e := newEngine(t, c)
	for _, want := range []string{"field_1", "email"} {
		submit(t, e, "email", "ada@example.com")
		_, err = e.Requests().Advance(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, w.packages.file(id+".json"), `"`+want+`":"ada@example.com"`)
		require.NoError(t, c.Redaction.Replace(nil))
		id = "r2"
	}
}

// Names are replaced in the same way when the package is written again, and
// never in what is erased.
func TestRedactionDoesNotReachTheErasure(t *testing.T) {
	t.Parallel()
	w := sparseShop(t)
	redacted(t, w, []string{".*"}, nil, accessRule(), graph.Rule{
		Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: &graph.Masking{Strategy: "null_rewrite"},
	})
	require.NotContains(t, w.packages.file("r1.json"), "secret_b")
	for _, r := range w.db().Rows("people") {
		require.Nil(t, r["secret_b"])
		require.NotContains(t, r, "field_2")
	}
}
