package storage_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

const mark = "\ufeff"

// about is what the packages of tests tell of themselves.
func about() *storage.About {
	return &storage.About{RequestID: "r1", Created: time.Date(2030, 1, 2, 3, 4, 6, 0, time.UTC)}
}

// csvTo writes a package as CSV.
func csvTo(w io.Writer) storage.Writer {
	out, err := storage.CSV{}.NewWriter(w, about())
	if err != nil {
		panic(err)
	}
	return out
}

// table is a collection with its columns, each a path with slashes.
func table(key string, columns ...string) *storage.Collection {
	c := named(key)
	for _, column := range columns {
		path, whole := strings.CutSuffix(column, "/*")
		c.Columns = append(c.Columns, storage.Column{Path: strings.Split(path, "/"), Whole: whole})
	}
	return c
}

// entry is one file of a zip.
type entry struct{ name, text string }

// unzip returns the files of a package in order.
func unzip(t testing.TB, data []byte) (files []entry) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		files = append(files, entry{f.Name, string(text)})
	}
	return files
}

// tableOf writes one collection and returns its file.
func tableOf(t testing.TB, c *storage.Collection, rows ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := csvTo(&out)
	require.NoError(t, w.Collection(c))
	for _, row := range rows {
		require.NoError(t, w.Row([]byte(row)))
	}
	require.NoError(t, w.Close(context.Background(), nil))
	return unzip(t, out.Bytes())[0].text
}

func TestCSVTables(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("é=;\n", 1<<18)
	for name, test := range map[string]struct {
		columns    []string
		rows, want []string
	}{
		"kinds of values": {
			[]string{"a"},
			[]string{`{"a":1}`, `{"a":-0.5e+10}`, `{"a":true}`, `{"a":false}`, `{"a":"text"}`, `{"a":"12"}`, `{"a":"true"}`, `{"a":12345678901234567890.123}`},
			[]string{`"a"`, `1`, `-0.5e+10`, `true`, `false`, `"text"`, `"12"`, `"true"`, `12345678901234567890.123`},
		},
		"missing, null and empty": {
			[]string{"a", "b"},
			[]string{`{}`, `{"a":null,"b":null}`, `{"a":"","b":0}`, `{"b":""}`},
			[]string{`"a","b"`, `,`, `,`, `"",0`, `,""`},
		},
		"one column without a value": {[]string{"a"}, []string{`{}`, `{"a":1}`, `{}`}, []string{`"a"`, ``, `1`, ``}},
		"no columns":                 {nil, []string{`{}`, `{}`}, []string{``, ``, ``}},
		"columns in their order, whatever the row's": {
			[]string{"b", "a", "c"}, []string{`{"a":1,"b":2,"c":3}`, `{ "c" : 3 , "a" : 1 }`}, []string{`"b","a","c"`, `2,1,3`, `,1,3`},
		},
		"objects have columns inside": {
			[]string{"a/b", "a/c/d", "e"},
			[]string{`{"a":{"b":1,"c":{"d":"x"}},"e":2}`, `{"a":null}`, `{"a":{"c":null},"e":3}`},
			[]string{`"a.b","a.c.d","e"`, `1,"x",2`, `,,`, `,,3`},
		},
		"a field that is an object here and none there": {
			[]string{"a", "a/b"},
			[]string{`{"a":{"b":1}}`, `{"a":5}`, `{"a":{}}`, `{"a":{ }}`, `{"a":[{"b":1}]}`},
			[]string{`"a","a.b"`, `,1`, `5,`, `"{}",`, `"{ }",`, `"[{""b"":1}]",`},
		},
		"lists and whole objects are JSON": {
			[]string{"a", "b/*"},
			[]string{`{"a":["x",1,null,{"y":[]}],"b":{"k":"v"}}`, `{"a":[],"b":7}`, "{\"a\":[1,\t2],\"b\":{\"k\":\"=1;=2\"}}"},
			[]string{`"a","b"`, `"[""x"",1,null,{""y"":[]}]","{""k"":""v""}"`, `"[]",7`, `"[1, 2]","{""k"":""=1\u003b=2""}"`},
		},
		"an object in a field with one column":          {[]string{"a"}, []string{`{"a":{"b":1}}`}, []string{`"a"`, `"{""b"":1}"`}},
		"an object that is whole has no columns inside": {[]string{"a/*", "a/b"}, []string{`{"a":{"b":1}}`}, []string{`"a","a.b"`, `"{""b"":1}",`}},
		"text that is JSON itself": {
			[]string{"a"}, []string{`{"a":"[1]"}`, `{"a":"{}"}`, `{"a":"[deleted]"}`, `{"a":"{"}`, `{"a":"'[1]"}`},
			[]string{`"a"`, `"'[1]"`, `"'{}"`, `"[deleted]"`, `"{"`, `"''[1]"`},
		},
		"quotes, commas and line breaks": {
			[]string{"a"}, []string{`{"a":"say \"hi\", twice"}`, `{"a":"one\ntwo\r\nthree"}`, `{"a":"\""}`},
			[]string{`"a"`, `"say ""hi"", twice"`, "\"one\ntwo\r\nthree\"", `""""`},
		},
		"formulas": {
			[]string{"a"},
			[]string{
				`{"a":"=1+1"}`, `{"a":"+1"}`, `{"a":"-1"}`, `{"a":"@SUM(A1)"}`, `{"a":"\t=1"}`, `{"a":"\r=1"}`, `{"a":"\nx"}`,
				`{"a":"＝1"}`, `{"a":"＋1"}`, `{"a":"－1"}`, `{"a":"＠x"}`, `{"a":"'"}`, `{"a":"''=1"}`, `{"a":"1=1"}`, `{"a":" =1"}`, `{"a":"\"=1"}`,
			},
			[]string{
				`"a"`, `"'=1+1"`, `"'+1"`, `"'-1"`, `"'@SUM(A1)"`, "\"'\t'=1\"", "\"'\r'=1\"", "\"'\nx\"",
				`"'＝1"`, `"'＋1"`, `"'－1"`, `"'＠x"`, `"''"`, `"'''=1"`, `"1=1"`, `" '=1"`, `"""'=1"`,
			},
		},
		"formulas where another separator is in use": {
			[]string{"a"},
			[]string{`{"a":"x;=1"}`, `{"a":"x;y"}`, `{"a":"x\t=1"}`, `{"a":"x\n=1"}`, `{"a":"x; \"=1\";'"}`, `{"a":";;@"}`, `{"a":"a-b; c-d"}`},
			[]string{`"a"`, `"x;'=1"`, `"x;y"`, "\"x\t'=1\"", "\"x\n'=1\"", `"x; ""'=1"";''"`, `";;'@"`, `"a-b; c-d"`},
		},
		"another separator for Excel": {[]string{"sep=;"}, []string{`{"sep=;":"Sep=x"}`}, []string{`"'sep=;"`, `"'Sep=x"`}},
		"what is shown as something else": {
			[]string{"a"},
			[]string{`{"a":"\u0000\u0001\u001b[31m\u007f"}`, `{"a":"\u202egnp.exe\u2066"}`, `{"a":"<script>alert(1)</script>"}`, `{"a":"\ud83d\ude00 \ud83d"}`, `{"a":"../../etc"}`},
			[]string{`"a"`, "\"\x00\x01\x1b[31m\x7f\"", "\"\u202egnp.exe\u2066\"", `"<script>alert(1)</script>"`, "\"😀 \ufffd\"", `"../../etc"`},
		},
		"names": {
			[]string{"=a", "b.c", `d\`, "e,f", `g"h`, "'", "field_1", "<script>", "", "\x00", "x/=y", "[1]", "é"},
			[]string{`{"field_1":1,"":2,"=a":3,"\u0000":4,"x":{"=y":5},"d\\":6,"g\"h":7,"\u00e9":8}`},
			[]string{`"'=a","b\.c","d\\","e,f","g""h","''","field_1","<script>","","` + "\x00" + `","x.=y","'[1]","é"`, `3,,6,,7,,1,,2,4,5,,8`},
		},
		"a cell of a megabyte": {
			[]string{"a"},
			[]string{`{"a":"` + strings.ReplaceAll(large, "\n", `\n`) + `"}`},
			[]string{`"a"`, `"` + large + `"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, mark+strings.Join(test.want, "\r\n")+"\r\n", tableOf(t, table("d:c", test.columns...), test.rows...))
		})
	}
}

func TestCSVPackage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := csvTo(&out)
	for _, c := range []struct {
		collection *storage.Collection
		rows       []string
	}{
		{table("../../etc:passwd", "a"), []string{`{"a":1}`}},
		{table("Shop:customer", "id"), []string{`{"id":1}`, `{"id":2}`}},
		{table("Shop:empty", "id"), nil},
		{table("attachments:x", "a"), []string{`{"a":1}`}},
		{table("contents.csv:x", "a"), []string{`{"a":1}`}},
		{table("shop:Orders", "a"), []string{`{"a":1}`}},
		{table("shop:con", "a"), []string{`{"a":1}`}},
		{table("shop:orders", "a"), []string{`{"a":1}`}},
	} {
		require.NoError(t, w.Collection(c.collection))
		for _, row := range c.rows {
			require.NoError(t, w.Row([]byte(row)))
		}
	}
	path, err := w.Attach(file("../letter.txt", "dear you"))
	require.NoError(t, err)
	require.Equal(t, "attachments/_letter.txt", path)
	contents := []storage.ManifestCollection{
		{Address: "Shop:customer", State: storage.StateDone, Rows: 2, Uncastable: 3},
		{Address: "Shop:empty", State: storage.StateDone},
		{Address: "shop:Orders", State: storage.StateDone, Rows: 1},
		{Address: "shop:orders", State: storage.StateFailed, Rows: 1, Message: "=the database,\nsays"},
		{Address: "shop:visits", State: storage.StateSkipped, Message: `no "phone" was given`},
	}
	require.NoError(t, w.Close(t.Context(), contents))
	require.NoError(t, w.Close(t.Context(), nil), "closing again does nothing")
	require.Equal(t, int64(8), w.Rows())
	require.Equal(t, []entry{
		{"_.._etc/passwd.csv", mark + "\"a\"\r\n1\r\n"},
		{"Shop/customer.csv", mark + "\"id\"\r\n1\r\n2\r\n"},
		{"attachments (2)/x.csv", mark + "\"a\"\r\n1\r\n"},
		{"contents.csv (2)/x.csv", mark + "\"a\"\r\n1\r\n"},
		{"shop (2)/Orders.csv", mark + "\"a\"\r\n1\r\n"},
		{"shop (2)/_con.csv", mark + "\"a\"\r\n1\r\n"},
		{"shop (2)/orders (2).csv", mark + "\"a\"\r\n1\r\n"},
		{"attachments/_letter.txt", "dear you"},
		{"contents.csv", mark + strings.Join([]string{
			`"address","state","rows","uncastable","file","message"`,
			`"Shop:customer","done",2,3,"Shop/customer.csv",`,
			`"Shop:empty","done",0,0,,`,
			`"shop:Orders","done",1,0,"shop (2)/Orders.csv",`,
			`"shop:orders","failed",1,0,"shop (2)/orders (2).csv","'=the database,` + "\n" + `says"`,
			`"shop:visits","skipped",0,0,,"no ""phone"" was given"`,
		}, "\r\n") + "\r\n"},
	}, unzip(t, out.Bytes()))
	require.Equal(t, "shop (2)/orders (2).csv", contents[3].File, "for the manifest")

	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Equal(t, about().Created, z.File[0].Modified.UTC())
}

func TestCSVOfNothing(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, csvTo(&out).Close(t.Context(), nil))
	require.Equal(t, []entry{{"contents.csv", mark + `"address","state","rows","uncastable","file","message"` + "\r\n"}}, unzip(t, out.Bytes()))
	require.Equal(t, ".zip", storage.CSV{}.Extension())
	require.True(t, storage.CSV{}.Tabular())
}

func TestCSVRefuses(t *testing.T) {
	t.Parallel()
	const row = `storage: row 1 of the package, in collection "a:b", `
	for name, test := range map[string]struct {
		collection *storage.Collection
		row, want  string
	}{
		"a field without a column":              {table("a:b", "x"), `{"x":1,"secret":2}`, row + "holds a field without a column: Collection.Columns must name all"},
		"a field inside without a column":       {table("a:b", "x/y"), `{"x":{"secret":2}}`, row + "holds a field without a column: Collection.Columns must name all"},
		"a value where there are fields":        {table("a:b", "x/y"), `{"x":1}`, row + "holds a field without a column: Collection.Columns must name all"},
		"a list where there are fields":         {table("a:b", "x/y"), `{"x":[{"y":1}]}`, row + "holds a field without a column: Collection.Columns must name all"},
		"an empty object where there are some":  {table("a:b", "x/y"), `{"x":{}}`, row + "holds a field without a column: Collection.Columns must name all"},
		"two fields of one name":                {table("a:b", "x"), `{"x":null,"\u0078":2}`, row + "holds two fields of one name"},
		"two objects of one name":               {table("a:b", "x/y", "x/z"), `{"x":{"y":1},"x":{"z":1}}`, row + "holds two fields of one name"},
		"what is no JSON":                       {table("a:b", "x"), `{"x":=1+1}`, row + "is not valid JSON"},
		"what is no JSON inside":                {table("a:b", "x/y"), `{"x":{"y"}}`, row + "is not valid JSON"},
		"a text that is none":                   {table("a:b", "x"), `{"x":"\q"}`, row + "is not valid JSON"},
		"a name that is none":                   {table("a:b", "x"), `{"\q":1}`, row + "is not valid JSON"},
		"a row that is no object":               {table("a:b", "x"), `["x"]`, row + "is not one JSON object on one line"},
		"columns without a name, and one twice": {&storage.Collection{Dataset: "a", Name: "b", Columns: []storage.Column{{}, {Path: []string{"x"}}, {Path: []string{"x"}}, {Path: []string{"\xff"}}}}, `{}`, `storage: collection "a:b": column 1 has no name; column 3 has the name of column 2; column 4 has a name that is not valid UTF-8`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := csvTo(io.Discard)
			err := w.Collection(test.collection)
			if err == nil {
				err = w.Row([]byte(test.row))
			}
			require.EqualError(t, err, test.want)
			require.EqualError(t, w.Collection(table("c:d")), test.want, "the error stays")
			require.EqualError(t, w.Row([]byte(`{}`)), test.want)
			_, err = w.Attach(file("x", "y"))
			require.EqualError(t, err, test.want)
			require.EqualError(t, w.Close(t.Context(), nil), test.want)
		})
	}

	w := csvTo(io.Discard)
	require.EqualError(t, w.Row([]byte(`{}`)), "storage: a row comes before the first collection")
	w = csvTo(io.Discard)
	require.NoError(t, w.Collection(table("b:b")))
	require.EqualError(t, w.Collection(table("a:a")), `storage: collection "a:a" comes after "b:b": keys must ascend, each once`)
	w = csvTo(io.Discard)
	require.NoError(t, w.Close(t.Context(), nil))
	require.EqualError(t, w.Collection(table("a:b")), "storage: the package is closed")
	require.EqualError(t, w.Row([]byte(`{}`)), "storage: the package is closed")
	_, err := w.Attach(file("x", "y"))
	require.EqualError(t, err, "storage: the package is closed")

	_, err = storage.CSV{}.NewKeyedWriter(io.Discard, about(), make([]byte, 15))
	require.ErrorContains(t, err, "storage: an encryption key has 16 bytes")
}

// The columns that the caller gave may be used for something else afterwards.
func TestCSVKeepsItsColumns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := csvTo(&out)
	c := table("a:b", "x", "y")
	require.NoError(t, w.Collection(c))
	c.Name, c.Columns[0], c.Columns[1] = "c", c.Columns[1], storage.Column{Path: []string{"z"}}
	require.NoError(t, w.Row([]byte(`{"x":1,"y":2}`)))
	require.NoError(t, w.Close(t.Context(), nil))
	require.Equal(t, entry{"a/b.csv", mark + "\"x\",\"y\"\r\n1,2\r\n"}, unzip(t, out.Bytes())[0])
}

// Memory does not grow with the rows: nothing is allocated for any of them.
// It measures the heap, so it does not run beside other tests.
func TestCSVFlatMemory(t *testing.T) {
	row := fmt.Appendf(nil, `{"id":1,"text":%q,"in":{"a":"x\ny","b":[1,"=2"],"c":null}}`, strings.Repeat("x;=\"", 50))
	columns := table("a:b", "id", "text", "in/a", "in/b", "in/c")
	perRow := testing.AllocsPerRun(2, func() {
		w := csvTo(io.Discard)
		require.NoError(t, w.Collection(columns))
		for range 5_000 {
			if err := w.Row(row); err != nil {
				require.NoError(t, err)
			}
		}
		require.NoError(t, w.Close(context.Background(), nil))
	})
	require.Less(t, perRow, 200.0, "allocations for 5,000 rows")
}
