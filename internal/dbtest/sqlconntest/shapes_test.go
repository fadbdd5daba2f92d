package sqlconntest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// A key is not unique over a table and those that inherit from it: a row of
// another person with the same key stays as it is, whatever the two share.
func TestInheritedTables(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	exec(t, db,
		`CREATE TABLE users (id integer PRIMARY KEY, email text UNIQUE, name text)`, `CREATE TABLE vip () INHERITS (users)`,
		`INSERT INTO users VALUES (1, 'ada@example.com', 'Ada'), (2, 'bob@example.com', 'Bob')`,
		`INSERT INTO vip VALUES (1, 'otto@example.com', 'Otto'), (2, 'ida@example.com', 'Ada'), (1, 'eve@example.com', 'Ada')`)
	s, err := sqlconn.New(db, sqlconn.PostgreSQL, nil).Describe(t.Context(), table("users", "id"))
	require.NoError(t, err)
	require.Empty(t, s.Key)
	require.True(t, s.Keyless)
	for _, c := range s.Columns {
		require.False(t, c.Unique, c.Name)
	}
	request, err := erase(t, eraser(t, db, sqlconn.PostgreSQL, usersYAML, "null_rewrite"), "ada@example.com")
	require.NoError(t, err)
	require.Equal(t, int64(1), request.Collections[0].Masked)
	require.Equal(t, []string{"users 1 ada@example.com -", "vip 1 eve@example.com Ada", "vip 1 otto@example.com Otto", "users 2 bob@example.com Bob", "vip 2 ida@example.com Ada"},
		column(t, db, `SELECT concat_ws(' ', tableoid::regclass, id, email, coalesce(name, '-')) FROM users ORDER BY id, email LIKE 'bob%' DESC, email`))
	vip, err := sqlconn.New(db, sqlconn.PostgreSQL, nil).Describe(t.Context(), table("vip", "id"))
	require.NoError(t, err)
	require.Empty(t, vip.Key)
}

// Rows of a family are told apart when they are written: of rows with one key
// only those that hold the old values are.
func TestInheritedRowsThatDiffer(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	exec(t, db, `CREATE TABLE users (id integer PRIMARY KEY, name text)`, `CREATE TABLE vip () INHERITS (users)`,
		`INSERT INTO users VALUES (1, 'Ada')`, `INSERT INTO vip VALUES (1, 'Otto')`)
	connector := sqlconn.New(db, sqlconn.PostgreSQL, nil)
	results, err := connector.Apply(t.Context(), &dsr.Chunk{Collection: table("users", "id", "name"), Key: []graph.Path{{"id"}},
		Rows: []dsr.RowChange{{Key: []any{int64(1)}, Set: []dsr.Change{{Path: []any{"name"}, Old: "Ada", New: "masked"}}}}})
	require.NoError(t, err)
	require.Equal(t, []dsr.RowResult{dsr.RowWritten}, results)
	require.Equal(t, []string{"masked", "Otto"}, column(t, db, `SELECT name FROM users ORDER BY name <> 'masked'`))
}

func TestElementsOfArrays(t *testing.T) {
	t.Parallel()
	db := dbtest.Postgres(t)
	exec(t, db, `CREATE TYPE mood AS ENUM ('fine')`, `CREATE TABLE users (id integer PRIMARY KEY, email text, a integer[], b uuid[], c date[], d varchar(5)[], e text[][], f mood[], g jsonb[])`)
	s, err := sqlconn.New(db, sqlconn.PostgreSQL, nil).Describe(t.Context(), table("users", "id"))
	require.NoError(t, err)
	elements := map[string]dsr.ColumnKind{}
	for _, c := range s.Columns {
		elements[c.Name] = c.Element
	}
	require.Equal(t, map[string]dsr.ColumnKind{"id": "", "email": "", "a": dsr.ColumnInteger, "b": dsr.ColumnUUID, "c": dsr.ColumnDate,
		"d": dsr.ColumnText, "e": dsr.ColumnText, "f": dsr.ColumnOther, "g": dsr.ColumnDocument}, elements)
	d, _ := s.Column("d")
	require.Equal(t, 5, d.Length)
}

func TestMasksOfArrays(t *testing.T) {
	t.Parallel()
	tests := []struct{ typ, value, strategy, why, want string }{
		{"integer[]", "{1,2}", "hash", "hash writes text, which a column of type integer[] cannot take", ""},
		{"uuid[]", "{}", "string_rewrite", "string_rewrite writes text, which a column of type uuid[] cannot take", ""},
		{"date[]", "{2000-01-01}", "hash", "hash writes text, which a column of type date[] cannot take", ""},
		{"varchar(5)[]", "{ab}", "hash", "hash writes 64 characters, but the column takes 5; set length: 5 on the field", ""},
		{"varchar(80)[]", "{ab}", "string_rewrite", "", "{MASKED}"},
		{"text[]", "{ab,cd}", "string_rewrite", "", "{MASKED,MASKED}"},
		{"integer[]", "{1,2}", "null_rewrite", "", "{NULL,NULL}"},
	}
	for _, test := range tests {
		t.Run(test.typ+" "+test.strategy, func(t *testing.T) {
			t.Parallel()
			db := dbtest.Postgres(t)
			exec(t, db, `CREATE TABLE users (id integer PRIMARY KEY, email text, name `+test.typ+`)`,
				`INSERT INTO users VALUES (1, 'ada@example.com', '`+test.value+`')`)
			engine := eraser(t, db, sqlconn.PostgreSQL, usersYAML, test.strategy)
			if test.why != "" {
				refused(t, engine, test.why)
				return
			}
			_, err := erase(t, engine, "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{test.want}, column(t, db, `SELECT name::text FROM users`))
		})
	}
}

const pairYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: users
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: name, data_categories: [user.name]}
          - {name: nick, data_categories: [user.name]}
`

// Masks that make rows equal in all columns of a unique set are refused; where
// one column keeps its values, only the database can tell.
func TestMasksOfUniqueSets(t *testing.T) {
	t.Parallel()
	for _, d := range dialects {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			db := d.open(t)
			exec(t, db, `CREATE TABLE users (id integer PRIMARY KEY, email varchar(100), name varchar(100), nick varchar(100), UNIQUE (name, nick))`,
				`INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 'a'), (2, 'ada@example.com', 'Ada', 'b')`)
			refused(t, eraser(t, db, d.dialect, pairYAML, "string_rewrite"),
				"error: shop:users.name: string_rewrite writes the same text into every row, and so do the other masks of name, nick, which must be unique together; choose a strategy that keeps values apart for one of them")
			_, err := erase(t, eraser(t, db, d.dialect, usersYAML, "string_rewrite"), "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"MASKED", "MASKED"}, column(t, db, `SELECT name FROM users ORDER BY id`))
			_, err = erase(t, eraser(t, db, d.dialect, pairYAML, "null_rewrite"), "ada@example.com")
			require.NoError(t, err)
			require.Equal(t, []string{"NULL", "NULL"}, column(t, db, `SELECT nick FROM users ORDER BY id`))
		})
	}
}
