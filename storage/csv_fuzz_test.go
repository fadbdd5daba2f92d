package storage_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/storage"
)

// What is written is read again: any text, under any names, in rows that differ.
func FuzzCSVIdentity(f *testing.F) {
	for _, seed := range []string{
		"", "=1", "'", "''=1", "a.b", `a\`, "[1]", "{}", `{"a":";=1"}`, `[";'=1"]`, "\t", "\r\n=", "x;=1", `x; "'`, `"`, `""`, ";;;", "＝x;＠", "\ufeff", "\x00", "1", "true", "null",
	} {
		f.Add(seed, "x", "y", uint8(0xff))
		f.Add("x", seed, seed+"2", uint8(0xa5))
	}
	f.Fuzz(func(t *testing.T, s, a, b string, there uint8) {
		s, a, b = strings.ToValidUTF8(s, "?"), strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		if a == b {
			b += "2"
		}
		c := &storage.Collection{Dataset: "d", Name: "c", Columns: []storage.Column{
			{Path: []string{a}}, {Path: []string{b, a}}, {Path: []string{b, b, a}}, {Path: []string{b, s + "3", "x"}, Whole: true},
		}}
		quoted := func(s string) string { return string(value.AppendJSONString(nil, s)) }
		var list []json.RawMessage
		for _, e := range []string{quoted(s), "1", quoted(a + ";=" + s)} {
			list = append(list, json.RawMessage(e))
		}
		array, err := json.Marshal(list)
		require.NoError(t, err)
		values := []string{quoted(s), quoted(a + ";" + s), string(array), `{` + quoted(s) + `:-0.5}`}
		kinds := []storage.CSVCell{text(s), text(a + ";" + s), jsonOf(string(array)), jsonOf(values[3])}

		var rows []string
		var want [][]storage.CSVCell
		for _, bits := range []uint8{0xff, there, there >> 4, 0} {
			row := make([]storage.CSVCell, 4)
			var top, inner []string
			at := func(i int) bool { return bits&(1<<i) != 0 }
			if at(1) {
				inner, row[1] = append(inner, quoted(a)+":"+values[1]), kinds[1]
			}
			if at(2) {
				// b and a below b, where a is not what it is next to.
				inner, row[2] = append(inner, quoted(b)+":{"+quoted(a)+":"+values[2]+"}"), kinds[2]
			}
			if at(3) && s+"3" != a && s+"3" != b {
				inner, row[3] = append(inner, quoted(s+"3")+`:{"x":`+values[3]+"}"), kinds[3]
			}
			if len(inner) > 0 {
				top = append(top, quoted(b)+":{"+strings.Join(inner, ",")+"}")
			}
			if at(0) {
				top, row[0] = append(top, quoted(a)+":"+values[0]), kinds[0]
			}
			rows, want = append(rows, "{"+strings.Join(top, ",")+"}"), append(want, row)
		}
		header, got, err := readTable(strings.NewReader(tableOf(t, c, rows...)))
		require.NoError(t, err)
		for i, column := range c.Columns {
			require.Equal(t, column.Path, header[i])
		}
		require.Len(t, got, len(want))
		for i := range want {
			for j, cell := range want[i] {
				if cell.Kind == storage.CSVJSON {
					require.Equal(t, cell.Kind, got[i][j].Kind)
					require.JSONEq(t, cell.Text, got[i][j].Text)
				} else {
					require.Equal(t, cell, got[i][j])
				}
			}
		}
	})
}

// No cell that a spreadsheet sees, whichever separator it goes by, begins like
// a formula.
func FuzzCSVFormulas(f *testing.F) {
	f.Add("=1", "x")
	f.Add("x;=1;+1", "-")
	f.Add("\";\"=1", ";\n@x")
	f.Fuzz(func(t *testing.T, a, b string) {
		a, b = strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		row := "{" + `"a":` + string(value.AppendJSONString(nil, a)) + `,"b":` + string(value.AppendJSONString(nil, b)) + `,"c":[` + string(value.AppendJSONString(nil, b+a)) + "]}"
		table := strings.TrimPrefix(tableOf(t, table("d:c", "a", "b", "c"), row, row), mark)
		_, rows, err := readTable(strings.NewReader(table))
		require.NoError(t, err)
		require.Equal(t, text(a), rows[0][0])
		for _, separators := range []string{";", "\t", ";\t"} {
			for _, cell := range strings.FieldsFunc(table, func(r rune) bool { return strings.ContainsRune(separators+"\r\n", r) }) {
				cell = strings.TrimLeft(cell, ` "`)
				require.False(t, cell != "" && strings.ContainsAny(string([]rune(cell)[0]), "=+-@＝＋－＠"), "%q", cell)
			}
		}
	})
}
