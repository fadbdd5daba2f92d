package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const boxesYAML = `
dataset:
  - fides_key: store
    collections:
      - name: boxes
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: box, data_categories: [user.content]}
`

// boxes delivers one row that holds a document, in a format.
func boxes(t *testing.T, box any, kind dsr.ColumnKind, format storage.Format, patterns ...string) (w *world, names []string, files map[string]string) {
	t.Helper()
	var opts *memory.ConnectorOptions
	if kind != "" {
		opts = &memory.ConnectorOptions{Schemas: map[string]dsr.Schema{"boxes": {Key: []string{"id"}, Columns: []dsr.Column{
			{Name: "id", Kind: dsr.ColumnInteger}, {Name: "email", Kind: dsr.ColumnText}, {Name: "box", Kind: kind, Nullable: true},
		}}}}
	}
	w = newWorld(t, boxesYAML, map[string]*memory.Connector{"store": memory.NewConnector(map[string][]map[string]any{
		"boxes": {{"id": 1, "email": "ada@example.com", "box": box}},
	}, opts)})
	req := redacted(t, w, patterns, func(c *dsr.Config) {
		c.Destinations["folder"] = dsr.Destination{Storage: c.Destinations["folder"].Storage, Format: format}
	}, graph.Rule{Key: "a", Action: graph.Access, Targets: []graph.Category{"user"}})
	if format == (storage.JSON{}) {
		return w, nil, map[string]string{"r1.json": w.packages.file(req.Packages[0].Name)}
	}
	files, names = zipped(t, w.packages.file(req.Packages[0].Name))
	return w, names, files
}

// A schema that does not tell of documents hides none of their names from
// redaction.
func TestRedactionOfDocumentsWithoutASchema(t *testing.T) {
	t.Parallel()
	box := map[string]any{"secret_key": 1, "a": []any{map[string]any{"secret_inside": true}}}
	for _, kind := range []dsr.ColumnKind{"", dsr.ColumnText, dsr.ColumnDocument} {
		for name, format := range map[string]storage.Format{"json": storage.JSON{}, "csv": storage.CSV{}, "html": storage.HTML{}} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				w, names, files := boxes(t, box, kind, format, "secret.*")
				for file, content := range files {
					require.NotContains(t, content, "secret", file)
				}
				require.NotContains(t, strings.Join(names, " "), "secret")
				require.NotContains(t, w.packages.file("r1.manifest.json"), "secret")
				if name == "json" {
					require.Contains(t, files["r1.json"], `{"box":{"a":[{"field_1":true}],"field_1":1},`)
				}
			})
		}
	}
}

// Objects within objects do not become more columns than a spreadsheet holds.
func TestPackageCSVBoundsColumns(t *testing.T) {
	t.Parallel()
	box := map[string]any{}
	for i := range 150 {
		inner := map[string]any{}
		for j := range 150 {
			inner[fmt.Sprintf("j%03d", j)] = i * j
		}
		box[fmt.Sprintf("i%03d", i)] = inner
	}
	_, _, files := boxes(t, box, "", storage.CSV{})
	r := storage.NewCSVReader(strings.NewReader(files["store/boxes.csv"]))
	header, err := r.Header()
	require.NoError(t, err)
	require.LessOrEqual(t, len(header), 1003)
	require.Greater(t, len(header), 150)
	cells, err := r.Read()
	require.NoError(t, err)
	require.Len(t, cells, len(header))
	_, err = r.Read()
	require.ErrorIs(t, err, io.EOF)
	require.Contains(t, files["store/boxes.csv"], `""j149"":22201`)
	_, _, again := boxes(t, box, "", storage.CSV{})
	require.Equal(t, files["store/boxes.csv"], again["store/boxes.csv"])
}

// A name that is not UTF-8 is shown with a replacement, in every format.
func TestPackageOfNamesThatAreNotText(t *testing.T) {
	t.Parallel()
	box := map[string]any{"\xff\xfe": "v"}
	_, _, files := boxes(t, box, "", storage.CSV{})
	require.Contains(t, files["store/boxes.csv"], `"box.`+"\ufffd\ufffd"+`"`)
	_, _, files = boxes(t, box, "", storage.JSON{})
	require.Contains(t, files["r1.json"], `{"\ufffd\ufffd":"v"}`)
}

// What the operating system says of a host's file names it no more.
func TestFailingAttachmentTellsNoName(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]storage.Format{"json": storage.JSON{}, "csv": storage.CSV{}, "html": storage.HTML{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
				destined(func(d *dsr.Destination) { d.Format = format })(c)
				c.Attachments = func(context.Context, *dsr.Request, string) ([]*storage.Attachment, error) {
					return []*storage.Attachment{{Name: "passport", Open: func(context.Context) (io.ReadCloser, error) {
						return os.Open(filepath.Join("nowhere", "Ada-Lovelace.pdf"))
					}}}, nil
				}
			})
			o.submitted(t, submission("both", "ada@example.com"))
			_, err := o.Advance(t.Context(), "r1")
			require.ErrorContains(t, err, "storage: open a file for the package: no such file or directory")
			require.NotContains(t, err.Error(), "Ada")
			require.NotContains(t, o.get(t, "r1").Failure, "Ada")
			require.NotContains(t, o.logs.String(), "Ada")
			require.Empty(t, o.packages.names())
		})
	}
}

// A format that can write nothing, and keys whose files would be one, are found
// before there is a request.
func TestNewTriesDestinations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, boxesYAML, map[string]*memory.Connector{"store": memory.NewConnector(map[string][]map[string]any{"boxes": nil}, nil)})
	rule := func(key string) graph.Rule {
		return graph.Rule{Key: key, Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "folder"}
	}
	c := w.config(nil, policy(rule("all"), rule("All"), rule("all.Manifest")))
	folder := c.Destinations["folder"].Storage
	c.Destinations["pages"] = dsr.Destination{Storage: folder, Format: storage.HTML{PageRows: -1}}
	c.Destinations["no format"] = dsr.Destination{Storage: folder, Format: (*storage.CSV)(nil)}
	c.Destinations["no folder"] = dsr.Destination{Storage: (*storage.Folder)(nil)}
	_, err := dsr.New(c)
	for _, want := range []string{
		`destination "pages": Format: storage: `,
		`destination "no format": Format: it is a nil *storage.CSV`,
		`destination "no folder" has no Storage`,
		`rules "all" and "All" differ in case only, and so would their packages`,
		`rule "all.Manifest": its package could have the name of a manifest; give it a key that does not end in .manifest`,
		`the configuration has 5 fault(s)`,
	} {
		require.ErrorContains(t, err, want)
	}
}

// A destination that can sign no address is read instead.
func TestRedirectWhereNothingCanBeSigned(t *testing.T) {
	t.Parallel()
	folder := storage.NewFolder(t.TempDir(), nil)
	at := &served{Destination: folder, err: fmt.Errorf("this driver: %w", errors.ErrUnsupported)}
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: &openable{at, folder}}}
	})
	o.submitted(t, submission("both", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	token, _, err := o.engine.Downloads().Link(t.Context(), "r1", "", nil)
	require.NoError(t, err)
	d, err := o.engine.Downloads().Open(t.Context(), token, &dsr.OpenOptions{Redirect: 1 << 60})
	require.NoError(t, err)
	require.Empty(t, d.URL)
	data, err := io.ReadAll(d.Content)
	require.NoError(t, err)
	require.NoError(t, d.Content.Close())
	require.Contains(t, string(data), "ada@example.com")
}
