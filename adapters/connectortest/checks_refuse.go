package connectortest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func refusalChecks() []Check {
	return []Check{
		newCheck("empty query", "a query without criteria, or with an empty one, is refused; it never means every row",
			people, emptyQuery),
		newCheck("empty key", "a chunk with a row that has no key is refused as a whole; it never means every row",
			people, emptyKey),
		newCheck("read-only refused", "a read-only connector says so in its schema and refuses every change",
			func() Setup { s := people(); s.ReadOnly = true; return s }, readOnly),
		newCheck("dry run writes nothing", "a dry run tells statements without values, and changes nothing",
			constrained, dryRun, DryRun),
		newCheck("errors carry no values", "no error holds a value of a query, a change or a row, however deep it is wrapped",
			constrained, errorsCarryNoValues),
	}
}

func emptyQuery(ctx context.Context, s *session) error {
	name := graph.Path{"name"}
	good := eq(name, "Ann")
	for what, criteria := range map[string][]dsr.Criterion{
		"no criteria":                     nil,
		"a criterion without fields":      {{Values: [][]any{{"Ann"}}}},
		"a criterion without values":      {{Fields: []graph.Path{name}}},
		"an empty criterion":              {{}},
		"a good criterion and an empty":   {good, {}},
		"a criterion with an empty tuple": {{Fields: []graph.Path{name}, Values: [][]any{{}}}},
	} {
		rows, err := s.read(ctx, s.query(0, criteria...))
		if !errors.Is(err, dsr.ErrEmptyQuery) {
			return fmt.Errorf("%s: read %d rows and the error %w, want dsr.ErrEmptyQuery", what, len(rows), orNone(err))
		}
	}
	short := dsr.Criterion{Fields: []graph.Path{name, {"city"}}, Values: [][]any{{"Ann"}}}
	if rows, err := s.read(ctx, s.query(0, short)); err == nil {
		return fmt.Errorf("a tuple with fewer values than fields: read %d rows, want an error", len(rows))
	}
	return nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("none")
	}
	return err
}

func emptyKey(ctx context.Context, s *session) error {
	change := to("Ann", "masked", "name")
	withoutKey := s.chunk(0, at(int64(1), change))
	withoutKey.Key = nil
	bare := s.chunk(0, dsr.RowChange{Set: []dsr.Change{change}})
	bare.Key = nil
	for what, chunk := range map[string]*dsr.Chunk{
		"a chunk that names no key columns": withoutKey,
		"a chunk without any key":           bare,
		"a row without a key":               s.chunk(0, dsr.RowChange{Set: []dsr.Change{change}}),
		"a row without a key among others":  s.chunk(0, at(int64(1), change), dsr.RowChange{Set: []dsr.Change{change}}),
	} {
		for _, remove := range []bool{false, true} {
			chunk.Delete = remove
			results, err := s.conn.Apply(ctx, chunk)
			if !errors.Is(err, dsr.ErrEmptyQuery) {
				return fmt.Errorf("%s, Delete %t: the results %q and the error %w, want dsr.ErrEmptyQuery", what, remove, results, orNone(err))
			}
			if err := s.holds(ctx, what, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func readOnly(ctx context.Context, s *session) error {
	schema, err := s.conn.Describe(ctx, s.tables[0].Collection)
	if err != nil {
		return err
	}
	if schema.ReadOnly == "" {
		return errors.New("describe does not say that the connection is read-only, and why")
	}
	for _, remove := range []bool{false, true} {
		chunk := s.chunk(0, at(int64(1), to("Ann", "masked", "name")))
		chunk.Delete = remove
		results, err := s.conn.Apply(ctx, chunk)
		if !errors.Is(err, dsr.ErrReadOnly) {
			return fmt.Errorf("apply, Delete %t: the results %q and the error %w, want dsr.ErrReadOnly", remove, results, orNone(err))
		}
	}
	return errors.Join(
		s.holds(ctx, "after a refused change", 0),
		s.wantFirst(ctx, "a read", s.query(0, eq(graph.Path{"id"}, int64(1))), int64(1)))
}

// canary is a text that the database holds and that must not come out in an
// error or a statement.
const canary = "canary-4f1d@example.com"

func dryRun(ctx context.Context, s *session) error {
	dry, ok := s.conn.(dsr.DryRunner)
	if !ok {
		return errors.New("the connector is no dsr.DryRunner; if it is not meant to be, declare that in Harness.Lacks")
	}
	email := graph.Path{"email"}
	reads, err := dry.DryRead(ctx, s.query(0, eq(email, canary), folded(eq(email, canary, "1@example.com"))))
	if err != nil {
		return fmt.Errorf("dry read: %w", err)
	}
	writes, err := dry.DryApply(ctx, s.chunk(0,
		at(int64(1), to("one "+canary, "masked "+canary, "label")), at(int64(2), to(int64(2), nil, "count"))))
	if err != nil {
		return fmt.Errorf("dry apply: %w", err)
	}
	deletes, err := dry.DryApply(ctx, deletion(s.chunk(0, at(int64(3), guard(canary, "email")))))
	if err != nil {
		return fmt.Errorf("dry apply of a deletion: %w", err)
	}
	for what, statements := range map[string][]string{"read": reads, "apply": writes, "apply of a deletion": deletes} {
		if len(statements) == 0 || strings.Join(statements, "") == "" {
			return fmt.Errorf("dry %s: there are no statements", what)
		}
		if strings.Contains(strings.Join(statements, "\n"), "canary") {
			return fmt.Errorf("dry %s: a statement holds a value in the place of a placeholder", what)
		}
	}
	if _, err := dry.DryRead(ctx, s.query(0)); !errors.Is(err, dsr.ErrEmptyQuery) {
		return fmt.Errorf("dry read of an empty query: the error %w, want dsr.ErrEmptyQuery", orNone(err))
	}
	return s.holds(ctx, "after a dry run", 0)
}

func errorsCarryNoValues(ctx context.Context, s *session) error {
	faults := make(map[string]error)
	_, faults["read an integer by a text"] = s.read(ctx, s.query(0, eq(graph.Path{"count"}, canary)))
	_, faults["read a text by a wrong tuple"] = s.read(ctx, s.query(0, dsr.Criterion{
		Fields: []graph.Path{{"id"}, {"email"}}, Values: [][]any{{int64(1), canary}, {canary}}}))
	_, faults["read a column that does not exist"] = s.read(ctx, s.query(0, eq(graph.Path{"nothing"}, canary)))
	_, faults["read by a channel"] = s.read(ctx, s.query(0, eq(graph.Path{"email"}, canary, make(chan int))))
	for what, changes := range map[string][]dsr.Change{
		"write a text to an integer":     {to(int64(2), canary, "count")},
		"write a text that is too long":  {to("2@example.com", strings.Repeat(canary, 5), "email")},
		"write a value that another has": {to("2@example.com", canary, "email")},
		"write a null where none goes":   {to("two "+canary, nil, "label")},
		"write a nonexistent column":     {to(nil, canary, "nothing")},
		"write a channel":                {to("two "+canary, make(chan int), "label")},
	} {
		_, faults[what] = s.conn.Apply(ctx, s.chunk(0, at(int64(2), changes...)))
	}
	_, faults["address an integer by a text"] = s.conn.Apply(ctx, s.chunk(0, at(canary, to("three", "x", "label"))))
	done, cancel := context.WithCancel(ctx)
	cancel()
	_, faults["read when cancelled"] = s.read(done, s.query(0, eq(graph.Path{"email"}, canary)))
	for what, err := range faults {
		for _, text := range texts(err) {
			if strings.Contains(text, "canary") {
				return fmt.Errorf("%s: an error of type %T, or one that it wraps, holds a value", what, err)
			}
		}
	}
	return nil
}

// texts returns what err and everything that it wraps would show in a log, or
// to a tool that prints the fields of errors.
func texts(err error) []string {
	if err == nil {
		return nil
	}
	all := []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		all = append(all, texts(err.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			all = append(all, texts(inner)...)
		}
	}
	return all
}
