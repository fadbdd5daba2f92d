package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func valueChecks() []Check {
	return []Check{
		newCheck("hostile values", "quotes, wildcards, backslashes, control characters, emoji and 100 kB of text are compared, read and written as they are",
			hostileTexts, hostileTextValues),
		newCheck("numbers", "integers keep all 64 bits and floats theirs, and are read as int64 and float64",
			numberTable, numbers),
		newCheck("decimals", "decimals are exact, and are read as json.Number",
			decimalTable, decimals, Decimals),
		newCheck("times", "points in time keep the instant and are read as time.Time; plain dates are strings",
			timeTable, times, Times),
		newCheck("types", "every value has one of the types that the port lists",
			typeTable, types),
		newCheck("values as read", "whatever a read returned is taken back: as a value to look for, and as the old value of a change",
			everyKind, valuesAsRead),
	}
}

// awkward are texts that break naive quoting, patterns and encodings. Two that
// differ only where a pattern or an escape would blur them are both there.
var awkward = []string{
	`O'Brien`, `"double"`, `'; DROP TABLE texts; --`, `100%`, `1000`, `a_b`, `axb`, `back\slash`, `back\\slash`,
	`ends with \`, "control \x01\x02\x1f\x7f", "two\r\nlines\tand a tab", "👩‍👩‍👧‍👦 family", "naïve 数据",
	`$1`, `?`, `:name`, `@name`, `{a,b}`, `[1]`, `{"a":1}`, `null`, `NULL`, `0123`, `123`, `true`, `%s %d %!`, `\N`, `/*`,
}

func hostileTexts() Setup {
	rows := make([][]any, 0, len(awkward)+1)
	for i, text := range slices.Concat(awkward, []string{strings.Repeat("0123456789", 10_000)}) {
		rows = append(rows, []any{int64(i), text})
	}
	return Setup{Tables: []Table{newTable("texts", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("body", dsr.ColumnText)}, rows...)}}
}

func hostileTextValues(ctx context.Context, s *session) error {
	body := graph.Path{"body"}
	rows := s.tables[0].Rows
	all := eq(body)
	matches := make(map[int64][]dsr.Match)
	chunk := s.chunk(0)
	var edits []edit
	var written []dsr.RowResult
	for i, r := range rows {
		text, _ := r["body"].(string)
		q := s.query(0, eq(body, text))
		if err := s.wantFirst(ctx, "the text "+show(text), q, int64(i)); err != nil {
			return err
		}
		if got, err := s.read(ctx, q); err != nil || got[0].values["body"] != text {
			return errors.Join(err, fmt.Errorf("the text %s came back as another", show(text)))
		}
		all.Values = append(all.Values, []any{text})
		matches[int64(i)] = []dsr.Match{{Value: i}}
		next, _ := rows[(i+1)%len(rows)]["body"].(string)
		chunk.Rows = append(chunk.Rows, at(int64(i), to(text, next+"'", "body")))
		edits = append(edits, edit{row: i, set: map[string]any{"body": next + "'"}})
		written = append(written, dsr.RowWritten)
	}
	return errors.Join(
		s.wantVia(ctx, "all texts at once", s.query(0, all), matches),
		s.apply(ctx, "change every text", chunk, written...),
		s.holds(ctx, "after changing every text", 0, edits...))
}

func numberTable() Setup {
	return Setup{Tables: []Table{newTable("numbers", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("i", dsr.ColumnInteger), col("f", dsr.ColumnFloat)},
		[]any{int64(1), int64(math.MaxInt64), 0.1},
		[]any{int64(2), int64(math.MinInt64), -1e300},
		[]any{int64(3), int64(math.MaxInt64 - 1), 1234.5678901234567},
		[]any{int64(math.MaxInt64), int64(0), 0.5},
	)}}
}

func numbers(ctx context.Context, s *session) error {
	i := graph.Path{"i"}
	rows, err := s.read(ctx, s.query(0, eq(graph.Path{"id"}, int64(1), int64(2), int64(3), int64(math.MaxInt64))))
	if err != nil {
		return err
	}
	for _, r := range rows {
		if _, ok := r.values["i"].(int64); !ok {
			return fmt.Errorf("an integer was read as %T", r.values["i"])
		}
		if _, ok := r.values["f"].(float64); !ok {
			return fmt.Errorf("a float was read as %T", r.values["f"])
		}
	}
	for n, r := range s.tables[0].Rows {
		if len(rows) != len(s.tables[0].Rows) || !slices.ContainsFunc(rows, func(got row) bool { return same(got.values, r) }) {
			return fmt.Errorf("row %d, %v, did not come back exactly", n, r)
		}
	}
	if err := errors.Join(
		s.wantFirst(ctx, "the largest int64", s.query(0, eq(i, int64(math.MaxInt64))), int64(1)),
		s.wantFirst(ctx, "the smallest int64", s.query(0, eq(i, int64(math.MinInt64))), int64(2)),
		s.wantFirst(ctx, "a float", s.query(0, eq(graph.Path{"f"}, 0.1)), int64(1)),
		s.apply(ctx, "change numbers", s.chunk(0,
			at(int64(1), to(int64(math.MaxInt64), int64(math.MinInt64), "i"), to(0.1, 0.2, "f")),
			at(int64(3), to(int64(math.MaxInt64), int64(0), "i")),
			at(int64(math.MaxInt64), to(int64(0), int64(math.MaxInt64), "i")),
		), dsr.RowWritten, dsr.RowChanged, dsr.RowWritten),
	); err != nil {
		return err
	}
	return s.holds(ctx, "after changing numbers", 0,
		edit{row: 0, set: map[string]any{"i": int64(math.MinInt64), "f": 0.2}},
		edit{row: 3, set: map[string]any{"i": int64(math.MaxInt64)}})
}

func decimalTable() Setup {
	return Setup{Tables: []Table{newTable("amounts", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("amount", dsr.ColumnDecimal)},
		[]any{int64(1), json.Number("12345678901234567890.123456789")},
		[]any{int64(2), json.Number("12345678901234567890.123456788")},
		[]any{int64(3), json.Number("0.100000000")},
	)}}
}

func decimals(ctx context.Context, s *session) error {
	amount := graph.Path{"amount"}
	long := json.Number("12345678901234567890.123456789")
	rows, err := s.read(ctx, s.query(0, eq(amount, long)))
	if err != nil {
		return err
	}
	if len(rows) != 1 || !same(rows[0].values["id"], int64(1)) {
		return fmt.Errorf("asking for one decimal read %d rows, want the one that equals it", len(rows))
	}
	got, ok := rows[0].values["amount"].(json.Number)
	if !ok || !same(got, long) {
		return fmt.Errorf("the decimal %s was read as the %T %v", long, rows[0].values["amount"], rows[0].values["amount"])
	}
	next := json.Number("-99999999999999999999.000000001")
	if err := s.apply(ctx, "change decimals", s.chunk(0,
		at(int64(1), to(got, next, "amount")),
		at(int64(2), to(got, next, "amount")),
		at(int64(3), to(json.Number("0.1"), json.Number("0.3"), "amount")),
	), dsr.RowWritten, dsr.RowChanged, dsr.RowWritten); err != nil {
		return err
	}
	return s.holds(ctx, "after changing decimals", 0,
		edit{row: 0, set: map[string]any{"amount": next}}, edit{row: 2, set: map[string]any{"amount": json.Number("0.3")}})
}

var (
	leapDay = time.Date(2024, 2, 29, 12, 34, 56, 123456000, time.UTC)
	early   = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)
)

func timeTable() Setup {
	return Setup{Tables: []Table{newTable("events", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("at", dsr.ColumnTime), col("day", dsr.ColumnDate)},
		[]any{int64(1), leapDay, "2024-02-29"}, []any{int64(2), early, "1969-12-31"}, []any{int64(3), nil, nil},
	)}}
}

func times(ctx context.Context, s *session) error {
	rows, err := s.read(ctx, s.query(0, eq(graph.Path{"id"}, int64(1), int64(2), int64(3))))
	if err != nil {
		return err
	}
	for _, want := range s.tables[0].Rows {
		if len(rows) != 3 || !slices.ContainsFunc(rows, func(got row) bool { return same(got.values, want) }) {
			return fmt.Errorf("the row %v did not come back: a time must be the same instant, and a date the same text", want)
		}
	}
	// The same instant in another zone is the same value.
	zoned := leapDay.In(time.FixedZone("", 2*60*60))
	if err := errors.Join(
		s.wantFirst(ctx, "a point in time", s.query(0, eq(graph.Path{"at"}, zoned)), int64(1)),
		s.wantFirst(ctx, "a date", s.query(0, eq(graph.Path{"day"}, "1969-12-31")), int64(2)),
		s.apply(ctx, "change times", s.chunk(0,
			at(int64(1), to(zoned, early, "at"), to("2024-02-29", "2000-01-01", "day")),
			at(int64(2), to(leapDay, early.Add(time.Hour), "at")),
			at(int64(3), guard(nil, "at"), to(nil, "1999-12-31", "day")),
		), dsr.RowWritten, dsr.RowChanged, dsr.RowWritten),
	); err != nil {
		return err
	}
	return s.holds(ctx, "after changing times", 0,
		edit{row: 0, set: map[string]any{"at": early, "day": "2000-01-01"}}, edit{row: 2, set: map[string]any{"day": "1999-12-31"}})
}

func typeTable() Setup {
	return Setup{Tables: []Table{newTable("types", []string{"id"},
		[]dsr.Column{
			col("id", dsr.ColumnInteger), col("t", dsr.ColumnText), col("f", dsr.ColumnFloat), col("b", dsr.ColumnBytes),
		},
		[]any{int64(1), "text", 1.5, []byte{0, 1, 0xff, '\''}}, []any{int64(2), "", 2.0, []byte{}},
	)}}
}

func types(ctx context.Context, s *session) error {
	rows, err := s.read(ctx, s.query(0, eq(graph.Path{"id"}, int64(1), int64(2))))
	if err != nil {
		return err
	}
	for _, want := range s.tables[0].Rows {
		if len(rows) != 2 || !slices.ContainsFunc(rows, func(got row) bool { return same(got.values, want) }) {
			return fmt.Errorf("the row %v did not come back: want int64, string, float64 and []byte", want)
		}
	}
	if err := s.apply(ctx, "change bytes", s.chunk(0,
		at(int64(1), to([]byte{0, 1, 0xff, '\''}, []byte{0xfe, 0}, "b")),
		at(int64(2), to([]byte{0}, []byte{1}, "b")),
	), dsr.RowWritten, dsr.RowChanged); err != nil {
		return err
	}
	return s.holds(ctx, "after changing bytes", 0, edit{row: 0, set: map[string]any{"b": []byte{0xfe, 0}}})
}

// everyKind has a column of every kind; what a system makes of a decimal or a
// time that it lacks does not matter here.
func everyKind() Setup {
	kinds := []dsr.ColumnKind{
		dsr.ColumnInteger, dsr.ColumnText, dsr.ColumnFloat, dsr.ColumnDecimal,
		dsr.ColumnBoolean, dsr.ColumnTime, dsr.ColumnDate, dsr.ColumnBytes,
	}
	columns := []dsr.Column{col("id", dsr.ColumnInteger)}
	for _, kind := range kinds {
		columns = append(columns, col("of "+string(kind), kind))
	}
	return Setup{Tables: []Table{newTable("kinds", []string{"id"}, columns,
		[]any{int64(1), int64(-7), "it's", 0.1, json.Number("12.500000000"), true, leapDay, "2024-02-29", []byte{0, 0xff}},
		[]any{int64(2), int64(math.MinInt64), "", 1.7976931348623157e308, json.Number("-0.100000000"), false, early, "1969-12-31", []byte("text")},
		[]any{int64(3), nil, nil, nil, nil, nil, nil, nil, nil},
	)}}
}

func valuesAsRead(ctx context.Context, s *session) error {
	ids := eq(graph.Path{"id"}, int64(1), int64(2), int64(3))
	rows, err := s.read(ctx, s.query(0, ids))
	if err != nil {
		return err
	}
	if len(rows) != 3 {
		return fmt.Errorf("read %d rows, want 3", len(rows))
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(show(a.values["id"]), show(b.values["id"])) })
	var edits []edit
	for i, r := range rows[:2] {
		nulls := make(map[string]any)
		for _, column := range s.tables[0].columnNames()[1:] {
			v := r.values[column]
			if err := errors.Join(
				s.wantFirst(ctx, "by what was read from "+column, s.query(0, eq(graph.Path{column}, v)), int64(i+1)),
				s.apply(ctx, "null in the place of what was read from "+column,
					s.chunk(0, at(int64(i+1), to(v, nil, column))), dsr.RowWritten),
			); err != nil {
				return err
			}
			nulls[column] = nil
		}
		edits = append(edits, edit{row: i, set: nulls})
	}
	return s.holds(ctx, "after null was written to every column", 0, edits...)
}
