package storage_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// What people answered is a collection of one word. It comes after all that has
// two, and its names get along with those that a format gives itself.
var (
	nameless = []struct{ key, row string }{
		{"Looked up by people:notes", `{"a":"of a dataset"}`},
		{"shop:users", `{"a":"of users"}`},
		{"contents", `{"a":"of contents"}`},
		{"index", `{"a":"of index"}`},
		{"shop", `{"a":"of shop"}`},
	}
	namelessTold = []storage.ManifestCollection{
		{Address: "contents", State: storage.StateDone, Rows: 1, Message: "<told>"}, {Address: "crm", State: storage.StateDone},
	}
)

func writeNameless(t *testing.T, w storage.Writer) {
	t.Helper()
	for _, c := range nameless {
		of := table(c.key, "a")
		require.Equal(t, c.key, of.Key())
		require.NoError(t, w.Collection(of))
		require.NoError(t, w.Row([]byte(c.row)))
	}
}

func TestNamelessCollections(t *testing.T) {
	t.Parallel()
	t.Run("JSON", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		w, err := storage.JSON{}.NewWriter(&out, about())
		require.NoError(t, err)
		writeNameless(t, w)
		require.NoError(t, w.Close(t.Context(), namelessTold))
		require.Equal(t, `{
  "Looked up by people:notes": [
    {"a":"of a dataset"}
  ],
  "shop:users": [
    {"a":"of users"}
  ],
  "contents": [
    {"a":"of contents"}
  ],
  "index": [
    {"a":"of index"}
  ],
  "shop": [
    {"a":"of shop"}
  ]
}
`, out.String())
		w, err = storage.JSON{}.NewWriter(&out, about())
		require.NoError(t, err)
		require.NoError(t, w.Collection(table("shop", "a")))
		require.EqualError(t, w.Collection(table("shop:users", "a")), `storage: collection "shop:users" comes after "shop": keys must ascend, each once`)
	})
	t.Run("CSV", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		w := csvTo(&out)
		writeNameless(t, w)
		require.NoError(t, w.Close(t.Context(), namelessTold))
		require.Equal(t, []entry{
			{"Looked up by people/notes.csv", mark + "\"a\"\r\n\"of a dataset\"\r\n"},
			{"shop/users.csv", mark + "\"a\"\r\n\"of users\"\r\n"},
			{"contents (2).csv", mark + "\"a\"\r\n\"of contents\"\r\n"},
			{"index.csv", mark + "\"a\"\r\n\"of index\"\r\n"},
			{"shop.csv", mark + "\"a\"\r\n\"of shop\"\r\n"},
			{"contents.csv", mark + "\"address\",\"state\",\"rows\",\"uncastable\",\"file\",\"message\"\r\n" +
				"\"contents\",\"done\",1,0,\"contents (2).csv\",\"<told>\"\r\n\"crm\",\"done\",0,0,,\r\n"},
		}, unzip(t, out.Bytes()))
	})
	t.Run("HTML", func(t *testing.T) {
		t.Parallel()
		files := htmlTo(t, storage.HTML{}, about(), func(w storage.Writer) { writeNameless(t, w) }, namelessTold...)
		for name, text := range map[string]string{
			"data/Looked up by people/notes/page-1.html": "of a dataset", "data/shop/users/page-1.html": "of users",
			"data/Looked up by people (2)/contents/page-1.html": "of contents", "data/Looked up by people (2)/index/page-1.html": "of index",
			"data/Looked up by people (2)/shop/page-1.html": "of shop",
		} {
			require.Contains(t, files[name], text, name)
		}
		require.Contains(t, files["index.html"], "&lt;told&gt;")
		require.Contains(t, between(t, files["index.html"], `id="empty"`, "</section>"), "crm")
	})
}
