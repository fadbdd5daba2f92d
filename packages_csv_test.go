package dsr_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const petsYAML = `
dataset:
  - fides_key: pets
    collections:
      - name: owners
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
          - name: profile
            data_categories: [user.content]
            fides_meta: {data_type: object}
            fields:
              - {name: nick, fides_meta: {data_type: string}}
      - name: visits
        fields:
          - {name: id, data_categories: [user.content], fides_meta: {primary_key: true, data_type: integer}}
          - {name: owner, data_categories: [user.content], fides_meta: {references: [{dataset: pets, field: owners.id, direction: from}]}}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
          - {name: field_1, data_categories: [user.content]}
      - name: bills
        fields:
          - {name: id, data_categories: [user.content], fides_meta: {primary_key: true, data_type: integer}}
          - {name: owner, data_categories: [user.content], fides_meta: {references: [{dataset: pets, field: owners.id, direction: from}]}}
`

func petsRows() map[string][]map[string]any {
	keys := map[string]any{}
	for i := range 300 {
		keys[fmt.Sprintf("k%03d", i)] = i
	}
	return map[string][]map[string]any{
		"owners": {{"id": 1, "email": "ada@example.com", "name": "=Ada", "profile": map[string]any{
			"nick": "Al", "tags": []any{"a", 1}, "home": map[string]any{"city": "Oslo", "a.b": true},
		}}, {"id": 2, "email": "ada@example.com", "name": nil, "profile": map[string]any{
			"nick": "", "home": "unknown", "seen": map[string]any{}, "many": keys,
		}}},
		"visits": {{"id": 7, "owner": 1, "note": "scratched;=1+1\n\"bit\"", "field_1": -1}, {"id": 8, "owner": 2, "note": nil, "field_1": nil}},
		"bills":  {},
	}
}

// zipped returns the files of a zip by name, and the names in order. MANY
// stands for what manyKeys returns.
func zipped(t *testing.T, data string) (files map[string]string, names []string) {
	t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	files = map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		files[f.Name] = strings.ReplaceAll(string(text), manyKeys(), "MANY")
		names = append(names, f.Name)
	}
	return files, names
}

// csvPackage runs a request that is delivered as CSV.
func csvPackage(t *testing.T, yaml string, rows map[string][]map[string]any) (files map[string]string, names []string, manifest *storage.Manifest) {
	t.Helper()
	w := newWorld(t, yaml, map[string]*memory.Connector{"pets": memory.NewConnector(rows, nil)})
	c := w.config(nil, policy(graph.Rule{Key: "a", Action: graph.Access, Targets: []graph.Category{"user"}}))
	dest := c.Destinations["folder"]
	dest.Format = storage.CSV{}
	c.Destinations["folder"] = dest
	c.Attachments = func(context.Context, *dsr.Request, string) ([]*storage.Attachment, error) {
		return []*storage.Attachment{{Name: "../scan.txt", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("a scan")), nil
		}}}, nil
	}
	e := newEngine(t, c)
	submit(t, e, "email", "ada@example.com")
	req, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []string{"r1.manifest.json", "r1.zip"}, w.packages.names())

	data := w.packages.file("r1.zip")
	manifest = &storage.Manifest{}
	require.NoError(t, json.Unmarshal([]byte(w.packages.file("r1.manifest.json")), manifest))
	require.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte(data))), manifest.SHA256)
	require.Equal(t, "r1.zip", manifest.Package)
	require.Equal(t, int64(4), manifest.Rows)
	files, names = zipped(t, data)
	return files, names, manifest
}

// manyKeys is the JSON of the keys of petsRows as a cell.
func manyKeys() string {
	var out bytes.Buffer
	for i := range 300 {
		fmt.Fprintf(&out, `,""k%03d"":%d`, i, i)
	}
	return `"{` + out.String()[1:] + `}"`
}

func TestPackageCSV(t *testing.T) {
	t.Parallel()
	files, names, manifest := csvPackage(t, petsYAML, petsRows())
	require.Equal(t, []string{"pets/owners.csv", "pets/visits.csv", "attachments/_scan.txt", "contents.csv"}, names)
	const mark, eol = "\ufeff", "\r\n"
	require.Equal(t, mark+`"email","id","name","profile.home","profile.home.a\.b","profile.home.city","profile.many","profile.nick","profile.seen","profile.tags"`+eol+
		`"ada@example.com",1,"'=Ada",,true,"Oslo",,"Al",,"[""a"",1]"`+eol+
		`"ada@example.com",2,,"unknown",,,MANY,"","{}",`+eol, files["pets/owners.csv"])
	require.Equal(t, mark+`"field_1","id","note","owner"`+eol+
		`-1,7,"scratched;'=1+1`+"\n"+`""bit""",1`+eol+
		`,8,,2`+eol, files["pets/visits.csv"])
	require.Equal(t, "a scan", files["attachments/_scan.txt"])
	require.Equal(t, mark+`"address","state","rows","uncastable","file","message"`+eol+
		`"pets:bills","done",0,0,,`+eol+
		`"pets:owners","done",2,0,"pets/owners.csv",`+eol+
		`"pets:visits","done",2,0,"pets/visits.csv",`+eol, files["contents.csv"])
	require.Equal(t, []storage.ManifestCollection{
		{Address: "pets:bills", State: storage.StateDone},
		{Address: "pets:owners", State: storage.StateDone, Rows: 2, File: "pets/owners.csv"},
		{Address: "pets:visits", State: storage.StateDone, Rows: 2, File: "pets/visits.csv"},
	}, manifest.Collections)
}

// Names that the dataset hides are hidden in headers, paths, contents and
// manifest; where one would be shown in their place, it is another.
func TestPackageCSVRedacted(t *testing.T) {
	t.Parallel()
	yaml := petsYAML
	for _, hide := range [][2]string{
		{"  - fides_key: pets\n", "  - fides_key: pets\n    fides_meta: {redact: name}\n"},
		{"      - name: owners\n", "      - name: owners\n        fides_meta: {redact: name}\n"},
		{"fides_meta: {identity: email, ", "fides_meta: {redact: name, identity: email, "},
		{"fides_meta: {data_type: object}", "fides_meta: {redact: name, data_type: object}"},
		{"{name: nick, fides_meta: {", "{name: nick, fides_meta: {redact: name, "},
		{"{name: note, data_categories: [user.content], fides_meta: {", "{name: note, data_categories: [user.content], fides_meta: {redact: name, "},
	} {
		require.Equal(t, 1, strings.Count(yaml, hide[0]), hide[0])
		yaml = strings.Replace(yaml, hide[0], hide[1], 1)
	}
	files, names, manifest := csvPackage(t, yaml, petsRows())
	require.Equal(t, []string{"dataset_1/collection_1.csv", "dataset_1/visits.csv", "attachments/_scan.txt", "contents.csv"}, names)
	const mark, eol = "\ufeff", "\r\n"
	require.Equal(t, mark+`"field_1","id","name","field_2.home","field_2.home.a\.b","field_2.home.city","field_2.many","field_2.field_1","field_2.seen","field_2.tags"`+eol+
		`"ada@example.com",1,"'=Ada",,true,"Oslo",,"Al",,"[""a"",1]"`+eol+
		`"ada@example.com",2,,"unknown",,,MANY,"","{}",`+eol, files["dataset_1/collection_1.csv"])
	require.Equal(t, mark+`"field_1","id","field_2","owner"`+eol+
		`-1,7,"scratched;'=1+1`+"\n"+`""bit""",1`+eol+
		`,8,,2`+eol, files["dataset_1/visits.csv"])
	require.Equal(t, mark+`"address","state","rows","uncastable","file","message"`+eol+
		`"dataset_1:bills","done",0,0,,`+eol+
		`"dataset_1:collection_1","done",2,0,"dataset_1/collection_1.csv",`+eol+
		`"dataset_1:visits","done",2,0,"dataset_1/visits.csv",`+eol, files["contents.csv"])
	told, err := json.Marshal(manifest)
	require.NoError(t, err)
	for _, hidden := range []string{"pets", "owners", "email", "profile", "nick", "note"} {
		require.NotContains(t, string(told), hidden)
	}
	require.Equal(t, "dataset_1/collection_1.csv", manifest.Collections[1].File)
}
