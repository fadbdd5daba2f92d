package graph_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	const dataset = "dataset:\n- fides_key: shop\n"
	const collection = dataset + "  collections:\n  - name: customer\n    fields: []\n"
	longList := "[" + strings.Repeat("'c', ", 3000) + "]"
	for _, tc := range []struct {
		name string
		src  string
		want []string
	}{
		// The file.
		{"empty", "", []string{`1:1: error: the file is empty: want a list of datasets under "dataset"`}},
		{"only a comment", "# nothing\n---\n---\n", []string{`1:1: error: the file is empty: want a list of datasets under "dataset"`}},
		{"a list", "- a\n", []string{`1:1: error: a dataset file must be a mapping, found a list`}},
		{"no dataset", "datasets: []\n", []string{
			`1:1: warning: unknown key datasets in a dataset file: did you mean dataset?`,
			`1:1: error: there is no list of datasets: want one under "dataset"`,
		}},
		{"no list", "dataset: {fides_key: a}\n", []string{`1:10: error: dataset must be a list, found a mapping`}},
		{"null list", "dataset:\n", []string{`1:1: error: the list of datasets is empty`}},
		{"other resources", "dataset: []\nsystem: []\ncollections: []\n", []string{
			`2:1: warning: the key system is not read: only datasets are`,
			`3:1: warning: the key collections has no effect here: it belongs to a dataset`,
		}},

		// YAML itself.
		{"stars for dashes", "dataset:\n  * fides_key: a\n", []string{`2:3: error: not YAML: did not find expected alphabetic or numeric character`}},
		{"lost indentation", collection + "   - name: orders\n    fields: []\n", []string{`6:4: error: not YAML: did not find expected key`}},
		{"lost indentation far below", collection + strings.Repeat("  - name: orders # and\n    # more\n    fields: []\n", 300) + "   - name: returns\n" + strings.Repeat("    # and more\n\n", 40) + "    fields: []\n", []string{
			`906:4: error: not YAML: did not find expected key`,
		}},
		{"lost indentation at the end", "a: b\n c: d", []string{`2:2: error: not YAML: mapping values are not allowed in this context`}},
		{"no more dashes at the end", "- a\nb", []string{`2:1: error: not YAML: could not find expected ':'`}},
		{"lost dash", "dataset:\n- fides_key: a\n\n- fides_key: b\nname: x\n  y: z\n", []string{`6:3: error: not YAML: mapping values are not allowed in this context`}},
		{"no more dashes", "dataset:\n  - fides_key: a\n  fides_key: b\n", []string{`3:3: error: not YAML: did not find expected '-' indicator`}},
		{"two values in a long first line", "a: [b] " + longList, []string{`1:1: error: not YAML: did not find expected key`}},
		{"two items in a long first line", "- [a] " + longList, []string{`1:1: error: not YAML: did not find expected '-' indicator`}},
		{"two values in a long line", "x: 1\ny:\n - a: [b] " + longList + "\n- c\n", []string{`3:2: error: not YAML: did not find expected key`}},
		{"lost indentation of a long line", "x:\n  - a\n  b: " + longList + "\n", []string{`3:3: error: not YAML: did not find expected '-' indicator`}},
		{"open bracket", collection + "    data_categories: [user\n", []string{`6:5: error: not YAML: did not find expected ',' or ']'`}},
		{"tab", "dataset:\n\t- fides_key: a\n", []string{`2:2: error: not YAML: found character that cannot start any token`}},
		{"unknown anchor", "dataset:\n- *shop\n", []string{`2:3: error: not YAML: unknown anchor 'shop' referenced`}},
		{"not UTF-8", "dataset:\n- name: \"\xfc\"\n", []string{`2:10: error: the file is not UTF-8 text`}},
		{"control character", "dataset:\n- name: é\x00\n", []string{`2:10: error: not YAML: control characters are not allowed`}},
		{"key twice", collection + "    name: again\n", []string{`6:5: error: the key name is set twice: first on line 4`}},
		{"collections of null", "dataset:\n- fides_key: shop\n  collections:\n", []string{`2:3: error: shop: a dataset has no collections: write collections: [] when there are none yet`}},
		{"key no text", collection + "    ? [a]\n    : b\n", []string{`6:7: error: a key must be text, found a list`}},
		{"merge of text", collection + "    <<: [a, 1]\n", []string{
			`6:10: error: the merge key << wants a mapping, found text`,
			`6:13: error: the merge key << wants a mapping, found a number`,
		}},

		// Datasets.
		{"items", "dataset: [a, [], ~]\n", []string{
			`1:11: error: a dataset must be a mapping, found text`,
			`1:14: error: a dataset must be a mapping, found a list`,
			`1:18: error: a dataset must be a mapping, found nothing`,
		}},
		{"bare dataset", "dataset:\n- name: Shop\n", []string{
			`2:3: error: a dataset has no fides_key`,
			`2:3: error: a dataset has no collections: write collections: [] when there are none yet`,
		}},
		{"fides_key", "dataset:\n- {fides_key: a b, collections: []}\n- {fides_key: '', collections: []}\n- {fides_key: 1, collections: []}\n- {fides_key: ü, collections: []}\n", []string{
			`2:15: error: a b: the fides_key may hold only letters, digits and _ . < > -`,
			`3:15: error: the fides_key of a dataset is empty`,
			`4:15: error: fides_key must be text, found a number: put it in quotes`,
			`5:15: error: ü: the fides_key may hold only letters, digits and _ . < > -`,
		}},
		{"fides_key twice", "dataset:\n- {fides_key: a, collections: []}\n- {fides_key: b, collections: []}\n- {fides_key: a, collections: []}\n", []string{
			`4:15: error: a: the fides_key is used twice: first at 2:15`,
		}},
		{"dataset values", dataset + "  name: 1.5\n  description: [a]\n  tags: [1, '']\n  meta: [a]\n  collections: {}\n  organization_fides_key: true\n  data_categories: user\n", []string{
			`3:9: error: shop: name must be text, found a number: put it in quotes`,
			`4:16: error: shop: description must be text, found a list`,
			`5:10: error: shop: an item of tags must be text, found a number: put it in quotes`,
			`5:13: error: shop: an item of tags is empty`,
			`6:9: error: shop: meta must be a mapping, found a list`,
			`7:16: error: shop: collections must be a list, found a mapping`,
			`8:27: error: shop: organization_fides_key must be text, found a boolean: put it in quotes`,
			`9:20: error: shop: data_categories must be a list, found text`,
		}},
		{"dataset meta", dataset + "  collections: []\n  fides_meta:\n    after: [a b, ~]\n    namespace: {schema: [a]}\n    redact: names\n    resource_id: 2020-01-01\n    skip_processing: true\n", []string{
			`5:13: error: shop: after: "a b" is not the key of a dataset`,
			`5:18: error: shop: an item of after is empty`,
			`6:25: error: shop: namespace: schema must be a single value, found a list`,
			`7:13: error: shop: redact must be name or none, found "names"`,
			`8:18: error: shop: resource_id must be text, found a date: put it in quotes`,
			`9:5: warning: shop: the key skip_processing has no effect here: it belongs to the fides_meta of a collection`,
		}},
		{"namespace", dataset + "  collections: []\n  fides_meta: {namespace: sales}\n", []string{`4:27: error: shop: namespace must be a mapping, found text`}},
		{"nothing under known keys", dataset + "  meta:\n  collections: []\n  fides_meta: {namespace: , after: , redact: }\n", []string{}},
		{"tagged", dataset + "  name: !secret x\n  collections: []\n", []string{
			`3:9: error: shop: name must be text, found a value tagged !secret`,
		}},
		{"meta is text", dataset + "  collections: []\n  fidesops_meta: a\n", []string{`4:18: error: shop: fidesops_meta must be a mapping, found text`}},
		{"both metas", dataset + "  collections: []\n  fidesops_meta:\n  fides_meta: {redact: x}\n", []string{
			`5:3: error: shop: fides_meta and fidesops_meta are names of one thing: keep one`,
		}},

		// Collections.
		{"bare collection", dataset + "  collections:\n  - description: x\n  - a\n", []string{
			`4:5: error: shop: a collection has no name`,
			`4:5: error: shop: a collection has no fields: write fields: [] when there are none yet`,
			`5:5: error: shop: a collection must be a mapping, found text`,
		}},
		{"collections twice", collection + "  - name: orders\n    fields: []\n  - name: customer\n    fields: []\n", []string{
			`8:5: error: shop: the collection "customer" is declared twice: first on line 4`,
		}},
		{"collection meta", collection + indent("    ", `fides_meta:
  after: [orders, crm.person, a.b.c, .b, a.]
  erase_after: crm.person
  skip_processing: 1
  partitioning: day
  redact: [name]
  masking_strategy_override: {strategy: null_rewrite}`), []string{
			`7:15: error: shop:customer: after: "orders" must be written dataset.collection, with one dot`,
			`7:35: error: shop:customer: after: "a.b.c" must be written dataset.collection, with one dot`,
			`7:42: error: shop:customer: after: ".b" must be written dataset.collection, with one dot`,
			`7:46: error: shop:customer: after: "a." must be written dataset.collection, with one dot`,
			`8:20: error: shop:customer: erase_after must be a list, found text`,
			`9:24: error: shop:customer: skip_processing must be true or false, found a number`,
			`10:21: error: shop:customer: partitioning must be a mapping or a list, found text`,
			`11:15: error: shop:customer: redact must be text, found a list`,
			`12:34: error: shop:customer: a collection's masking strategy can only be delete, found "null_rewrite": mask single fields by an override of their own`,
		}},

		// Fields.
		{"text for a field", inField("- a"), []string{`7:7: error: not YAML: did not find expected key`}},
		{"no name", collection + "  - name: orders\n    fields: [a, {description: x}, {name: ~}, {name: 7}]\n", []string{
			`7:14: error: shop:orders: a field must be a mapping, found text`,
			`7:17: error: shop:orders: a field has no name`,
			`7:42: error: shop:orders: the name of a field is empty`,
			`7:53: error: shop:orders: name must be text, found a number: put it in quotes`,
		}},
		{"fields twice", inField("fields:\n- name: a\n- name: b\n- name: a"), []string{
			`10:9: error: shop:customer.email: the field "a" is declared twice: first on line 8`,
		}},
		{"sub-field", inField("fields:\n- name: a\n  fields:\n  - name: b\n    fides_meta: {length: 0}"), []string{
			`11:32: error: shop:customer.email.a.b: length must be a whole number above 0`,
		}},
		{"data_type", inField("fides_meta: {data_type: text}"), []string{
			`7:31: error: shop:customer.email: unknown data_type "text": want string, integer, float, boolean, object_id or object, or one of them with [] behind it`,
		}},
		{"array of arrays", inField("fides_meta: {data_type: 'string[][]'}"), []string{
			`7:31: error: shop:customer.email: unknown data_type "string[][]": want string, integer, float, boolean, object_id or object, or one of them with [] behind it`,
		}},
		{"array of nothing", inField("fides_meta: {data_type: '[]'}"), []string{
			`7:31: error: shop:customer.email: unknown data_type "[]": want string, integer, float, boolean, object_id or object, or one of them with [] behind it`,
		}},
		{"fields under text", inField("fields: [{name: a}]\nfides_meta: {data_type: 'string[]'}"), []string{
			`8:31: error: shop:customer.email: a field of type string[] cannot have fields: only object and object[] can`,
		}},
		{"return_all_elements", inField("fides_meta: {data_type: string, return_all_elements: true}"), []string{
			`7:39: error: shop:customer.email: return_all_elements is for arrays: declare a data_type that ends in []`,
		}},
		{"length", inField("fides_meta: {length: -1}"), []string{`7:28: error: shop:customer.email: length must be a whole number above 0`}},
		{"length in quotes", inField("fides_meta: {length: '40'}"), []string{`7:28: error: shop:customer.email: length must be a whole number above 0`}},
		{"flags", inField("fides_meta: {primary_key: maybe, read_only: {}, identity: 1}"), []string{
			`7:33: error: shop:customer.email: primary_key must be true or false, found text`,
			`7:51: error: shop:customer.email: read_only must be true or false, found a mapping`,
			`7:65: error: shop:customer.email: identity must be text, found a number: put it in quotes`,
		}},
		{"references", inField("fides_meta:\n  references:\n  - {dataset: crm, field: person, direction: both}\n  - {dataset: c m, field: a..b, direction: from}\n  - {fields: a.b}\n  - crm.person"), []string{
			`9:33: error: shop:customer.email: a reference's field "person" must be written collection.field`,
			`9:52: error: shop:customer.email: a reference's direction must be from or to, found "both"`,
			`10:21: error: shop:customer.email: a reference's dataset "c m" is not the key of a dataset`,
			`10:33: error: shop:customer.email: a reference's field "a..b" must be written collection.field`,
			`11:11: error: shop:customer.email: a reference has no dataset`,
			`11:11: error: shop:customer.email: a reference has no field`,
			`11:12: warning: shop:customer.email: the key fields has no effect here: it belongs to a collection or a field`,
			`12:11: error: shop:customer.email: a reference must be a mapping, found text`,
		}},
		{"override of nothing", inField("fides_meta: {masking_strategy_override: {configuration: [a]}}"), []string{
			`7:47: error: shop:customer.email: masking_strategy_override has no strategy`,
			`7:63: error: shop:customer.email: configuration must be a mapping, found a list`,
		}},
		{"override is text", inField("fides_meta: {masking_strategy_override: hash}"), []string{
			`7:47: error: shop:customer.email: masking_strategy_override must be a mapping, found text`,
		}},
		{"override with a secret", inField("fides_meta: {masking_strategy_override: {strategy: hmac}}"), []string{
			`7:47: error: shop:customer.email: the masking strategy "hmac" needs a secret, which a field's override has none of: name it in the policy's rule`,
		}},
		{"override of null", inField("fides_meta: {masking_strategy_override: , redact: }"), []string{}},
		{"override deletes", inField("fides_meta: {masking_strategy_override: {strategy: delete}}"), []string{
			`7:47: error: shop:customer.email: the masking strategy delete removes whole rows: declare it on the collection`,
		}},
		{"category", inField("data_categories: [user name, user..name, '']"), []string{
			`7:25: error: shop:customer.email: "user name" is not a data category: want letters, digits and _ < > - in segments joined by dots`,
			`7:36: error: shop:customer.email: "user..name" is not a data category: want letters, digits and _ < > - in segments joined by dots`,
			`7:48: error: shop:customer.email: an item of data_categories is empty`,
		}},
		{"no effect, told once a file", inField("data_qualifier: x\nretention: 1\nfields: [{name: a, retention: 2}]"), []string{
			`7:7: warning: shop:customer.email: the key data_qualifier has no effect on requests`,
			`8:7: warning: shop:customer.email: the key retention has no effect on requests`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load("", []byte(tc.src), nil)
			require.Equal(t, tc.want, told(diags))
			if diags.Err() != nil {
				require.Nil(t, datasets)
			}
		})
	}
}

// What strict mode refuses, loads with a warning otherwise.
func TestLoadDoubts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		src  string
		want string
	}{
		{"category", inField("data_categories: [user.contact.phone]"), `7:25: %s: shop:customer.email: unknown data category user.contact.phone: did you mean user.contact.phone_number?`},
		{"typing error", inField("data_categories: [user.contact.emial]"), `7:25: %s: shop:customer.email: unknown data category user.contact.emial: did you mean user.contact.email?`},
		{"far category", inField("data_categories: [invoices]"), `7:25: %s: shop:customer.email: unknown data category invoices: add it to the taxonomy if it is your own`},
		{"type", inField("fides_meta: {type: object}"), `7:20: %s: shop:customer.email: unknown key type in the fides_meta of a field: did you mean data_type?`},
		{"meta key outside", inField("data_type: string"), `7:7: %s: shop:customer.email: the key data_type has no effect here: it belongs to the fides_meta of a field`},
		{"references outside", inField("references: []"), `7:7: %s: shop:customer.email: the key references has no effect here: it belongs to the fides_meta of a field`},
		{"key inside meta", inField("fides_meta: {data_categories: [user]}"), `7:20: %s: shop:customer.email: the key data_categories has no effect here: it belongs to a field`},
		{"fields inside meta", inField("fides_meta: {fields: []}"), `7:20: %s: shop:customer.email: the key fields has no effect here: it belongs to a field`},
		{"key of a collection", inField("fides_meta: {erase_after: [a.b]}"), `7:20: %s: shop:customer.email: the key erase_after has no effect here: it belongs to the fides_meta of a collection`},
		{"key of two", inField("fides_meta: {after: [a.b]}"), `7:20: %s: shop:customer.email: the key after has no effect here: it belongs to the fides_meta of a dataset or the fides_meta of a collection`},
		{"spelling", inField("Data-Categories: []"), `7:7: %s: shop:customer.email: unknown key Data-Categories in a field: did you mean data_categories?`},
		{"key of a field", "dataset:\n- fides_key: a\n  collections:\n  - {name: b, fields: [], identity: email}\n", `4:27: %s: a:b: the key identity has no effect here: it belongs to the fides_meta of a field`},
		{"key of a collection inside meta", "dataset:\n- fides_key: a\n  collections:\n  - {name: b, fields: [], fides_meta: {data_categories: [user]}}\n", `4:40: %s: a:b: the key data_categories has no effect here: it belongs to a collection`},
		{"endless", inField(strings.Repeat("x", 50) + ": red"), `7:7: %s: shop:customer.email: unknown key ` + strings.Repeat("x", 50) + ` in a field`},
		{"unknown", inField("colour: red"), `7:7: %s: shop:customer.email: unknown key colour in a field`},
		{"identity of an object", inField("fides_meta: {identity: email, data_type: object}"), `7:20: %s: shop:customer.email: identity has no effect on an object: declare it on one of its fields`},
		{"key of an object", inField("fields: [{name: a}]\nfides_meta: {primary_key: true}"), `8:20: %s: shop:customer.email: primary_key has no effect on an object: declare it on one of its fields`},
		{"override", inField("fides_meta: {masking_strategy_override: {strategy: preserve, config: {}}}"), `7:68: %s: shop:customer.email: unknown key config in a masking_strategy_override`},
		{"reference", inField("fides_meta: {references: [{dataset: a, field: b.c, directon: to}]}"), `7:58: %s: shop:customer.email: unknown key directon in a reference: did you mean direction?`},
		{"names", "dataset:\n- {fides_key: a, collections: [], names: x}\n", `2:35: %s: a: unknown key names in a dataset: did you mean name?`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load("", []byte(tc.src), nil)
			require.Equal(t, []string{strings.Replace(tc.want, "%s", "warning", 1)}, told(diags))
			require.Len(t, datasets, 1)
			datasets, diags = graph.Load("", []byte(tc.src), &graph.LoadOptions{Strict: true})
			require.Equal(t, []string{strings.Replace(tc.want, "%s", "error", 1)}, told(diags))
			require.Nil(t, datasets)
		})
	}
}

// What an object cannot have does not reach the data map.
func TestLoadObjectDropsKeys(t *testing.T) {
	t.Parallel()
	datasets, diags := graph.Load("", []byte(inField(
		"fides_meta: {data_type: 'object[]', identity: email, length: 3, primary_key: true, references: [{dataset: a, field: b.c}], read_only: true}",
	)), nil)
	require.Len(t, diags.Warnings(), 4)
	require.NoError(t, diags.Err())
	require.Equal(t, &graph.Field{
		Name:     "email",
		Type:     graph.Type{Kind: graph.Object, Array: true},
		ReadOnly: true,
		Pos:      graph.Position{Line: 6, Column: 7},
	}, datasets[0].Collections[0].Fields[0])
}
