package graph_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

// told returns the diagnostics as a reader sees them.
func told(diags graph.Diagnostics) []string {
	lines := []string{}
	for _, d := range diags {
		lines = append(lines, d.String())
	}
	return lines
}

// inField wraps lines into the fides_meta of the only field, on line 7.
func inField(lines string) string {
	return "dataset:\n- fides_key: shop\n  collections:\n  - name: customer\n    fields:\n    - name: email\n" + indent("      ", lines)
}

func indent(by, lines string) string {
	return by + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n"+by) + "\n"
}

func TestLoadEveryKey(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"everykey", "anchors"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(filepath.Join("testdata", name+".yml"))
			require.NoError(t, err)
			datasets, diags := graph.Load(name+".yml", src, &graph.LoadOptions{Strict: true})
			require.Equal(t, []string{}, told(diags))
			got, err := json.MarshalIndent(datasets, "", "  ")
			require.NoError(t, err)
			want, err := os.ReadFile(filepath.Join("testdata", name+".json"))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}

func TestLoadPositions(t *testing.T) {
	t.Parallel()
	datasets, diags := graph.Load("shop.yml", []byte(`dataset:
  - fides_key: shop
    collections:
      - name: orders
        fields:
          - name: id
          - name: customer_id
            fides_meta:
              references:
                - dataset: shop
                  field: customer.id
      - name: customer
        fields: []
`), nil)
	require.Equal(t, []string{}, told(diags))
	at := func(line, column int) graph.Position {
		return graph.Position{File: "shop.yml", Line: line, Column: column}
	}
	shop := datasets[0]
	require.Equal(t, at(2, 5), shop.Pos)
	require.Equal(t, "customer", shop.Collections[0].Name)
	require.Equal(t, at(12, 9), shop.Collections[0].Pos)
	require.Equal(t, at(4, 9), shop.Collections[1].Pos)
	require.Equal(t, "customer_id", shop.Collections[1].Fields[0].Name)
	require.Equal(t, at(7, 13), shop.Collections[1].Fields[0].Pos)
	require.Equal(t, at(10, 19), shop.Collections[1].Fields[0].References[0].Pos)
}

func TestLoadWords(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		meta string
		want graph.Field
	}{
		{"fides_meta:", graph.Field{}},
		{"fidesops_meta: {primary_key: True}", graph.Field{PrimaryKey: true}},
		{"fides_meta: {primary_key: yes, read_only: On}", graph.Field{PrimaryKey: true, ReadOnly: true}},
		{"fides_meta: {primary_key: no, read_only: 'false', return_all_elements: false}", graph.Field{}},
		{"fides_meta: {data_type: null, length: null, references: null, identity: ~}", graph.Field{}},
		{"fides_meta: {data_type: 'integer[]'}", graph.Field{Type: graph.Type{Kind: graph.Integer, Array: true}}},
		{"fields: [{name: a}]", graph.Field{Type: graph.Type{Kind: graph.Object}, Fields: []*graph.Field{{Name: "a"}}}},
		{"fields: []\nfides_meta: {data_type: string}", graph.Field{Type: graph.Type{Kind: graph.String}}},
		{"fides_meta: {redact: none}", graph.Field{Redact: graph.RedactNone}},
		{"data_categories:", graph.Field{}},
		{
			"fides_meta: {masking_strategy_override: {strategy: null_rewrite}}",
			graph.Field{Masking: &graph.Masking{Strategy: "null_rewrite"}},
		},
		{
			"data_categories: [user.provided.identifiable.contact.email, user.browsing_history]",
			graph.Field{Categories: []graph.Category{"user.provided.identifiable.contact.email", "user.browsing_history"}},
		},
	} {
		t.Run(tc.meta, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load("", []byte(inField(tc.meta)), &graph.LoadOptions{Strict: true})
			require.Equal(t, []string{}, told(diags))
			got := datasets[0].Collections[0].Fields[0]
			tc.want.Name, tc.want.Pos = "email", graph.Position{Line: 6, Column: 7}
			for i, f := range tc.want.Fields {
				f.Pos = got.Fields[i].Pos
			}
			require.Equal(t, tc.want, *got)
		})
	}
}

func TestLoadOwnCategories(t *testing.T) {
	t.Parallel()
	taxonomy, err := graph.DefaultTaxonomy().With("user.loyalty")
	require.NoError(t, err)
	src := []byte(inField("data_categories: [user.loyalty]"))
	_, diags := graph.Load("", src, &graph.LoadOptions{Strict: true, Taxonomy: taxonomy})
	require.Equal(t, []string{}, told(diags))
	_, diags = graph.Load("", src, nil)
	require.Equal(t, []string{"7:25: warning: shop:customer.email: unknown data category user.loyalty: add it to the taxonomy if it is your own"}, told(diags))
}

func TestLoadSeveralDocuments(t *testing.T) {
	t.Parallel()
	datasets, diags := graph.Load("", []byte(`---
# nothing here
---
dataset:
- {fides_key: b, collections: []}
- {fides_key: a, collections: []}
---
dataset: []
---
dataset:
- {fides_key: c, collections: []}
`), nil)
	require.Equal(t, []string{}, told(diags))
	keys := []string{}
	for _, ds := range datasets {
		keys = append(keys, ds.Key)
	}
	require.Equal(t, []string{"b", "a", "c"}, keys)
}

// An expansion of aliases that would fill the memory is refused, and so is
// nesting that would fill the stack.
func TestLoadBombs(t *testing.T) {
	t.Parallel()
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	nested := "dataset: [{fides_key: a, collections: [{name: b, fields: " +
		strings.Repeat("[{name: c, fields: ", 150) + "[]" + strings.Repeat("}]", 150) + "}]}]\n"
	for _, tc := range []struct{ name, src, want string }{
		{"aliases", bomb, "1:16: error: the aliases of this file stand for more than 100000 nodes"},
		{"aliases of a long text", "dataset:\n- fides_key: a\n  collections: []\n  meta: {a: &a " + strings.Repeat("x", 10_000) + ", b: [" + strings.Repeat("*a,", 10_000) + "]}\n", "4:13: error: the aliases of this file stand for more than 1048576 bytes of text"},
		{"sub-fields", nested, "1:1903: error: nested deeper than 200 levels"},
		{"lists", strings.Repeat("[", 200_000), "1:1: error: not YAML: exceeded max depth of 10000"},
		{"self", "dataset: &a\n- fides_key: x\n  collections: *a\n", `3:16: error: the anchor "a" holds itself`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			datasets, diags := graph.Load("", []byte(tc.src), nil)
			require.Nil(t, datasets)
			require.Equal(t, []string{tc.want}, told(diags))
		})
	}
}

func TestLoadFS(t *testing.T) {
	t.Parallel()
	dataset := func(key string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte("dataset:\n- {fides_key: " + key + ", collections: []}\n")}
	}
	files := fstest.MapFS{
		"data/b.yml":     dataset("b"),
		"data/a.yml":     dataset("a"),
		"data/c.yaml":    dataset("c"),
		"bad/a.yml":      dataset("a"),
		"bad/broken.yml": {Data: []byte("dataset:\n- {fides_key: e f, collections: 1, x: 2}\n")},
		"bad/folder.yml": {Mode: os.ModeDir},
	}
	t.Run("in order and each once", func(t *testing.T) {
		t.Parallel()
		datasets, diags, err := graph.LoadFS(files, []string{"data/*.yaml", "data/*", "data/b.yml"}, nil)
		require.NoError(t, err)
		require.Equal(t, []string{}, told(diags))
		keys := []string{}
		for _, ds := range datasets {
			keys = append(keys, ds.Key+" "+ds.Pos.String())
		}
		require.Equal(t, []string{"a data/a.yml:2:3", "b data/b.yml:2:3", "c data/c.yaml:2:3"}, keys)
	})
	t.Run("every fault of every file", func(t *testing.T) {
		t.Parallel()
		datasets, diags, err := graph.LoadFS(files, []string{"data/a.yml", "bad/*", "none/*", "[", "data/c.yaml"}, nil)
		require.Nil(t, datasets)
		require.Equal(t, []string{
			"error: none/*: no file matches this pattern",
			"error: [: not a file pattern: syntax error in pattern",
			`bad/broken.yml:2:15: error: e f: the fides_key may hold only letters, digits and _ . < > -`,
			`bad/broken.yml:2:33: error: e f: collections must be a list, found a number`,
			`bad/broken.yml:2:36: warning: e f: unknown key x in a dataset`,
			"bad/folder.yml: error: the file cannot be read: read bad/folder.yml: invalid argument",
			"data/a.yml:2:15: error: a: the fides_key is used twice: first at bad/a.yml:2:15",
		}, told(diags))
		var faults *graph.FaultError
		require.ErrorAs(t, err, &faults)
		require.Len(t, faults.Faults, 6)
	})
	t.Run("no pattern", func(t *testing.T) {
		t.Parallel()
		_, _, err := graph.LoadFS(files, nil, nil)
		require.EqualError(t, err, "dsr: error: no dataset files are named: want at least one pattern")
	})
}

func FuzzLoad(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.yml")
	require.NoError(f, err)
	for _, name := range seeds {
		src, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(src)
	}
	f.Add([]byte("dataset: &a [*a]"))
	f.Add([]byte("dataset: [a] " + strings.Repeat("[b, 'c', {d: e}], ", 500)))
	f.Add([]byte("dataset:\n- <<: [{fides_key: a}, 1]\n  ? [x]\n  : y\n"))
	f.Add([]byte("dataset: [{name: ! x, fides_key: !!int x, description: !y z}]"))
	f.Add([]byte("dataset: !!int x\n--- \xff"))
	for _, tc := range costly {
		f.Add([]byte(tc.src(1500)))
	}
	f.Add([]byte("dataset:\r- a: 1\r  b\u0085 - c\u2028d\r\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		datasets, diags := graph.Load("f.yml", src, nil)
		again, diagsAgain := graph.Load("f.yml", src, nil)
		require.Equal(t, datasets, again)
		require.Equal(t, diags, diagsAgain)
		if diags.Err() != nil {
			require.Nil(t, datasets)
		}
		for _, d := range diags {
			require.Positive(t, d.Pos.Line, d.Message)
			require.Positive(t, d.Pos.Column, d.Message)
		}
		checkTold(t, src, diags)
		_, err := json.Marshal(datasets)
		require.NoError(t, err)
	})
}
