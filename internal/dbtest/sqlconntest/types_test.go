package sqlconntest_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

// sample is one column: how it is declared, what is stored in row 1, what is
// read, which inputs find the row and which do not, and what an erasure writes.
type sample struct {
	declared string
	literal  string
	kind     dsr.ColumnKind
	value    any
	finds    []any
	misses   []any
	mask     any
}

func TestTypes(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 29, 13, 14, 15, 123456000, time.UTC)
	whole := at.Truncate(time.Second)
	later := time.Date(2000, 1, 2, 3, 4, 5, 600000700, time.UTC)
	uuid := "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
	samples := map[sqlconn.Dialect][]sample{
		sqlconn.PostgreSQL: {
			{"text", `'x'`, dsr.ColumnText, "x", []any{"x"}, []any{"X", "x ", "\x00", "\xff"}, "masked"},
			{"varchar(9)", `'x'`, dsr.ColumnText, "x", []any{"x"}, []any{"a very long one"}, "masked"},
			{"char(5)", `'x'`, dsr.ColumnText, "x    ", []any{"x", "x  "}, []any{"y"}, "m"},
			{`text COLLATE "C"`, `'x'`, dsr.ColumnText, "x", []any{"x"}, []any{"X"}, "m"},
			{"smallint", "7", dsr.ColumnInteger, int64(7), []any{int64(7), "7", json.Number("7.0"), 7.0}, []any{int64(70000), "x", 7.5}, int64(0)},
			{"bigint", "9007199254740993", dsr.ColumnInteger, int64(9007199254740993), []any{int64(9007199254740993)}, []any{int64(9007199254740992), json.Number("1e30")}, nil},
			{"real", "0.1", dsr.ColumnFloat, 0.1, []any{0.1, "0.1"}, []any{"x", 1e300, "NaN"}, 1.7},
			{"double precision", "0.1", dsr.ColumnFloat, 0.1, []any{0.1}, []any{0.2}, 2.0},
			{"numeric(10,2)", "12.5", dsr.ColumnDecimal, json.Number("12.50"), []any{12.5, "12.500", json.Number("1.25e1")}, []any{"x", json.Number("1e999999999")}, json.Number("1.555")},
			{"numeric", "12345678901234567890.5", dsr.ColumnDecimal, json.Number("12345678901234567890.5"), []any{json.Number("12345678901234567890.50")}, []any{"12345678901234567890"}, int64(3)},
			{"boolean", "true", dsr.ColumnBoolean, true, []any{true, "true", int64(1)}, []any{false, "x"}, false},
			{"timestamptz", `'2024-02-29 15:14:15.123456+02'`, dsr.ColumnTime, at, []any{at, "2024-02-29T13:14:15.123456Z"}, []any{whole, "x"}, later},
			{"timestamp(0)", `'2024-02-29 13:14:15'`, dsr.ColumnTime, whole, []any{whole}, []any{at, int64(3)}, later},
			{"date", `'2024-02-29'`, dsr.ColumnDate, "2024-02-29", []any{"2024-02-29"}, []any{"2024-02-30", "x"}, "2000-01-01"},
			{"time", `'13:14:15'`, dsr.ColumnOther, "13:14:15", []any{"13:14:15"}, []any{"x"}, "00:00:00"},
			{"uuid", "'" + uuid + "'", dsr.ColumnUUID, uuid, []any{uuid, "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}"}, []any{"x"}, "00000000-0000-0000-0000-000000000000"},
			{"bytea", `'\x00ff27'`, dsr.ColumnBytes, []byte{0, 255, 39}, []any{[]byte{0, 255, 39}}, []any{[]byte{0}, "x"}, []byte("m")},
			{"jsonb", `'{"a": [1, 2.50, "x"], "b": null}'`, dsr.ColumnDocument, map[string]any{"a": []any{int64(1), json.Number("2.50"), "x"}, "b": nil}, nil, nil, map[string]any{"c": "d"}},
			{"json", `'["x", 1]'`, dsr.ColumnDocument, []any{"x", int64(1)}, []any{"x", int64(1), "1"}, []any{"y", true}, []any{}},
			{"text[]", `'{"a b",NULL,"q\"c"}'`, dsr.ColumnDocument, []any{"a b", nil, `q"c`}, []any{"a b", `q"c`}, []any{"a"}, []any{`m"\`, nil}},
			{"int[]", `'{{1,2},{3,4}}'`, dsr.ColumnDocument, []any{[]any{int64(1), int64(2)}, []any{int64(3), int64(4)}}, []any{int64(4), "1"}, []any{int64(5), "x"}, []any{}},
			{"interval", `'1 day 2 hours'`, dsr.ColumnOther, "1 day 02:00:00", []any{"1 day 02:00:00"}, []any{"x"}, nil},
			{"inet", `'10.0.0.1'`, dsr.ColumnOther, "10.0.0.1/32", nil, []any{"x"}, nil},
			{"money", `'1.50'`, dsr.ColumnOther, "$1.50", []any{"$1.50"}, []any{"x"}, nil},
		},
		sqlconn.MySQL: {
			{"varchar(9)", `'x'`, dsr.ColumnText, "x", []any{"x", "X", "x "}, []any{"y", "\xff"}, "masked"},
			{"char(5)", `'x'`, dsr.ColumnText, "x", []any{"x "}, []any{"y"}, "m "},
			{"text", `'x'`, dsr.ColumnText, "x", []any{"x"}, []any{"y"}, "masked"},
			{"varchar(9) CHARACTER SET latin1", `'?é'`, dsr.ColumnText, "?é", []any{"?é"}, []any{"日é"}, "ü"},
			{"tinyint(1)", "1", dsr.ColumnBoolean, true, []any{true, "true", int64(1)}, []any{false, "x"}, false},
			{"tinyint unsigned", "200", dsr.ColumnInteger, int64(200), []any{int64(200), "200"}, []any{int64(-1), int64(300), "x"}, int64(0)},
			{"bigint unsigned", "18446744073709551615", dsr.ColumnInteger, json.Number("18446744073709551615"), []any{json.Number("18446744073709551615")}, []any{int64(1)}, int64(0)},
			{"bit(8)", "5", dsr.ColumnInteger, int64(5), []any{int64(5)}, []any{int64(6)}, int64(0)},
			{"year", "2024", dsr.ColumnInteger, int64(2024), []any{int64(2024)}, []any{"x"}, int64(2000)},
			{"float", "0.1", dsr.ColumnFloat, 0.1, []any{0.1, "0.1"}, []any{"x"}, 1.7},
			{"double", "0.1", dsr.ColumnFloat, 0.1, []any{0.1}, []any{0.2}, 2.0},
			{"decimal(10,2)", "12.5", dsr.ColumnDecimal, json.Number("12.50"), []any{12.5, "12.500"}, []any{"x", json.Number("12.504")}, json.Number("1.555")},
			{"datetime(6)", `'2024-02-29 13:14:15.123456'`, dsr.ColumnTime, at, []any{at}, []any{whole, "x"}, later},
			{"datetime", `'2024-02-29 13:14:15'`, dsr.ColumnTime, whole, []any{whole}, []any{at}, later},
			{"timestamp(6) NULL", `FROM_UNIXTIME(1709212455.123456)`, dsr.ColumnTime, at, []any{at}, []any{whole}, later},
			{"date", `'2024-02-29'`, dsr.ColumnDate, "2024-02-29", []any{"2024-02-29"}, []any{"2024-02-30"}, "2000-01-01"},
			{"time", `'13:14:15'`, dsr.ColumnOther, "13:14:15", []any{"13:14:15"}, nil, "00:00:00"},
			{"varbinary(9)", `X'00ff27'`, dsr.ColumnBytes, []byte{0, 255, 39}, []any{[]byte{0, 255, 39}}, []any{[]byte{0}}, []byte("m")},
			{"longblob", `X'00ff27'`, dsr.ColumnBytes, []byte{0, 255, 39}, []any{[]byte{0, 255, 39}}, []any{[]byte{0}}, []byte("m")},
			{"json", `'{"a": [1, 2.50, "x"], "b": null}'`, dsr.ColumnDocument, map[string]any{"a": []any{int64(1), json.Number("2.50"), "x"}, "b": nil}, nil, nil, map[string]any{"c": "d"}},
			{"enum('a','b')", `'a'`, dsr.ColumnOther, "a", []any{"a"}, []any{"c"}, "b"},
			{"uuid", "'" + uuid + "'", dsr.ColumnUUID, uuid, []any{uuid}, []any{"x"}, nil},
			{"inet6", `'::1'`, dsr.ColumnOther, "::1", []any{"::1"}, nil, nil},
		},
		sqlconn.SQLite: {
			{"TEXT", `'x'`, dsr.ColumnText, "x", []any{"x"}, []any{"X"}, "masked"},
			{"VARCHAR(9)", `'12'`, dsr.ColumnText, "12", []any{"12", int64(12)}, []any{12.0, "12.0"}, int64(3)},
			{"TEXT COLLATE NOCASE", `'x'`, dsr.ColumnText, "x", []any{"x", "X"}, []any{"y"}, "m"},
			{"INTEGER", "7", dsr.ColumnInteger, int64(7), []any{int64(7), "7", 7.0}, []any{"x", 7.5}, int64(0)},
			{"INTEGER", "'odd'", dsr.ColumnInteger, "odd", []any{"odd"}, []any{int64(0)}, "12"},
			{"REAL", "0.1", dsr.ColumnFloat, 0.1, []any{0.1, "0.1"}, []any{0.2}, 2.0},
			{"DECIMAL(10,2)", "12.5", dsr.ColumnDecimal, 12.5, []any{json.Number("12.50")}, []any{"x"}, json.Number("1.5")},
			{"BOOLEAN", "1", dsr.ColumnBoolean, true, []any{true, int64(1)}, []any{false}, false},
			{"DATETIME", `'2024-02-29 13:14:15'`, dsr.ColumnAny, "2024-02-29 13:14:15", []any{"2024-02-29 13:14:15", whole}, []any{at}, later},
			{"DATE", `'2024-02-29'`, dsr.ColumnAny, "2024-02-29", []any{"2024-02-29"}, []any{"x"}, "2000-01-01"},
			{"BLOB", `X'00ff27'`, dsr.ColumnBytes, []byte{0, 255, 39}, []any{[]byte{0, 255, 39}}, []any{[]byte{0}}, []byte("m")},
			{"", `'x'`, dsr.ColumnAny, "x", []any{"x"}, []any{"X"}, int64(1)},
			{"JSON", `'{"a": [1, 2.50, "x"], "b": null}'`, dsr.ColumnDocument, map[string]any{"a": []any{int64(1), json.Number("2.50"), "x"}, "b": nil}, nil, nil, map[string]any{"c": "d"}},
		},
	}
	for _, d := range dialects {
		db := d.open(t)
		for i, s := range samples[d.dialect] {
			name := "sample_" + string(rune('a'+i))
			exec(t, db, "CREATE TABLE "+name+" (id bigint PRIMARY KEY, v "+s.declared+")",
				"INSERT INTO "+name+" VALUES (1, "+s.literal+"), (2, NULL)")
			t.Run(d.name+"/"+s.declared, func(t *testing.T) {
				t.Parallel()
				connector := sqlconn.New(db, d.dialect, nil)
				collection := table(name, "id", "v")
				schema, err := connector.Describe(t.Context(), collection)
				require.NoError(t, err)
				require.Equal(t, []string{"id"}, schema.Key)
				require.Equal(t, s.kind, schema.Columns[1].Kind)
				require.True(t, schema.Columns[1].Nullable)

				query := &dsr.Query{Collection: collection, Columns: []string{"v"}, Criteria: []dsr.Criterion{where(graph.Path{"id"}, int64(1))}}
				rows, _ := read(t, connector, query)
				require.Equal(t, [][]any{{s.value}}, rows)

				for i, v := range slices.Concat(s.finds, s.misses) {
					query.Criteria = []dsr.Criterion{where(graph.Path{"v"}, v)}
					query.Via = i%2 == 0
					rows, via := read(t, connector, query)
					if i >= len(s.finds) {
						require.Empty(t, rows, "%#v", v)
						continue
					}
					require.Equal(t, [][]any{{s.value}}, rows, "%#v", v)
					if query.Via {
						require.Equal(t, [][]dsr.Match{{{}}}, via)
					}
				}

				for _, change := range []dsr.Change{{Old: s.value, New: s.mask}, {Old: s.mask, New: s.value}} {
					change.Path = []any{"v"}
					chunk := &dsr.Chunk{Collection: collection, Key: []graph.Path{{"id"}},
						Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: []dsr.Change{change}}}}
					for _, want := range []dsr.RowResult{dsr.RowWritten, dsr.RowAlready} {
						results, err := connector.Apply(t.Context(), chunk)
						require.NoError(t, err)
						require.Equal(t, []dsr.RowResult{want}, results)
					}
				}
				query.Criteria = []dsr.Criterion{where(graph.Path{"id"}, int64(1))}
				rows, _ = read(t, connector, query)
				require.Equal(t, [][]any{{s.value}}, rows)
			})
		}
	}
}
