package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/sqlstore"
)

// counter answers every query with 7.
type counter struct{ log }

func (c *counter) Query(ctx context.Context, each func(scan func(dest ...any) error) error, query string, args ...any) error {
	if err := c.log.Query(ctx, nil, query, args...); err != nil {
		return err
	}
	return each(func(dest ...any) error { *dest[0].(*int64) = 7; return nil })
}

// The row of the catalogue's version is locked first, and only by those that
// make one. Every statement that changes an entry names it with its version.
func TestSaveEntries(t *testing.T) {
	t.Parallel()
	at := time.Unix(9, 0)
	v := sqlstore.Entry{Kind: "k", Key: "v", Version: 1, Since: 99, UpdatedAt: at, Data: []byte("d"), Sealed: []byte("s")}
	p := sqlstore.Entry{Kind: "k", Key: "p", Version: 1, Plain: true, UpdatedAt: at, Data: []byte("d"), Sealed: []byte("s")}
	laterV, laterP, bare := v, p, p
	laterV.Version, laterP.Version, bare.Sealed = 5, 5, nil
	const (
		insert  = `INSERT INTO "a?b".entries (kind,key,version,plain,since,updated_at,data,sealed) VALUES ($1,$2,$3,$4,$5,$6,$7,$8) ON CONFLICT DO NOTHING`
		end     = `UPDATE "a?b".entries SET until = $1 WHERE kind = $2 AND key = $3 AND until IS NULL AND plain = $4 AND version = $5`
		next    = `UPDATE "a?b".catalogue SET version = version + 1 RETURNING version`
		current = `SELECT version FROM "a?b".catalogue`
	)
	d := dialect(true, `"a??b".`)
	d.Padding = 2
	for _, test := range []struct {
		changes    []sqlstore.EntryChange
		statements []string
		args       [][]any
	}{
		{nil, []string{current}, [][]any{nil}},
		{
			[]sqlstore.EntryChange{{Entry: v}, {Expect: 4, Entry: laterV}, {Expect: 4, Entry: laterV, Remove: true}},
			[]string{next, insert, end, insert, end},
			[][]any{
				nil, {"k", "v", int64(1), 0, int64(7), int64(9), []byte("d"), []byte("s")}, {int64(7), "k", "v", 0, int64(4)},
				{"k", "v", int64(5), 0, int64(7), int64(9), []byte("d"), []byte("s")}, {int64(7), "k", "v", 0, int64(4)},
			},
		},
		{
			[]sqlstore.EntryChange{{Entry: p}, {Entry: bare}, {Expect: 4, Entry: laterP}, {Expect: 4, Entry: laterP, Remove: true}},
			[]string{
				insert, insert,
				`UPDATE "a?b".entries SET version = $1, updated_at = $2, data = $3, sealed = $4 ` +
					`WHERE kind = $5 AND key = $6 AND until IS NULL AND plain = $7 AND version = $8`,
				`DELETE FROM "a?b".entries WHERE kind = $1 AND key = $2 AND until IS NULL AND plain = $3 AND version = $4`,
				current,
			},
			[][]any{
				{"k", "p", int64(1), 1, int64(0), int64(9), []byte("d"), []byte("\x00\x00s")},
				{"k", "p", int64(1), 1, int64(0), int64(9), []byte("d"), []byte(nil)},
				{int64(5), int64(9), []byte("d"), []byte("\x00\x00s"), "k", "p", 1, int64(4)}, {"k", "p", 1, int64(4)}, nil,
			},
		},
	} {
		c := &counter{log{affected: 1}}
		version, err := d.SaveEntries(t.Context(), c, test.changes)
		require.NoError(t, err)
		require.EqualValues(t, 7, version)
		require.Equal(t, test.statements, c.statements)
		require.Equal(t, test.args, c.args)
	}
	for _, e := range []sqlstore.Entry{v, p} {
		_, err := d.SaveEntries(t.Context(), &counter{}, []sqlstore.EntryChange{{Entry: e}})
		require.ErrorIs(t, err, errConflict)
		require.EqualError(t, err, `entry "`+e.Key+`" of kind "k": it is not at version 0, or not plain as the change is: conflict`)
	}
	_, err := d.CatalogueVersion(t.Context(), &log{})
	require.EqualError(t, err, "the version of the catalogue is missing; restore a backup")
}

func TestCheckEntries(t *testing.T) {
	t.Parallel()
	e := sqlstore.Entry{Kind: "k", Key: "e", Version: 1}
	other := e
	other.Kind = "ke"
	require.NoError(t, sqlstore.CheckEntries([]sqlstore.EntryChange{{Entry: e}, {Entry: other}}))
	require.EqualError(t, sqlstore.CheckEntries([]sqlstore.EntryChange{{Entry: e}, {Entry: other}, {Entry: e}}),
		`entry "e" of kind "k": it is changed twice at once`)
	require.EqualError(t, sqlstore.CheckEntries([]sqlstore.EntryChange{{Expect: 1, Entry: e}}),
		`entry "e" of kind "k": version 1 cannot follow version 1: want 2`)
	for _, bare := range []sqlstore.Entry{{Kind: "k", Version: 1}, {Key: "e", Version: 1}} {
		require.ErrorContains(t, sqlstore.CheckEntries([]sqlstore.EntryChange{{Entry: bare}}), "an entry without a kind or a key cannot be stored")
	}
}

// A query asks for what is named in it, and no more.
func TestEntryStatements(t *testing.T) {
	t.Parallel()
	const from = "SELECT kind, key, version, plain = 1, since, updated_at, data, sealed FROM entries WHERE "
	for _, test := range []struct {
		query sqlstore.EntryQuery
		where string
		args  []any
	}{
		{sqlstore.EntryQuery{Limit: -1}, "until IS NULL", []any{100}},
		{sqlstore.EntryQuery{Kind: "?", Key: "e", Limit: 1}, "until IS NULL AND kind = ? AND key = ?", []any{"?", "e", 1}},
		{
			sqlstore.EntryQuery{At: 3, After: &sqlstore.EntryPlace{Kind: "k"}}, "plain = 0 AND since <= ? AND (until IS NULL OR until > ?) AND (kind, key) > (?, ?)",
			[]any{int64(3), int64(3), "k", "", 100},
		},
	} {
		l := &log{}
		_, err := dialect(false, "").Entries(t.Context(), l, &test.query)
		require.NoError(t, err)
		require.Equal(t, []string{from + test.where + " ORDER BY kind, key LIMIT ?"}, l.statements)
		require.Equal(t, [][]any{test.args}, l.args)
	}
}
