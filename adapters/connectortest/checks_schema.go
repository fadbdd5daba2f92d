package connectortest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func schemaChecks() []Check {
	return []Check{
		newCheck("describe", "a schema names every column with its kind, null and unique, and the primary key in its own order",
			described, describe),
		newCheck("unique sets", "a schema tells which columns must be unique together, but for the primary key, and none of them as unique alone",
			together, uniqueSets, Constraints),
		newCheck("lengths", "a schema tells the longest text of a column in characters",
			described, lengths, Lengths),
		newCheck("foreign keys", "a schema names the foreign keys that point at the table, its own included, and those of the table itself",
			related, foreignKeys, ForeignKeys),
		newCheck("no collection", "a table that does not exist is dsr.ErrNoCollection; reading or changing it fails",
			people, noCollection),
		newCheck("ping", "a database that is there can be reached; a done context fails",
			people, ping),
	}
}

func described() Setup {
	required := col("required", dsr.ColumnText)
	required.Nullable = false
	return Setup{Tables: []Table{newTable("described", []string{"tenant", "id"},
		[]dsr.Column{
			col("id", dsr.ColumnInteger), col("tenant", dsr.ColumnInteger), required,
			{Name: "email", Kind: dsr.ColumnText, Length: 40, Nullable: true, Unique: true},
			col("free", dsr.ColumnText), col("ratio", dsr.ColumnFloat), col("photo", dsr.ColumnBytes),
		})}}
}

func describe(ctx context.Context, s *session) error {
	schema, err := s.conn.Describe(ctx, s.tables[0].Collection)
	if err != nil {
		return err
	}
	if schema.Table == "" {
		return errors.New("the schema does not name its table")
	}
	if schema.ReadOnly != "" {
		return fmt.Errorf("the schema says that the connection is read-only: %s", schema.ReadOnly)
	}
	if !slices.Equal(schema.Key, s.tables[0].Key) {
		return fmt.Errorf("the primary key is %q, want %q", schema.Key, s.tables[0].Key)
	}
	if len(schema.Columns) != len(s.tables[0].Columns) {
		return fmt.Errorf("the schema has %d columns, want %d", len(schema.Columns), len(s.tables[0].Columns))
	}
	for _, want := range s.tables[0].Columns {
		got, ok := schema.Column(want.Name)
		switch {
		case !ok:
			return fmt.Errorf("the schema lacks column %s", want.Name)
		case got.Kind != want.Kind && got.Kind != dsr.ColumnAny:
			return fmt.Errorf("column %s is of kind %q, want %q or any", want.Name, got.Kind, want.Kind)
		case got.Nullable != want.Nullable:
			return fmt.Errorf("column %s has Nullable %t, want %t", want.Name, got.Nullable, want.Nullable)
		case got.Unique != want.Unique:
			return fmt.Errorf("column %s has Unique %t, want %t: the column alone, not as part of a key", want.Name, got.Unique, want.Unique)
		case got.Generated:
			return fmt.Errorf("column %s is said to be generated", want.Name)
		}
	}
	return nil
}

func together() Setup {
	seats := newTable("seats", []string{"hall", "id"}, []dsr.Column{
		col("id", dsr.ColumnInteger), col("hall", dsr.ColumnInteger), col("line", dsr.ColumnInteger), col("place", dsr.ColumnInteger),
		{Name: "label", Kind: dsr.ColumnText, Length: 20, Nullable: true, Unique: true},
	})
	seats.Unique = [][]string{{"hall", "line", "place"}, {"line", "id"}}
	return Setup{Tables: []Table{seats}}
}

func uniqueSets(ctx context.Context, s *session) error {
	schema, err := s.conn.Describe(ctx, s.tables[0].Collection)
	if err != nil {
		return err
	}
	sets := func(of [][]string) []string {
		var out []string
		for _, set := range of {
			out = append(out, strings.Join(slices.Sorted(slices.Values(set)), ", "))
		}
		slices.Sort(out)
		return out
	}
	if got, want := sets(schema.Unique), sets(s.tables[0].Unique); !slices.Equal(got, want) {
		return fmt.Errorf("the sets of unique columns are %q, want %q", got, want)
	}
	for _, column := range schema.Columns {
		if column.Unique != (column.Name == "label") {
			return fmt.Errorf("column %s has Unique %t", column.Name, column.Unique)
		}
	}
	return nil
}

func lengths(ctx context.Context, s *session) error {
	schema, err := s.conn.Describe(ctx, s.tables[0].Collection)
	if err != nil {
		return err
	}
	got, ok := schema.Column("email")
	if !ok || got.Length != 40 {
		return errors.New("column email does not tell its length of 40 characters")
	}
	if number, ok := schema.Column("id"); !ok || number.Length != 0 {
		return errors.New("an integer column tells a length of text")
	}
	return nil
}

func related() Setup {
	parent := newTable("owners", []string{"tenant", "id"}, []dsr.Column{
		col("id", dsr.ColumnInteger), col("tenant", dsr.ColumnInteger), col("boss_tenant", dsr.ColumnInteger), col("boss", dsr.ColumnInteger),
	})
	parent.ForeignKeys = []ForeignKey{{
		Columns: []string{"boss_tenant", "boss"}, Parent: "owners", References: []string{"tenant", "id"}, OnDelete: "restrict",
	}}
	child := newTable("pets", []string{"id"}, []dsr.Column{
		col("id", dsr.ColumnInteger), col("owner", dsr.ColumnInteger), col("owner_tenant", dsr.ColumnInteger),
		col("vet", dsr.ColumnInteger), col("vet_tenant", dsr.ColumnInteger),
	})
	child.ForeignKeys = []ForeignKey{
		{Columns: []string{"owner_tenant", "owner"}, Parent: "owners", References: []string{"tenant", "id"}, OnDelete: "cascade"},
		{Columns: []string{"vet_tenant", "vet"}, Parent: "owners", References: []string{"tenant", "id"}, OnDelete: "set null"},
	}
	return Setup{Tables: []Table{parent, child}}
}

func foreignKeys(ctx context.Context, s *session) error {
	names := make(map[string]string)
	schemas := make([]*dsr.Schema, len(s.tables))
	for i := range s.tables {
		schema, err := s.conn.Describe(ctx, s.tables[i].Collection)
		if err != nil {
			return err
		}
		schemas[i], names[s.tables[i].Name()] = schema, schema.Table
	}
	referencedBy, references := make(map[string][]dsr.ForeignKey), make(map[string][]dsr.ForeignKey)
	for _, t := range s.tables {
		for _, fk := range t.ForeignKeys {
			told := dsr.ForeignKey{Columns: fk.Columns, References: fk.References, OnDelete: fk.OnDelete}
			told.Table = names[t.Name()]
			referencedBy[fk.Parent] = append(referencedBy[fk.Parent], told)
			told.Table = names[fk.Parent]
			references[t.Name()] = append(references[t.Name()], told)
		}
	}
	for i, t := range s.tables {
		if err := sameReferences(schemas[i].ReferencedBy, referencedBy[t.Name()]); err != nil {
			return fmt.Errorf("the foreign keys that point at %s: %w", t.Name(), err)
		}
		if err := sameReferences(schemas[i].References, references[t.Name()]); err != nil {
			return fmt.Errorf("the foreign keys of %s: %w", t.Name(), err)
		}
	}
	return nil
}

func sameReferences(got, want []dsr.ForeignKey) error {
	if len(got) != len(want) {
		return fmt.Errorf("the schema tells %d, want %d", len(got), len(want))
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(fk dsr.ForeignKey) bool { return sameReference(fk, w) }) {
			return fmt.Errorf("the one with %s (%q to %q, on delete %s) is not told as such", w.Table, w.Columns, w.References, w.OnDelete)
		}
	}
	return nil
}

func sameReference(a, b dsr.ForeignKey) bool {
	return a.Table == b.Table && slices.Equal(a.Columns, b.Columns) &&
		slices.Equal(a.References, b.References) && a.OnDelete == b.OnDelete
}

func noCollection(ctx context.Context, s *session) error {
	missing := newTable("nowhere", []string{"id"}, []dsr.Column{col("id", dsr.ColumnInteger)})
	if _, err := s.conn.Describe(ctx, missing.Collection); !errors.Is(err, dsr.ErrNoCollection) {
		return fmt.Errorf("describe: the error %w, want dsr.ErrNoCollection", orNone(err))
	}
	q := &dsr.Query{Collection: missing.Collection, Columns: []string{"id"}, Criteria: []dsr.Criterion{eq(graph.Path{"id"}, int64(1))}}
	if rows, err := s.read(ctx, q); err == nil {
		return fmt.Errorf("read: %d rows and no error", len(rows))
	}
	chunk := &dsr.Chunk{Collection: missing.Collection, Key: []graph.Path{{"id"}}, Rows: []dsr.RowChange{at(int64(1), to(int64(1), int64(2), "id"))}}
	if results, err := s.conn.Apply(ctx, chunk); err == nil {
		return fmt.Errorf("apply: the results %q and no error", results)
	}
	return nil
}

func ping(ctx context.Context, s *session) error {
	if err := s.conn.Ping(ctx); err != nil {
		return err
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.conn.Ping(done); err == nil {
		return errors.New("ping with a context that is done reports no error")
	}
	return nil
}
