package sqlconntest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
)

// schemas creates a second schema named other, and returns its name.
func schemas(t *testing.T, d dialect, run func(...string)) string {
	t.Helper()
	switch d.dialect {
	case sqlconn.PostgreSQL:
		run(`CREATE SCHEMA "o.ther"`, `CREATE TABLE "o.ther".parent (id int PRIMARY KEY, far text)`)
		return "o.ther"
	case sqlconn.MySQL:
		run("CREATE DATABASE `o.ther`", "CREATE TABLE `o.ther`.parent (id int PRIMARY KEY, far text)")
		t.Cleanup(func() { run("DROP DATABASE `o.ther`") })
		return "o.ther"
	}
	run(`ATTACH ':memory:' AS "o.ther"`, `CREATE TABLE "o.ther".parent (id int PRIMARY KEY, far text)`)
	return "o.ther"
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			db.SetMaxOpenConns(1) // an attached database belongs to its connection
			run := func(statements ...string) {
				for _, s := range statements {
					_, err := db.Exec(s)
					require.NoError(t, err, s)
				}
			}
			run(`CREATE TABLE parent (a int NOT NULL, b int NOT NULL, mail varchar(30) UNIQUE, up int, full_name varchar(20) GENERATED ALWAYS AS (mail) STORED,
				PRIMARY KEY (b, a))`,
				`CREATE TABLE child (id int PRIMARY KEY, x int, y int, CONSTRAINT child_parent FOREIGN KEY (x, y) REFERENCES parent (b, a) ON DELETE CASCADE)`,
				`CREATE TABLE pet (id int PRIMARY KEY, mail varchar(30), CONSTRAINT pet_mail FOREIGN KEY (mail) REFERENCES parent (mail) ON DELETE SET NULL)`,
				`CREATE VIEW people AS SELECT a, mail FROM parent`)
			other := schemas(t, d, run)
			connector := sqlconn.New(db, d.dialect, nil)

			s, err := connector.Describe(t.Context(), table("parent", "a", "mail"))
			require.NoError(t, err)
			require.Equal(t, []string{"b", "a"}, s.Key)
			require.True(t, s.Keyless)
			require.Empty(t, s.ReadOnly)
			mail, _ := s.Column("mail")
			require.True(t, mail.Unique)
			require.True(t, mail.Nullable)
			require.Equal(t, 30, mail.Length)
			a, _ := s.Column("a")
			require.False(t, a.Unique)
			require.False(t, a.Nullable)
			require.Equal(t, dsr.ColumnInteger, a.Kind)
			generated, _ := s.Column("full_name")
			require.True(t, generated.Generated)
			require.Len(t, s.ReferencedBy, 2)
			child, pet := s.ReferencedBy[0], s.ReferencedBy[1]
			require.Equal(t, []string{"x", "y"}, child.Columns)
			require.Equal(t, []string{"b", "a"}, child.References)
			require.Equal(t, "cascade", child.OnDelete)
			require.Equal(t, "set null", pet.OnDelete)
			require.Equal(t, []string{"mail"}, pet.Columns)
			require.Empty(t, s.References)
			described, err := connector.Describe(t.Context(), table("child"))
			require.NoError(t, err)
			require.Equal(t, described.Table, child.Table)
			require.Empty(t, described.ReferencedBy)
			child.Table = s.Table
			require.Equal(t, []dsr.ForeignKey{child}, described.References)

			view, err := connector.Describe(t.Context(), table("people", "a", "mail"))
			require.NoError(t, err)
			require.Empty(t, view.Key)

			_, err = connector.Describe(t.Context(), table("nobody"))
			require.ErrorIs(t, err, dsr.ErrNoCollection)
			require.ErrorContains(t, err, "nobody")
			_, err = connector.Describe(t.Context(), table("parent", "a", "lost", "gone"))
			require.ErrorContains(t, err, `no column "lost", "gone"`)
			require.ErrorContains(t, err, "parent")

			elsewhere := table("parent", "far")
			elsewhere.Namespace = map[string]string{"schema": other}
			far, err := connector.Describe(t.Context(), elsewhere)
			require.NoError(t, err)
			require.NotEqual(t, s.Table, far.Table)
			far2, err := sqlconn.New(db, d.dialect, &sqlconn.Options{Schema: other}).Describe(t.Context(), table("parent", "far"))
			require.NoError(t, err)
			require.Equal(t, far, far2)

			run(`ALTER TABLE child ADD COLUMN note varchar(9)`)
			_, err = connector.Describe(t.Context(), table("child", "note"))
			require.NoError(t, err, "a second look sees the migration")

			frozen, err := sqlconn.New(db, d.dialect, &sqlconn.Options{ReadOnly: true}).Describe(t.Context(), table("child"))
			require.NoError(t, err)
			require.NotEmpty(t, frozen.ReadOnly)
		})
	}
}

func TestReadOnlyReasons(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, set, reason string
		dialect           int
	}{
		{"transaction_read_only", `SET default_transaction_read_only = on`, "transactions of this connection are read-only", 0},
		{"no UPDATE", `SET ROLE pg_monitor`, "the role lacks the privilege UPDATE on the table", 0},
		{"query_only", `PRAGMA query_only = 1`, "query_only is set on the connection", 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			d := dialects[test.dialect]
			db := d.open(t)
			db.SetMaxOpenConns(1)
			exec(t, db, `CREATE TABLE people (id int PRIMARY KEY)`, test.set)
			s, err := sqlconn.New(db, d.dialect, nil).Describe(t.Context(), table("people", "id"))
			require.NoError(t, err)
			require.Equal(t, test.reason, s.ReadOnly)
		})
	}
}

func TestHostileNames(t *testing.T) {
	t.Parallel()
	names := []string{`we"ird`, "do.t", "sp ace", "select", "MiXed", "größe", "que?stion", "$1", "per%cent", "back`tick", "a'post", `back\slash`, "--", "u", "n", "v0"}
	for _, d := range dialects {
		db := d.open(t)
		for i, name := range names {
			t.Run(d.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				quote := func(s string) string { return `"` + doubled(s, '"') + `"` }
				if d.dialect == sqlconn.MySQL {
					quote = func(s string) string { return "`" + doubled(s, '`') + "`" }
				}
				column := names[(i+1)%len(names)]
				document := names[(i+2)%len(names)]
				exec(t, db, "CREATE TABLE "+quote(name)+" ("+quote(column)+" varchar(20) PRIMARY KEY, "+quote(document)+" "+d.json+")",
					"INSERT INTO "+quote(name)+" VALUES ('a', '{}'), ('b', '{}')")
				connector := sqlconn.New(db, d.dialect, nil)
				collection := table(name, column, document)
				schema, err := connector.Describe(t.Context(), collection)
				require.NoError(t, err)
				require.Equal(t, []string{column}, schema.Key)
				chunk := &dsr.Chunk{Collection: collection, Key: []graph.Path{{column}}, Rows: []dsr.RowChange{
					{Key: []any{"a"}, Set: []dsr.Change{{Path: []any{document, name}, New: "x"}}}}}
				results, err := connector.Apply(t.Context(), chunk)
				require.NoError(t, err)
				require.Equal(t, []dsr.RowResult{dsr.RowWritten}, results)
				rows, _ := read(t, connector, &dsr.Query{Collection: collection, Columns: []string{column, document},
					Criteria: []dsr.Criterion{where(graph.Path{column}, "z"), where(graph.Path{document, name}, "x")}, Via: true})
				require.Equal(t, [][]any{{"a", map[string]any{name: "x"}}}, rows)
				rows, _ = read(t, connector, &dsr.Query{Collection: collection, Columns: []string{column},
					Criteria: []dsr.Criterion{{Fields: []graph.Path{{column}, {document, name}}, Values: [][]any{{"a", "x"}, {"b", "x"}}}}})
				require.Equal(t, [][]any{{"a"}}, rows)
				chunk.Delete = true
				chunk.Rows[0].Set[0] = dsr.Change{Path: []any{document, name}, Old: "x", New: "x"}
				results, err = connector.Apply(t.Context(), chunk)
				require.NoError(t, err)
				require.Equal(t, []dsr.RowResult{dsr.RowWritten}, results)
			})
		}
	}
}

func doubled(s string, quote rune) string {
	var out []rune
	for _, r := range s {
		if out = append(out, r); r == quote {
			out = append(out, r)
		}
	}
	return string(out)
}
