package connectortest

import (
	"context"
	"errors"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func selectChecks() []Check {
	return []Check{
		newCheck("hostile names", "tables and columns are found, read and changed under any name that the database allows, and reported exactly as stored",
			hostileTables, hostileNames),
		newCheck("only matching rows", "a read returns the rows that equal a value, and nobody else's",
			people, onlyMatchingRows),
		newCheck("or once", "criteria are joined by OR, and a row that matches several is returned once; equal rows stay two rows",
			people, orOnce),
		newCheck("zero keys", "0 and false are values like any other, alone and as parts of a key",
			zeroKeyed, zeroKeys),
		newCheck("composite keys", "every part of a composite key counts, in a read and in a change",
			tenants, compositeKeys),
		newCheck("tuples", "the parts of a tuple are compared together in one row; they never become a cross product",
			tenants, tuples),
		newCheck("nulls", "null equals nothing that is asked for; null stays null; old and new values may be null",
			people, nulls),
		newCheck("fold case", "FoldCase ignores the case of letters, those beyond ASCII too, and nothing else; without it the case counts",
			foldable, foldCase),
		newCheck("Via", "with Via, a row names every criterion and value that it matched, as the database compared them",
			foldable, via),
		newCheck("10,000 values", "long lists of values and of tuples work, with and without Via, and each row comes once",
			crowd, tenThousandValues),
	}
}

// hostile holds names that break naive quoting; each is allowed in all three
// SQL dialects.
var hostile = []string{
	"select", "Mixed Case", `it's "quoted"; --`, "dot.ted", "back`tick", "naïve Größe 数据",
	"what? $1", "100%_of", "[brackets]", ":name@x", "$0", "a--b/*c*/",
}

func hostileTables() Setup {
	var s Setup
	for _, name := range hostile {
		key, text := name+" key", name
		s.Tables = append(s.Tables, newTable(name, []string{key},
			[]dsr.Column{col(key, dsr.ColumnInteger), col(text, dsr.ColumnText)},
			[]any{int64(1), "one"}, []any{int64(2), "two"}))
	}
	return s
}

func hostileNames(ctx context.Context, s *session) error {
	for i, name := range hostile {
		schema, err := s.conn.Describe(ctx, s.tables[i].Collection)
		if err != nil {
			return fmt.Errorf("describe %s: %w", name, err)
		}
		for _, column := range s.tables[i].columnNames() {
			if _, ok := schema.Column(column); !ok {
				return fmt.Errorf("describe %s: there is no column %q", name, column)
			}
		}
		if err := s.wantFirst(ctx, "by "+name, s.query(i, eq(graph.Path{name}, "two")), int64(2)); err != nil {
			return err
		}
		if err := s.apply(ctx, "change "+name, s.chunk(i, at(int64(2), to("two", "masked", name))), dsr.RowWritten); err != nil {
			return err
		}
		if err := s.holds(ctx, "after the change", i, edit{row: 1, set: map[string]any{name: "masked"}}); err != nil {
			return err
		}
	}
	return nil
}

// people is the table that most checks use.
func people() Setup {
	columns := []dsr.Column{
		col("id", dsr.ColumnInteger), col("name", dsr.ColumnText), col("email", dsr.ColumnText),
		col("city", dsr.ColumnText), col("age", dsr.ColumnInteger),
	}
	return Setup{Tables: []Table{newTable("people", []string{"id"}, columns,
		[]any{int64(1), "Ann", "ann@example.com", "Oslo", int64(31)},
		[]any{int64(2), "Bob", "bob@example.com", "Oslo", int64(32)},
		[]any{int64(3), "Ann", "ann@example.org", "Rome", int64(33)},
		[]any{int64(4), "Ann B", "xann@example.com", "Rome", int64(31)},
		[]any{int64(5), nil, nil, nil, nil},
		[]any{int64(6), "", "ann@example.comx", "%", int64(0)},
		[]any{int64(7), "Bob", "bob@example.com", "Oslo", int64(32)},
	)}}
}

func onlyMatchingRows(ctx context.Context, s *session) error {
	email, age := graph.Path{"email"}, graph.Path{"age"}
	return errors.Join(
		s.wantFirst(ctx, "one text", s.query(0, eq(email, "ann@example.com")), int64(1)),
		s.wantFirst(ctx, "two texts", s.query(0, eq(email, "ann@example.com", "ann@example.org")), int64(1), int64(3)),
		s.wantFirst(ctx, "one integer", s.query(0, eq(age, int64(31))), int64(1), int64(4)),
		s.wantFirst(ctx, "a text that no row has", s.query(0, eq(email, "nobody@example.com"))),
		s.wantFirst(ctx, "a pattern that matches all", s.query(0, eq(email, "%"))),
		s.wantFirst(ctx, "the key", s.query(0, eq(graph.Path{"id"}, int64(4), int64(99))), int64(4)),
	)
}

func orOnce(ctx context.Context, s *session) error {
	name, city, age := graph.Path{"name"}, graph.Path{"city"}, graph.Path{"age"}
	if err := s.wantFirst(ctx, "two criteria that overlap",
		s.query(0, eq(name, "Ann"), eq(city, "Oslo"), eq(age, int64(31))),
		int64(1), int64(2), int64(3), int64(4), int64(7)); err != nil {
		return err
	}
	q := s.query(0, eq(name, "Ann"), eq(city, "Oslo"), eq(age, int64(31)))
	q.Via = true
	if err := s.wantFirst(ctx, "two criteria that overlap, with Via", q,
		int64(1), int64(2), int64(3), int64(4), int64(7)); err != nil {
		return err
	}
	q = s.query(0, eq(name, "Bob"), eq(city, "Oslo"))
	q.Columns = []string{"name", "city"}
	return s.wantFirst(ctx, "two rows that differ only in columns which are not asked for", q, "Ann", "Bob", "Bob")
}

func zeroKeyed() Setup {
	return Setup{Tables: []Table{
		newTable("zero_ids", []string{"id"},
			[]dsr.Column{col("id", dsr.ColumnInteger), col("active", dsr.ColumnBoolean), col("note", dsr.ColumnText)},
			[]any{int64(0), false, "a"}, []any{int64(1), true, "b"}, []any{int64(2), nil, "c"}),
		newTable("zero_pairs", []string{"tenant", "id"},
			[]dsr.Column{col("tenant", dsr.ColumnInteger), col("id", dsr.ColumnInteger), col("note", dsr.ColumnText)},
			[]any{int64(0), int64(5), "a"}, []any{int64(0), int64(6), "a"}, []any{int64(1), int64(5), "a"}, []any{int64(5), int64(0), "a"}),
	}}
}

func zeroKeys(ctx context.Context, s *session) error {
	pair := dsr.Criterion{Fields: []graph.Path{{"tenant"}, {"id"}}, Values: [][]any{{int64(0), int64(5)}}}
	q := s.query(1, pair)
	q.Columns = []string{"id"}
	if err := errors.Join(
		s.wantFirst(ctx, "the value 0", s.query(0, eq(graph.Path{"id"}, int64(0))), int64(0)),
		s.wantFirst(ctx, "the value false", s.query(0, eq(graph.Path{"active"}, false)), int64(0)),
		s.wantFirst(ctx, "the tuple (0, 5)", q, int64(5)),
		s.apply(ctx, "change the row with key 0", s.chunk(0, at(int64(0), to("a", "masked", "note"))), dsr.RowWritten),
		s.apply(ctx, "change the row with key (0, 5)",
			s.chunk(1, dsr.RowChange{Key: []any{int64(0), int64(5)}, Set: []dsr.Change{to("a", "masked", "note")}}), dsr.RowWritten),
	); err != nil {
		return err
	}
	masked := map[string]any{"note": "masked"}
	return errors.Join(
		s.holds(ctx, "after changing key 0", 0, edit{row: 0, set: masked}),
		s.holds(ctx, "after changing key (0, 5)", 1, edit{row: 0, set: masked}))
}

func tenants() Setup {
	return Setup{Tables: []Table{newTable("accounts", []string{"tenant", "id"},
		[]dsr.Column{col("row", dsr.ColumnText), col("tenant", dsr.ColumnText), col("id", dsr.ColumnInteger), col("name", dsr.ColumnText)},
		[]any{"a1", "a", int64(1), "n"}, []any{"b2", "b", int64(2), "n"},
		[]any{"a2", "a", int64(2), "n"}, []any{"b1", "b", int64(1), "n"}, []any{"c1", "c", int64(1), "n"},
	)}}
}

func compositeKeys(ctx context.Context, s *session) error {
	mask := []dsr.Change{to("n", "masked", "name")}
	if err := s.apply(ctx, "change (a, 2) and (b, 1)", s.chunk(0,
		dsr.RowChange{Key: []any{"a", int64(2)}, Set: mask},
		dsr.RowChange{Key: []any{"b", int64(1)}, Set: mask},
		dsr.RowChange{Key: []any{"c", int64(2)}, Set: mask},
	), dsr.RowWritten, dsr.RowWritten, dsr.RowGone); err != nil {
		return err
	}
	set := map[string]any{"name": "masked"}
	return s.holds(ctx, "after changing (a, 2) and (b, 1)", 0, edit{row: 2, set: set}, edit{row: 3, set: set})
}

func tuples(ctx context.Context, s *session) error {
	criterion := dsr.Criterion{
		Fields: []graph.Path{{"tenant"}, {"id"}},
		Values: [][]any{{"a", int64(1)}, {"b", int64(2)}, {"c", int64(2)}},
	}
	withVia := s.query(0, criterion)
	withVia.Via = true
	return errors.Join(
		s.wantFirst(ctx, "(a, 1), (b, 2) and (c, 2)", s.query(0, criterion), "a1", "b2"),
		s.wantFirst(ctx, "(a, 1), (b, 2) and (c, 2), with Via", withVia, "a1", "b2"),
		s.wantFirst(ctx, "(a, 1), (b, 2), (c, 2), or id 1", s.query(0, criterion, eq(graph.Path{"id"}, int64(1))), "a1", "b2", "b1", "c1"))
}

func nulls(ctx context.Context, s *session) error {
	for _, column := range []string{"name", "email", "city"} {
		if err := s.notRow5(ctx, s.query(0, eq(graph.Path{column}, "", "null", "NULL", "<nil>"))); err != nil {
			return err
		}
	}
	if err := s.notRow5(ctx, s.query(0, eq(graph.Path{"age"}, int64(0)))); err != nil {
		return err
	}
	tuple := dsr.Criterion{Fields: []graph.Path{{"name"}, {"age"}}, Values: [][]any{{"", int64(0)}}}
	if err := s.wantFirst(ctx, "the tuple of an empty text and 0", s.query(0, tuple), int64(6)); err != nil {
		return err
	}
	// No query should ask for null. One that does may fail, but not find.
	if rows, err := s.read(ctx, s.query(0, eq(graph.Path{"email"}, nil, "bob@example.com"))); err == nil && len(rows) > 2 {
		return errors.New("asking for null returned rows that hold null")
	}
	if err := s.apply(ctx, "changes to and from null", s.chunk(0,
		at(int64(1), to("Ann", nil, "name"), guard("Oslo", "city")),
		at(int64(2), to(nil, nil, "name"), to("Oslo", "masked", "city")),
		at(int64(5), guard(nil, "name"), to(nil, "x", "city")),
		at(int64(6), to(nil, "x", "name")),
	), dsr.RowWritten, dsr.RowChanged, dsr.RowWritten, dsr.RowChanged); err != nil {
		return err
	}
	return s.holds(ctx, "after changes to and from null", 0,
		edit{row: 0, set: map[string]any{"name": nil}}, edit{row: 4, set: map[string]any{"city": "x"}})
}

func (s *session) notRow5(ctx context.Context, q *dsr.Query) error {
	rows, err := s.read(ctx, q)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if same(r.values["id"], int64(5)) {
			return fmt.Errorf("the row that holds only null was found by %s", q.Criteria[0].Fields[0])
		}
	}
	return nil
}

func foldable() Setup {
	return Setup{Tables: []Table{newTable("logins", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("email", dsr.ColumnText), col("alias", dsr.ColumnText)},
		[]any{int64(1), "Ada.Lovelace@Example.com", "ada"},
		[]any{int64(2), "ada_lovelace@example.com", "ADA"},
		[]any{int64(3), "jose@example.com", "jose"},
		[]any{int64(4), "josé@example.com", "Jose"},
		[]any{int64(5), "ada.lovelace@example.com.invalid", "jo"},
		[]any{int64(6), nil, nil},
		[]any{int64(7), "ÄNNA@example.com", "Straße"},
		[]any{int64(8), "änna@example.com", "STRASSE"},
		[]any{int64(9), "ANNA@example.com", "ılgaz"},
		[]any{int64(10), "dirk@example.com", "ilgaz"},
		[]any{int64(11), "ΣΊΣΥΦΟΣ@example.com", "ИВАН"},
	)}}
}

func foldCase(ctx context.Context, s *session) error {
	email, alias := graph.Path{"email"}, graph.Path{"alias"}
	return errors.Join(
		s.wantFirst(ctx, "without FoldCase", s.query(0, eq(email, "ada.lovelace@example.com"))),
		s.wantFirst(ctx, "another case", s.query(0, folded(eq(email, "ADA.lovelace@EXAMPLE.com"))), int64(1)),
		s.wantFirst(ctx, "an accent", s.query(0, folded(eq(email, "JOSE@example.com"))), int64(3)),
		s.wantFirst(ctx, "letters beyond ASCII, as stored", s.query(0, folded(eq(email, "ÄNNA@example.com"))), int64(7), int64(8)),
		s.wantFirst(ctx, "letters beyond ASCII, in another case", s.query(0, folded(eq(email, "änna@EXAMPLE.com"))), int64(7), int64(8)),
		s.wantFirst(ctx, "no accent where others have one", s.query(0, folded(eq(email, "anna@example.com"))), int64(9)),
		s.wantFirst(ctx, "letters beyond ASCII, without FoldCase", s.query(0, eq(email, "änna@example.com")), int64(8)),
		s.wantFirst(ctx, "ß, which is not ss", s.query(0, folded(eq(alias, "STRAßE"))), int64(7)),
		s.wantFirst(ctx, "ss, which is not ß", s.query(0, folded(eq(alias, "strasse"))), int64(8)),
		s.wantFirst(ctx, "a dotless i", s.query(0, folded(eq(alias, "ıLGAZ"))), int64(9)),
		s.wantFirst(ctx, "a dotted i", s.query(0, folded(eq(alias, "ILGAZ"))), int64(10)),
		s.wantFirst(ctx, "Greek and Cyrillic letters", s.query(0, folded(eq(email, "σίσυφος@example.com")), folded(eq(alias, "nobody", "Иван"))), int64(11)),
		s.wantFirst(ctx, "letters beyond ASCII that look like letters of ASCII", s.query(0, folded(eq(email, "jo\u017fe@example.com", "dir\u212a@example.com")))),
		s.wantFirst(ctx, "letters beyond ASCII beside another criterion",
			s.query(0, eq(alias, "jo"), folded(eq(email, "änna@example.com")), eq(alias, "ilgaz")), int64(5), int64(7), int64(8), int64(10)),
		s.wantFirst(ctx, "a blank at the end", s.query(0, folded(eq(email, "jose@example.com ")))),
		s.wantFirst(ctx, "a pattern", s.query(0, folded(eq(email, "ada%", "ADA_LOVELACE@example.com"))), int64(2)),
		s.wantFirst(ctx, "one of two criteria",
			s.query(0, folded(eq(email, "JOSE@example.com")), eq(alias, "ada")), int64(1), int64(3)),
		s.wantFirst(ctx, "a folded tuple", s.query(0, folded(dsr.Criterion{
			Fields: []graph.Path{email, alias},
			Values: [][]any{{"JOSE@EXAMPLE.COM", "JOSE"}, {"Ada_Lovelace@example.com", "jose"}, {"änna@example.com", "STRAßE"}},
		})), int64(3), int64(7)))
}

func via(ctx context.Context, s *session) error {
	email, alias := graph.Path{"email"}, graph.Path{"alias"}
	if err := s.wantVia(ctx, "two criteria", s.query(0,
		folded(eq(email, "nobody", "ada.lovelace@example.com", "ADA.LOVELACE@EXAMPLE.COM", "jose@example.com")),
		eq(alias, "jose", "ADA", "ada"),
	), map[int64][]dsr.Match{
		1: {{Criterion: 0, Value: 1}, {Criterion: 0, Value: 2}, {Criterion: 1, Value: 2}},
		2: {{Criterion: 1, Value: 1}},
		3: {{Criterion: 0, Value: 3}, {Criterion: 1, Value: 0}},
	}); err != nil {
		return err
	}
	if err := s.wantVia(ctx, "letters beyond ASCII", s.query(0,
		eq(alias, "ADA", "ılgaz"), folded(eq(email, "ÄNNA@example.com", "änna@example.com", "anna@example.com", "Ada_Lovelace@example.com")),
	), map[int64][]dsr.Match{
		2: {{Criterion: 0, Value: 0}, {Criterion: 1, Value: 3}},
		7: {{Criterion: 1, Value: 0}, {Criterion: 1, Value: 1}},
		8: {{Criterion: 1, Value: 0}, {Criterion: 1, Value: 1}},
		9: {{Criterion: 0, Value: 1}, {Criterion: 1, Value: 2}},
	}); err != nil {
		return err
	}
	return s.wantVia(ctx, "a tuple and a key", s.query(0,
		dsr.Criterion{Fields: []graph.Path{alias, {"id"}}, Values: [][]any{{"jo", int64(4)}, {"jo", int64(5)}}},
		eq(graph.Path{"id"}, int64(6), int64(5)),
	), map[int64][]dsr.Match{
		5: {{Criterion: 0, Value: 1}, {Criterion: 1, Value: 1}},
		6: {{Criterion: 1, Value: 0}},
	})
}
