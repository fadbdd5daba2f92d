package openapitest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// schemas are what valid values must be made for nearly always.
func schemas() []string {
	return []string{
		`true`, `{}`, `{"type":"null"}`, `{"type":"boolean"}`, `{"const":{"a":1}}`, `{"enum":[1,"a",null]}`,
		`{"type":"string","minLength":3,"maxLength":5}`, `{"type":"string","maxLength":0}`, `{"type":["string","null"],"format":"uuid"}`,
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"duration"}`,
		`{"type":"string","format":"email"}`, `{"type":"string","format":"hostname"}`, `{"type":"string","format":"ipv4"}`, `{"type":"string","format":"ipv6"}`,
		`{"type":"string","format":"uri"}`, `{"type":"string","format":"uri-reference"}`, `{"type":"string","format":"regex"}`, `{"type":"string","format":"json-pointer"}`,
		`{"type":"string","pattern":"^(a|[^b]){2,4}\\d+\\w*x?$","maxLength":12}`, `{"type":"string","pattern":"^[\\p{L}\\s.'-]{1,9}$"}`,
		`{"type":"integer","minimum":3,"maximum":5}`, `{"type":"integer","exclusiveMinimum":-4,"exclusiveMaximum":-2}`, `{"type":"integer","multipleOf":7,"minimum":1}`,
		`{"type":"number","minimum":0.25,"exclusiveMaximum":1}`, `{"type":"integer","format":"int32"}`,
		`{"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3}`, `{"type":"array","uniqueItems":true,"items":{"type":"string","format":"uuid"}}`,
		`{"type":"array","prefixItems":[{"type":"string"},{"type":"null"}],"items":false}`,
		`{"type":"object","required":["a","x"],"properties":{"a":{"$ref":"#/components/schemas/NewWidget"}}}`,
		`{"type":"object","minProperties":2,"maxProperties":3,"additionalProperties":{"type":"boolean"}}`,
		`{"type":"object","propertyNames":{"pattern":"^k[0-9]{3}$"},"additionalProperties":{"type":"string"}}`,
		`{"oneOf":[{"type":"string"},{"type":"integer"},{"type":"object","required":["k"],"properties":{"k":{"const":1}}}]}`,
		`{"allOf":[{"$ref":"#/components/schemas/NewPart"},{"type":"object","required":["more"],"properties":{"more":{"type":"number"}}}]}`,
		`{"anyOf":[{"$ref":"#/components/schemas/Widget"},{"type":"null"}]}`,
		`{"type":"object","additionalProperties":false,"required":["id","a"],"properties":{"id":{"type":"string","readOnly":true},"a":{"type":"integer"}}}`,
	}
}

// withSchema puts a schema into the document of the widgets.
func withSchema(t testing.TB, schema string) *document {
	t.Helper()
	text, err := os.ReadFile("testdata/widgets.json")
	require.NoError(t, err)
	doc := object(decode(t, text))
	object(object(doc["components"])["schemas"])["NewWidgetX"] = true
	op := object(object(object(doc["paths"])["/widgets"])["post"])
	op["requestBody"] = map[string]any{"content": map[string]any{"application/json": map[string]any{"schema": json.RawMessage(schema)}}, "required": true}
	parsed, err := parse(encode(doc))
	require.NoError(t, err, schema)
	return parsed
}

func decode(t testing.TB, text []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(text, &value))
	return value
}

func creation(d *document) *operation {
	for _, op := range d.operations {
		if op.ID == "create" {
			return op
		}
	}
	return nil
}

func TestMadeValuesAreValid(t *testing.T) {
	t.Parallel()
	for _, schema := range schemas() {
		t.Run(schema, func(t *testing.T) {
			t.Parallel()
			d := withSchema(t, schema)
			op := creation(d)
			m := newMaker(1, d, newPool(nil))
			for range 200 {
				a := m.valid(op)
				require.Empty(t, a.forbidden(), "%s", a.body())
			}
		})
	}
}

func TestRecursionEnds(t *testing.T) {
	t.Parallel()
	d := withSchema(t, `{"$ref":"#/paths/~1widgets/post/requestBody/content/application~1json/schema/$defs/n","$defs":{"n":{"type":"object","required":["a","b"],"properties":{
		"a":{"type":"array","items":{"$ref":"#/paths/~1widgets/post/requestBody/content/application~1json/schema/$defs/n"}},
		"b":{"oneOf":[{"$ref":"#/paths/~1widgets/post/requestBody/content/application~1json/schema/$defs/n"},{"type":"null"}]}}}}}`)
	m := newMaker(1, d, newPool(nil))
	for range 50 {
		require.Empty(t, m.valid(creation(d)).forbidden())
	}
}

func TestForbiddenRequestsAreKnown(t *testing.T) {
	t.Parallel()
	d := withSchema(t, `{"type":"object","required":["a"],"properties":{"a":{"type":"integer"}}}`)
	for body, want := range map[string]string{
		`{"a":1}`:             "",
		`{"a":"1"}`:           "the body: at /a: got string, want integer",
		`{}`:                  "the body: at /: missing property 'a'",
		`{"a":1}x`:            "the body is no JSON",
		``:                    "the body is no JSON",
		`{"a":"1","a":1}`:     "", // which of them counts is the reader's choice
		"{\"a\":\"\xff\"}":    "",
		`{"b":{"a":1,"a":2}}`: "",
	} {
		a := &attempt{op: creation(d), bodied: true, raw: []byte(body), media: jsonMedia, described: jsonMedia}
		require.Equal(t, want, a.forbidden(), body)
	}
}

func TestWhatIsReadOnlyMayBeSentAndNeedNotBe(t *testing.T) {
	t.Parallel()
	d := withSchema(t, `{"type":"object","additionalProperties":false,"required":["id","a","at"],"properties":{
		"id":{"type":"string","readOnly":true},"at":{"$ref":"#/paths/~1widgets/post/requestBody/content/application~1json/schema/$defs/at"},
		"a":{"type":"object","required":["n","m"],"properties":{"n":{"const":null,"readOnly":true},"m":{"type":"integer"}}}
	},"$defs":{"at":{"type":"string","format":"date-time","readOnly":true}}}`)
	for body, want := range map[string]string{
		`{"a":{"m":1}}`: "",
		`{"a":{"m":1,"n":null},"id":"x","at":"2026-01-01T00:00:00Z"}`: "",
		`{"a":{"m":1,"n":2},"id":3,"at":"soon"}`:                      "", // as good as ignored
		`{"a":{"n":null}}`:                                            "the body: at /a: missing property 'm'",
		`{"a":{"m":1},"ID":"x"}`:                                      "the body: at /: additional properties 'ID' not allowed",
		`{"id":"x"}`:                                                  "the body: at /: missing property 'a'",
	} {
		a := &attempt{op: creation(d), bodied: true, raw: []byte(body), media: jsonMedia, described: jsonMedia}
		require.Equal(t, want, a.forbidden(), body)
	}
	m, sent := newMaker(1, d, newPool(nil)), map[bool]int{}
	for range 300 {
		a := m.valid(creation(d))
		require.Empty(t, a.forbidden(), "%s", a.body())
		_, has := object(decode(t, a.body()))["id"]
		sent[has]++
	}
	require.Greater(t, sent[true], 10)
	require.Greater(t, sent[false], 100)
}

func TestValuesOfAnswersGoIntoPaths(t *testing.T) {
	t.Parallel()
	p := newPool(nil)
	p.harvest(nounBefore("/v1/privacy-requests", ""), "", decode(t, []byte(`{"items":[{"id":"r-1","policy":{"key":"p-1"}}]}`)))
	m := newMaker(1, &document{}, p)
	drawn := func(path, name string) map[string]bool {
		seen := map[string]bool{}
		param := &parameter{name: name, in: "path"}
		param.schema = map[string]any{"type": "boolean"}
		for range 40 {
			seen[m.parameter(&operation{Operation: Operation{Path: path}}, param)[0]] = true
		}
		return seen
	}
	require.Contains(t, drawn("/v1/privacy-requests/{id}/log", "id"), "r-1")
	require.Contains(t, drawn("/v1/privacy-requests/{privacy_request_id}", "privacy_request_id"), "r-1")
	require.Contains(t, drawn("/v1/policies/{policy_key}", "policy_key"), "p-1")
	require.Contains(t, drawn("/v1/x/{policyKey}", "policyKey"), "p-1")
	require.NotContains(t, drawn("/v1/policies/{policy_key}", "policy_key"), "r-1")
}

// FuzzBuild holds that a request for any document, with any schema and any
// name, is built, sent as a wire wants it, made smaller and printed.
func FuzzBuild(f *testing.F) {
	for i, schema := range schemas() {
		f.Add(uint64(i), schema, "name", "/a/{b}")
	}
	f.Add(uint64(1), `{"type":"string"}`, "a b\x00\r\n", "/{a}{b}/ü%zz/..")
	f.Add(uint64(2), `{"type":"array","minItems":1e99,"items":{"minLength":1e300}}`, "é", "//")
	f.Add(uint64(3), `{"type":"number","multipleOf":1e-300,"minimum":-1e308,"maximum":1e308}`, "", "/")
	f.Fuzz(func(t *testing.T, seed uint64, schema, name, path string) {
		if !json.Valid([]byte(schema)) {
			return
		}
		parameters := []any{}
		for _, in := range []string{"query", "header", "cookie"} {
			if in == "query" || isToken(name) {
				parameters = append(parameters, map[string]any{"name": name, "in": in, "schema": json.RawMessage(schema)})
			}
		}
		for _, placeholder := range placeholders(path) {
			parameters = append(parameters, map[string]any{"name": placeholder, "in": "path", "required": true, "schema": json.RawMessage(schema)})
		}
		content := map[string]any{}
		for _, media := range []string{jsonMedia, formMedia, "*/*"} {
			content[media] = map[string]any{"schema": json.RawMessage(schema)}
		}
		text := encode(map[string]any{"openapi": "3.1.0", "paths": map[string]any{path: map[string]any{"post": map[string]any{
			"parameters": parameters, "requestBody": map[string]any{"content": content}, "responses": map[string]any{"default": map[string]any{"content": content}},
		}}}})
		d, err := parse(text)
		if err != nil {
			return
		}
		c := &Config{}
		m := newMaker(seed, d, newPool(map[string][]string{name: {schema}}))
		for range 5 {
			a := m.valid(d.operations[0])
			m.mutate(a)
			for _, b := range append(a.smaller(), a) {
				if b.size() > 1<<20 {
					continue
				}
				_ = b.text("/p")
				_ = b.forbidden()
				r, err := b.request(t.Context(), processHost, "/p")
				if err != nil {
					require.NotRegexp(t, `^/[a-z/{}]*$`, path, err)
					continue
				}
				var wire bytes.Buffer
				if err := r.Write(&wire); err != nil {
					continue
				}
				_, err = http.ReadRequest(bufio.NewReader(&wire))
				require.NoError(t, err)
			}
			got := answer{status: http.StatusOK, header: http.Header{"Content-Type": {jsonMedia}}, body: a.body()}
			for _, found := range c.check(a, got, d.astray(a)) {
				require.NotEmpty(t, found.key)
				require.False(t, strings.HasPrefix(found.detail, "%!"), fmt.Sprint(found))
			}
		}
	})
}
