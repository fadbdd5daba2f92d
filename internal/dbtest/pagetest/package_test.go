package pagetest_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// pack is a package that a test writes.
type pack struct {
	format      storage.HTML
	locale      string
	collections []collection
	files       []string
	contents    []storage.ManifestCollection
}

type collection struct {
	dataset, name string
	categories    []string
	columns       []storage.Column
	rows          []string
}

// write returns the unpacked package as a folder on disk.
func (p *pack) write(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w, err := p.format.NewWriter(&out, &storage.About{
		RequestID: "pri_1", Locale: p.locale,
		RequestedAt: time.Date(2026, 3, 4, 9, 5, 0, 0, time.UTC), Created: time.Date(2026, 3, 9, 14, 30, 0, 0, time.UTC),
		Identities: []storage.Identity{{Kind: "email", Values: []string{"user@example.com"}}, {Kind: "loyalty_card", Values: []string{"<b>7\u202e</b>"}}},
	})
	require.NoError(t, err)
	for _, c := range p.collections {
		require.NoError(t, w.Collection(&storage.Collection{Dataset: c.dataset, Name: c.name, Categories: c.categories, Columns: c.columns}))
		for _, row := range c.rows {
			require.NoError(t, w.Row([]byte(row)))
		}
	}
	for _, name := range p.files {
		_, err := w.Attach(&storage.Attachment{Name: name, Type: "text/plain", Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("content of " + name)), nil
		}})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close(t.Context(), p.contents))

	files, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	dir := t.TempDir()
	for _, f := range files.File {
		require.True(t, fs.ValidPath(f.Name), f.Name)
	}
	require.NoError(t, os.CopyFS(dir, files))
	return dir
}

// shop has something of everything; the collection of orders has 120 rows on
// three pages.
func shop() *pack {
	orders := collection{dataset: "shop", name: "orders", categories: []string{"purchase history"}, columns: []storage.Column{{Path: []string{"number"}, Categories: []string{"order number"}}, {Path: []string{"title"}}}}
	for i := range 120 {
		orders.rows = append(orders.rows, fmt.Sprintf(`{"number":%d,"title":"Parcel %d","sent":%t,"lines":[{"sku":"B-%d","price":9.50}]}`, 1000+i, i, i%2 == 0, i))
	}
	orders.rows[77] = `{"number":1077,"title":"Der große Weg nach Süden","lines":[]}`
	return &pack{
		format: storage.HTML{From: "Fern & Field", Contact: "privacy@example.com"},
		collections: []collection{
			{dataset: "mail & news", name: "lists #1", rows: []string{`{"topics":["poetry","gardening"],"left":null}`}},
			{
				dataset: "shop", name: "customer", categories: []string{"contact email", "postal address"},
				columns: []storage.Column{{Path: []string{"email"}, Categories: []string{"contact email"}}, {Path: []string{"address", "city"}, Categories: []string{"city"}}},
				rows:    []string{`{"email":"user@example.com","address":{"city":"Köln","geo":{"lat":50.9,"lon":6.9}},"tags":[],"prefs":{},"note":"","long":"` + strings.Repeat("A long story. ", 100) + `"}`},
			},
			orders,
		},
		files: []string{"letter of March.txt", "a#b 100%.txt"},
		contents: []storage.ManifestCollection{
			{Address: "crm:calls", State: storage.StateFailed, Message: "the connection was refused"},
			{Address: "crm:leads", State: storage.StateDone},
			{Address: "loyalty:cards", State: storage.StateSkipped, Message: "no identity of kind loyalty_card was given"},
			{Address: "mail & news:lists #1", State: storage.StateDone, Rows: 1},
			{Address: "shop:customer", State: storage.StateDone, Rows: 1, Uncastable: 2},
			{Address: "shop:orders", State: storage.StateDone, Rows: 120},
		},
	}
}

// address is the address of a file below a folder.
func address(dir string, path ...string) string {
	return "file://" + filepath.ToSlash(dir) + "/" + strings.Join(path, "/")
}
