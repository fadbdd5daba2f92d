package connectortest

import (
	"context"
	"errors"
	"fmt"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func writeChecks() []Check {
	return []Check{
		newCheck("twice equals once", "a chunk that is applied again changes nothing and reports every row as done",
			numbered, twiceEqualsOnce),
		newCheck("changed since", "a row that no longer holds the old values is left alone and reported; results come in the order of the chunk",
			people, changedSince),
		newCheck("all or nothing", "when one row of a chunk cannot be written, none is",
			constrained, allOrNothing, Constraints),
		newCheck("delete", "a deletion removes the rows that hold the guarded values, and no other",
			people, deletes),
		newCheck("delete twice", "a deletion that is applied again reports its rows as gone, and harms none",
			people, deleteTwice),
		newCheck("keyless", "without a primary key, rows are addressed by other columns, and the old values tell them apart",
			keylessRows, keyless, Keyless),
	}
}

const numberedRows = 1_000

func numbered() Setup {
	rows := make([][]any, numberedRows)
	for i := range rows {
		rows[i] = []any{int64(i), fmt.Sprintf("name %d", i), fmt.Sprintf("city %d", i)}
	}
	return Setup{Tables: []Table{newTable("numbered", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("name", dsr.ColumnText), col("city", dsr.ColumnText)}, rows...)}}
}

func twiceEqualsOnce(ctx context.Context, s *session) error {
	chunk := s.chunk(0)
	edits := make([]edit, 0, numberedRows)
	written := make([]dsr.RowResult, 0, numberedRows)
	already := make([]dsr.RowResult, 0, numberedRows)
	for i := range numberedRows - 1 {
		name, city := fmt.Sprintf("masked %d", i), any(fmt.Sprintf("city %d", i))
		change := at(int64(i), to(fmt.Sprintf("name %d", i), name, "name"))
		if i%3 == 0 {
			change.Set = append(change.Set, to(city, nil, "city"))
			city = nil
		}
		chunk.Rows = append(chunk.Rows, change)
		edits = append(edits, edit{row: i, set: map[string]any{"name": name, "city": city}})
		written, already = append(written, dsr.RowWritten), append(already, dsr.RowAlready)
	}
	// A sum of results in an error would be too long to read.
	for round, want := range [][]dsr.RowResult{written, already, already} {
		got, err := s.conn.Apply(ctx, chunk)
		if err != nil {
			return fmt.Errorf("apply, time %d: %w", round+1, err)
		}
		if len(got) != len(want) {
			return fmt.Errorf("apply, time %d: %d results for %d rows", round+1, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				return fmt.Errorf("apply, time %d: row %d is %q, want %q", round+1, i, got[i], want[i])
			}
		}
		if err := s.holds(ctx, fmt.Sprintf("after apply, time %d", round+1), 0, edits...); err != nil {
			return err
		}
	}
	return nil
}

func changedSince(ctx context.Context, s *session) error {
	if err := errors.Join(
		s.db.Update(ctx, "people", map[string]any{"id": int64(1)}, map[string]any{"name": "Anna"}),
		s.db.Update(ctx, "people", map[string]any{"id": int64(3)}, map[string]any{"city": "masked"}),
		s.db.Update(ctx, "people", map[string]any{"id": int64(4)}, map[string]any{"name": nil}),
	); err != nil {
		return err
	}
	err := s.apply(ctx, "a chunk of rows that others changed", s.chunk(0,
		at(int64(1), to("Ann", "masked", "name"), to("Oslo", "masked", "city")),
		at(int64(2), to("Bob", "masked", "name")),
		at(int64(3), to("Ann", "masked", "name"), to("Rome", "masked", "city")),
		at(int64(4), to("Ann B", "masked", "name")),
		at(int64(7), guard("Rome", "city"), to("Bob", "masked", "name")),
		at(int64(99), to("Zoe", "masked", "name")),
	), dsr.RowChanged, dsr.RowWritten, dsr.RowChanged, dsr.RowChanged, dsr.RowChanged, dsr.RowGone)
	if err != nil {
		return err
	}
	return s.holds(ctx, "after a chunk of rows that others changed", 0,
		edit{row: 0, set: map[string]any{"name": "Anna"}},
		edit{row: 1, set: map[string]any{"name": "masked"}},
		edit{row: 2, set: map[string]any{"city": "masked"}},
		edit{row: 3, set: map[string]any{"name": nil}})
}

// constrained has a column that takes no null and one that must be unique.
func constrained() Setup {
	label := col("label", dsr.ColumnText)
	label.Nullable = false
	email := dsr.Column{Name: "email", Kind: dsr.ColumnText, Length: 60, Nullable: true, Unique: true}
	return Setup{Tables: []Table{newTable("constrained", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), label, email, col("count", dsr.ColumnInteger)},
		[]any{int64(1), "one " + canary, "1@example.com", int64(1)},
		[]any{int64(2), "two " + canary, "2@example.com", int64(2)},
		[]any{int64(3), "three", canary, int64(3)},
	)}}
}

func allOrNothing(ctx context.Context, s *session) error {
	for what, bad := range map[string]dsr.Change{
		"a null where none is taken": to("two "+canary, nil, "label"),
		"a value that another has":   to("2@example.com", canary, "email"),
	} {
		results, err := s.conn.Apply(ctx, s.chunk(0,
			at(int64(1), to("1@example.com", "masked", "email")),
			at(int64(2), bad),
			at(int64(3), to("three", "masked", "label"), to(int64(3), nil, "count")),
		))
		if err == nil {
			return fmt.Errorf("%s: no error, and the results %q", what, results)
		}
		if err := s.holds(ctx, "after "+what, 0); err != nil {
			return err
		}
	}
	return nil
}

func deletion(c *dsr.Chunk) *dsr.Chunk {
	c.Delete = true
	return c
}

func deletes(ctx context.Context, s *session) error {
	if err := s.apply(ctx, "delete", deletion(s.chunk(0,
		at(int64(1), guard("Ann", "name"), guard("Oslo", "city")),
		at(int64(2), guard("Bob", "name"), guard("Rome", "city")),
		at(int64(5), guard(nil, "name")),
		at(int64(6), guard(nil, "name")),
		at(int64(7)),
		at(int64(99), guard("Zoe", "name")),
	)), dsr.RowWritten, dsr.RowChanged, dsr.RowWritten, dsr.RowChanged, dsr.RowWritten, dsr.RowGone); err != nil {
		return err
	}
	return s.holds(ctx, "after deleting", 0, edit{row: 0, remove: true}, edit{row: 4, remove: true}, edit{row: 6, remove: true})
}

func deleteTwice(ctx context.Context, s *session) error {
	chunk := deletion(s.chunk(0, at(int64(1), guard("Ann", "name")), at(int64(4))))
	if err := errors.Join(
		s.apply(ctx, "delete once", chunk, dsr.RowWritten, dsr.RowWritten),
		s.apply(ctx, "delete twice", chunk, dsr.RowGone, dsr.RowGone),
	); err != nil {
		return err
	}
	return s.holds(ctx, "after deleting twice", 0, edit{row: 0, remove: true}, edit{row: 3, remove: true})
}

func keylessRows() Setup {
	return Setup{Tables: []Table{newTable("visits", nil,
		[]dsr.Column{col("customer", dsr.ColumnInteger), col("page", dsr.ColumnText), col("name", dsr.ColumnText)},
		[]any{int64(5), "a", "Ann"}, []any{int64(5), "b", "Bob"}, []any{int64(6), "a", "Ann"},
		[]any{int64(7), "a", "Zoe"}, []any{int64(7), "a", "Zoe"},
		[]any{int64(8), "a", "Ian"}, []any{int64(8), "b", "Ian"},
		[]any{nil, "c", "Ned"}, []any{int64(4), "c", "Ned"},
	)}}
}

func keyless(ctx context.Context, s *session) error {
	schema, err := s.conn.Describe(ctx, s.tables[0].Collection)
	if err != nil {
		return err
	}
	if len(schema.Key) > 0 || !schema.Keyless {
		return fmt.Errorf("describe a table without a key: Key is %q and Keyless %t, want none and true", schema.Key, schema.Keyless)
	}
	if err := s.wantFirst(ctx, "two rows that equal each other", s.query(0, eq(graph.Path{"customer"}, int64(7))), int64(7), int64(7)); err != nil {
		return err
	}
	chunk := s.chunk(0, at(int64(5), to("Ann", "m1", "name")), at(int64(5), to("Bob", "m2", "name")), at(int64(9), to("Ann", "m3", "name")))
	chunk.Key = []graph.Path{{"customer"}}
	partly := s.chunk(0, dsr.RowChange{Key: []any{nil, "c"}, Set: []dsr.Change{to("Ned", "m4", "name")}})
	partly.Key = []graph.Path{{"customer"}, {"page"}}
	removal := deletion(s.chunk(0, dsr.RowChange{Key: []any{int64(8), "b"}, Set: []dsr.Change{guard("Ian", "name")}}))
	removal.Key = []graph.Path{{"customer"}, {"page"}}
	return errors.Join(
		s.apply(ctx, "change by customer", chunk, dsr.RowWritten, dsr.RowWritten, dsr.RowGone),
		s.apply(ctx, "change by customer again", chunk, dsr.RowAlready, dsr.RowAlready, dsr.RowGone),
		s.apply(ctx, "change by a page and no customer", partly, dsr.RowWritten),
		s.apply(ctx, "change by a page and no customer again", partly, dsr.RowAlready),
		s.apply(ctx, "delete by customer and page", removal, dsr.RowWritten),
		s.holds(ctx, "after addressing rows without a key", 0,
			edit{row: 0, set: map[string]any{"name": "m1"}}, edit{row: 1, set: map[string]any{"name": "m2"}}, edit{row: 6, remove: true},
			edit{row: 7, set: map[string]any{"name": "m4"}}))
}
