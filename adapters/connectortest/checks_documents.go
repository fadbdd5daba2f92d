package connectortest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func documentChecks() []Check {
	return []Check{
		newCheck("nested match", "a path finds a key inside a document, and any element of an array on its way or at its end",
			profiles, nestedMatch, Documents),
		newCheck("nested arrays", "a path finds an element of an array inside an array",
			profiles, nestedArrays, Documents, NestedArrays),
		newCheck("Via in documents", "with Via, a row names every input that one of its elements matched, each once",
			profiles, viaDocuments, Documents),
		newCheck("whole documents", "documents come back whole, with keys that nobody declared, awkward texts and long numbers, and can be replaced as a whole",
			profiles, wholeDocuments, Documents),
		newCheck("document keys", "keys inside documents may hold dots, spaces, quotes and brackets",
			keyedDocuments, documentKeys, Documents),
		newCheck("sibling survives", "a change inside a document leaves its siblings as they are at the time of writing",
			profiles, siblingSurvives, Documents),
		newCheck("array elements", "a change of one element of an array leaves the others as they are",
			profiles, arrayElements, Documents),
		newCheck("missing keys", "a key that is missing counts as null, and a change from null to null does not create it",
			profiles, missingKeys, Documents),
		newCheck("concurrent siblings", "writers of different keys of one document do not undo each other",
			profiles, concurrentSiblings, Documents),
	}
}

type object = map[string]any

func profiles() Setup {
	t := newTable("profiles", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("profile", dsr.ColumnDocument), col("tags", dsr.ColumnDocument)},
		[]any{int64(1), object{
			"email": "Ann@Example.com", "phone": "+1", "customer": int64(7), "long": json.Number("9007199254740993"),
			"contacts":   []any{object{"email": "x@example.com", "kind": "work"}, object{"email": "y@example.com", "kind": "home"}},
			"undeclared": object{"true": true, "null": nil, "text": `"\'` + "\x01👩", "list": []any{int64(1), "1", []any{}}},
		}, []any{"red", "green"}},
		[]any{int64(2), object{
			"email": "bob@example.com", "phone": "+2", "customer": int64(8),
			"contacts": []any{object{"email": "y@example.com"}, object{"kind": "none"}, object{"email": "z@example.com"}},
			"grid":     []any{[]any{"a", "b"}, []any{"c"}},
		}, []any{"green", "blue", "o'clock"}},
		[]any{int64(3), object{"name": "Ann@Example.com", "contacts": object{"email": "single@example.com"}}, []any{}},
		[]any{int64(4), nil, nil},
		[]any{int64(5), object{"email": nil, "contacts": []any{}, "grid": []any{[]any{}, []any{"c", "d"}}}, []any{"redder"}},
	)
	return Setup{Tables: []Table{t.in("profile", field("email"), field("phone"), field("customer"), field("long"),
		field("contacts", field("email"), field("kind")), field("grid"))}}
}

func nestedMatch(ctx context.Context, s *session) error {
	email := graph.Path{"profile", "email"}
	contact := graph.Path{"profile", "contacts", "email"}
	return errors.Join(
		s.wantFirst(ctx, "a key of an object", s.query(0, eq(email, "bob@example.com", "x@example.com")), int64(2)),
		s.wantFirst(ctx, "another case", s.query(0, eq(email, "ann@example.com"))),
		s.wantFirst(ctx, "another case, folded", s.query(0, folded(eq(email, "ann@EXAMPLE.com"))), int64(1)),
		s.wantFirst(ctx, "an integer", s.query(0, eq(graph.Path{"profile", "customer"}, int64(8))), int64(2)),
		s.wantFirst(ctx, "a key of objects in an array", s.query(0, eq(contact, "y@example.com")), int64(1), int64(2)),
		s.wantFirst(ctx, "two elements of one row", s.query(0, eq(contact, "y@example.com", "z@example.com")), int64(1), int64(2)),
		s.wantFirst(ctx, "the same path without an array", s.query(0, eq(contact, "single@example.com")), int64(3)),
		s.wantFirst(ctx, "an element of an array", s.query(0, eq(graph.Path{"tags"}, "red", "blue")), int64(1), int64(2)),
		s.wantFirst(ctx, "a quote in an element", s.query(0, eq(graph.Path{"tags"}, "o'clock")), int64(2)),
		s.wantFirst(ctx, "an empty text", s.query(0, eq(email, ""))),
		s.wantFirst(ctx, "a document or a key", s.query(0, eq(email, "bob@example.com"), eq(graph.Path{"id"}, int64(2), int64(4))), int64(2), int64(4)),
		s.wantFirst(ctx, "a tuple with a nested part", s.query(0, dsr.Criterion{
			Fields: []graph.Path{{"id"}, email},
			Values: [][]any{{int64(2), "bob@example.com"}, {int64(1), "bob@example.com"}},
		}), int64(2)))
}

func nestedArrays(ctx context.Context, s *session) error {
	grid := graph.Path{"profile", "grid"}
	return errors.Join(
		s.wantFirst(ctx, "an element of an inner array", s.query(0, eq(grid, "b")), int64(2)),
		s.wantFirst(ctx, "an element of several rows", s.query(0, eq(grid, "c", "z")), int64(2), int64(5)))
}

func viaDocuments(ctx context.Context, s *session) error {
	return s.wantVia(ctx, "elements of arrays", s.query(0,
		folded(eq(graph.Path{"profile", "contacts", "email"}, "Z@example.com", "y@example.com", "x@EXAMPLE.com")),
		eq(graph.Path{"tags"}, "green", "red"),
		folded(eq(graph.Path{"profile", "email"}, "nobody", "ann@example.com")),
	), map[int64][]dsr.Match{
		1: {{Criterion: 0, Value: 1}, {Criterion: 0, Value: 2}, {Criterion: 1, Value: 0}, {Criterion: 1, Value: 1}, {Criterion: 2, Value: 1}},
		2: {{Criterion: 0, Value: 0}, {Criterion: 0, Value: 1}, {Criterion: 1, Value: 0}},
	})
}

func wholeDocuments(ctx context.Context, s *session) error {
	rows, err := s.read(ctx, s.query(0, eq(graph.Path{"id"}, int64(1), int64(2), int64(3), int64(4), int64(5))))
	if err != nil {
		return err
	}
	for i, want := range s.tables[0].Rows {
		if len(rows) != 5 || !slices.ContainsFunc(rows, func(got row) bool { return same(got.values, want) }) {
			return fmt.Errorf("row %d did not come back as it was stored; read %s", i+1, show(rows))
		}
	}
	// What was read is taken back as the old value of the whole column.
	chunk := s.chunk(0)
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(show(a.values["id"]), show(b.values["id"])) })
	for _, r := range rows {
		chunk.Rows = append(chunk.Rows, at(r.values["id"], to(r.values["profile"], nil, "profile"), guard(r.values["tags"], "tags")))
	}
	// Row 4 never held this, but it is null already.
	chunk.Rows[3].Set[0].Old = object{}
	null := object{"profile": nil}
	return errors.Join(
		s.apply(ctx, "null in the place of whole documents", chunk,
			dsr.RowWritten, dsr.RowWritten, dsr.RowWritten, dsr.RowAlready, dsr.RowWritten),
		s.holds(ctx, "after null was written over whole documents", 0,
			edit{row: 0, set: null}, edit{row: 1, set: null}, edit{row: 2, set: null}, edit{row: 4, set: null}))
}

func keyedDocuments() Setup {
	keys := []string{"a.b", "a b", "it's", "$", "[0]", "größe", "--", "?", "$1", "*", "0"}
	doc := object{"a": object{"b": "decoy"}}
	var fields []*graph.Field
	for _, key := range keys {
		doc[key] = "v " + key
		fields = append(fields, field(key))
	}
	t := newTable("keyed", []string{"id"}, []dsr.Column{col("id", dsr.ColumnInteger), col("doc", dsr.ColumnDocument)},
		[]any{int64(1), doc}, []any{int64(2), object{"a": object{"b": "v a.b"}}})
	return Setup{Tables: []Table{t.in("doc", fields...)}}
}

func documentKeys(ctx context.Context, s *session) error {
	doc, _ := clone(s.tables[0].Rows[0]["doc"]).(object)
	for _, f := range s.tables[0].Collection.Fields[1].Fields {
		old := "v " + f.Name
		if err := s.wantFirst(ctx, "the key "+f.Name, s.query(0, eq(graph.Path{"doc", f.Name}, old)), int64(1)); err != nil {
			return err
		}
		if err := s.apply(ctx, "change the key "+f.Name,
			s.chunk(0, at(int64(1), to(old, "masked", "doc", f.Name))), dsr.RowWritten); err != nil {
			return err
		}
		doc[f.Name] = "masked"
		if err := s.holds(ctx, "after changing the key "+f.Name, 0, edit{row: 0, set: object{"doc": doc}}); err != nil {
			return err
		}
	}
	return nil
}

// profile returns the document of row n, changed.
func (s *session) profile(n int, change func(profile object)) object {
	doc, _ := clone(s.tables[0].Rows[n]["profile"]).(object)
	change(doc)
	return doc
}

func siblingSurvives(ctx context.Context, s *session) error {
	// Another writer changes a sibling after the old value was read.
	between := s.profile(0, func(p object) { p["phone"] = "+999"; p["new"] = "kept" })
	if err := s.db.Update(ctx, "profiles", object{"id": int64(1)}, object{"profile": between}); err != nil {
		return err
	}
	if err := s.apply(ctx, "change keys whose siblings changed", s.chunk(0,
		at(int64(1), to("Ann@Example.com", "masked", "profile", "email"), to(int64(7), nil, "profile", "customer")),
		at(int64(2), to("bob@example.com", nil, "profile", "email")),
		at(int64(3), to("nobody", "masked", "profile", "name")),
	), dsr.RowWritten, dsr.RowWritten, dsr.RowChanged); err != nil {
		return err
	}
	between["email"], between["customer"] = "masked", nil
	second := s.profile(1, func(p object) { p["email"] = nil })
	return s.holds(ctx, "after changing keys whose siblings changed", 0,
		edit{row: 0, set: object{"profile": between}}, edit{row: 1, set: object{"profile": second}})
}

func arrayElements(ctx context.Context, s *session) error {
	if err := s.apply(ctx, "change elements", s.chunk(0,
		at(int64(1), to("y@example.com", "m1", "profile", "contacts", 1, "email"), to("red", "m2", "tags", 0)),
		at(int64(2), to("z@example.com", "m3", "profile", "contacts", 2, "email"), to("a", "m4", "profile", "grid", 0, 0),
			to("o'clock", "m5", "tags", 2), to("green", nil, "tags", 0)),
		at(int64(5), to("red", "m6", "tags", 0)),
	), dsr.RowWritten, dsr.RowWritten, dsr.RowChanged); err != nil {
		return err
	}
	first := s.profile(0, func(p object) {
		p["contacts"] = []any{object{"email": "x@example.com", "kind": "work"}, object{"email": "m1", "kind": "home"}}
	})
	second := s.profile(1, func(p object) {
		p["contacts"] = []any{object{"email": "y@example.com"}, object{"kind": "none"}, object{"email": "m3"}}
		p["grid"] = []any{[]any{"m4", "b"}, []any{"c"}}
	})
	return s.holds(ctx, "after changing elements", 0,
		edit{row: 0, set: object{"profile": first, "tags": []any{"m2", "green"}}},
		edit{row: 1, set: object{"profile": second, "tags": []any{nil, "blue", "m5"}}})
}

func missingKeys(ctx context.Context, s *session) error {
	if err := s.apply(ctx, "change documents that lack keys", s.chunk(0,
		at(int64(2), to("bob@example.com", "masked", "profile", "email"), guard(nil, "profile", "nickname"), guard(nil, "profile", "address", "zip")),
		at(int64(3), to("nobody@example.com", "masked", "profile", "email")),
		at(int64(5), to("red", "masked", "tags", 7)),
	), dsr.RowWritten, dsr.RowChanged, dsr.RowChanged); err != nil {
		return err
	}
	// These only guard, so they count as written or as done already.
	if _, err := s.conn.Apply(ctx, s.chunk(0,
		at(int64(3), guard(nil, "profile", "email")),
		at(int64(4), guard(nil, "profile", "email"), guard(nil, "tags")),
		at(int64(5), guard(nil, "profile", "email"), guard(nil, "profile", "phone")),
	)); err != nil {
		return fmt.Errorf("guard keys that are missing: %w", err)
	}
	masked := s.profile(1, func(p object) { p["email"] = "masked" })
	return s.holds(ctx, "after changes from nil to nil", 0, edit{row: 1, set: object{"profile": masked}})
}

// siblingWrites is how often each writer changes its own key.
const siblingWrites = 20

func concurrentSiblings(ctx context.Context, s *session) error {
	faults := make(chan error, 2)
	var writers sync.WaitGroup
	for key, old := range map[string]string{"email": "bob@example.com", "phone": "+2"} {
		writers.Go(func() {
			for i := range siblingWrites {
				next := fmt.Sprintf("%s %d", key, i)
				err := s.apply(ctx, "two writers of one document", s.chunk(0, at(int64(2), to(old, next, "profile", key))), dsr.RowWritten)
				if err != nil {
					faults <- err
					return
				}
				old = next
			}
		})
	}
	writers.Wait()
	close(faults)
	for err := range faults {
		return err
	}
	last := s.profile(1, func(p object) {
		p["email"], p["phone"] = fmt.Sprintf("email %d", siblingWrites-1), fmt.Sprintf("phone %d", siblingWrites-1)
	})
	return s.holds(ctx, "after two writers of one document", 0, edit{row: 1, set: object{"profile": last}})
}
