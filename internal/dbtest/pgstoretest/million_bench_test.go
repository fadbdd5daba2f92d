package pgstoretest

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
)

// listed is how many requests the lists of the benchmark are of.
// DSR_BENCH_REQUESTS sets another number.
const listed = 1_000_000

// filled are the columns of requests and what they hold in row g of n: times in
// minutes, where 0 is none, and blobs by their length.
var filled = []struct{ kind, column, value string }{
	{"", "id", "{hex}"}, {"", "version", "7"}, {"", "epoch", "2"}, {"time", "lease_until", "0"},
	{"", "external_id", "'Ticket-' || g"}, {"", "external_folded", "'TICKET-' || g"}, {"", "id_folded", "upper({hex})"},
	{"", "policy", "'policy ' || CASE WHEN g % 1000 = 7 THEN 'rare' ELSE '' || g * 31 % 10 END"},
	{"", "actions", `CASE WHEN g % 1000 = 3 THEN ',consent,' WHEN g % 10 < 6 THEN ',access,'
		WHEN g % 10 < 9 THEN ',access,erasure,' ELSE ',erasure,' END`},
	{"", "country", "CASE WHEN g % 4 = 0 THEN 'US' WHEN g % 4 = 1 THEN 'FR' WHEN g % 1000 = 2 THEN 'IS' ELSE '' END"},
	{"", "location", `CASE WHEN g % 4 = 0 THEN 'US-' || substr('ABCDEFGHIJKLMNOPQRSTUVWXY', CAST(g / 4 % 25 + 1 AS integer), 1) || 'A'
		WHEN g % 4 = 1 THEN 'FR' WHEN g % 1000 = 2 THEN 'IS' ELSE '' END`},
	{"", "status", `CASE WHEN g > {late} THEN 'pending' WHEN g % 100 = 1 THEN 'error' WHEN g % 1000 = 2 THEN 'paused'
		WHEN g % 10 = 3 THEN 'denied' ELSE 'complete' END`},
	{"", "open", "CASE WHEN g > {late} OR g % 100 = 1 OR g % 1000 = 2 THEN 1 ELSE 0 END"},
	{"", "deleted", "CASE WHEN g % 500 = 5 THEN 1 ELSE 0 END"}, {"", "stage", "'done'"}, {"", "failure", "''"}, {"", "audit_seq", "5"},
	{"time", "requested_at", "g"}, {"time", "created_at", "g"}, {"time", "updated_at", "g + g * 7919 % 50000"},
	{"time", "started_at", "CASE WHEN g % 3 = 0 THEN 0 ELSE g + 1 END"}, {"time", "failed_at", "CASE WHEN g % 100 = 1 THEN g + 2 ELSE 0 END"},
	{"time", "finished_at", "CASE WHEN g % 100 > 4 THEN g + 3 ELSE 0 END"}, {"time", "deleted_at", "CASE WHEN g % 500 = 5 THEN g + 4 ELSE 0 END"},
	{"time", "deadline_at", "g + 43200"}, {"time", "due_at", "CASE WHEN g % 5000 = 1 THEN g ELSE 0 END"},
	{"blob", "identity", "300"}, {"blob", "state", "200"}, {"blob", "audit_hash", "32"},
}

// fill returns the statements that fill each store with n requests, two of
// which share an identity, and which have one of two values of a field.
func fill(n int) (postgres, sqlite string) {
	statement := func(table, from, hex, zero, at, blob string) string {
		var columns, values []string
		for _, f := range filled {
			value := strings.NewReplacer("{hex}", hex, "{late}", fmt.Sprint(n-n/50)).Replace(f.value)
			switch f.kind {
			case "time":
				value = fmt.Sprintf("CASE WHEN (%[1]s) = 0 THEN %[2]s ELSE %[3]s END", value, zero, fmt.Sprintf(at, value))
			case "blob":
				value = fmt.Sprintf(blob, value)
			}
			columns, values = append(columns, f.column), append(values, value)
		}
		return fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s;", table, strings.Join(columns, ", "), strings.Join(values, ", "), from)
	}
	const field = "CASE WHEN policy = 'policy rare' THEN 'rare' ELSE 'usual' END"
	const scattered, rest = "(g * 2654435761) % 4294967296", " || '-4c1e-4b7a-9f21-7d2b1a3c5e6f'"
	postgres = statement("dsr.requests", fmt.Sprintf("generate_series(1::bigint, %d) AS g", n), "lpad(to_hex("+scattered+"), 8, '0')"+rest,
		"'-infinity'::timestamptz", "'2000-01-01Z'::timestamptz + (%s) * interval '1 minute'", "decode(repeat('5a', %s), 'hex')") +
		"INSERT INTO dsr.lookups SELECT id, 0, convert_to(lpad((substr(external_id, 8)::bigint / 2)::text, 32, '0'), 'UTF8') FROM dsr.requests;" +
		"INSERT INTO dsr.lookups SELECT id, 1, convert_to(" + field + ", 'UTF8') FROM dsr.requests"
	sqlite = statement("requests", fmt.Sprintf("(WITH RECURSIVE many (g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM many WHERE g < %d) SELECT g FROM many)", n),
		"printf('%08x', "+scattered+")"+rest, "-9223372036854775808", "946684800000000000 + (%s) * 60000000000", "zeroblob(%s)") +
		"INSERT INTO lookups SELECT id, 0, CAST(printf('%032d', CAST(substr(external_id, 8) AS INTEGER) / 2) AS BLOB) FROM requests;" +
		"INSERT INTO lookups SELECT id, 1, CAST(" + field + " AS BLOB) FROM requests;"
	return postgres, sqlite
}

func manyPostgres(b *testing.B, n int) dsr.Store {
	pool := newPool(b)
	s, err := pgstore.Open(b.Context(), pool, nil)
	require.NoError(b, err)
	statements, _ := fill(n)
	execute(b, pool, statements)
	execute(b, pool, "VACUUM ANALYZE")
	return s
}

func manySQLite(b *testing.B, n int) dsr.Store {
	path := filepath.Join(b.TempDir(), "dsr.db")
	s, err := sqlitestore.Open(b.Context(), path, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=cache_size(-200000)")
	require.NoError(b, err)
	_, statements := fill(n)
	_, err = db.ExecContext(b.Context(), "BEGIN;"+statements+"COMMIT; PRAGMA wal_checkpoint(TRUNCATE)")
	require.NoError(b, err)
	require.NoError(b, db.Close())
	return s
}

// benchTime is minute g of the list.
func benchTime(g int) time.Time { return time.Date(2000, 1, 1, 0, g, 0, 0, time.UTC) }

// BenchmarkList reads pages of 100 of a million requests.
func BenchmarkList(b *testing.B) {
	n := listed
	if text := os.Getenv("DSR_BENCH_REQUESTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	minute := benchTime
	overdue := dsr.RecordQuery{Unfinished: true, Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeDeadline: {Before: minute(n)}}}
	type named struct {
		name  string
		query dsr.RecordQuery
	}
	queries := []named{
		{"first", dsr.RecordQuery{}},
		{"after the middle", dsr.RecordQuery{After: &dsr.RecordPlace{Time: minute(n / 2), ID: "x"}}},
		{"offset 10000", dsr.RecordQuery{Offset: 10_000}},
		{"status complete", dsr.RecordQuery{Status: []dsr.Status{dsr.StatusComplete}}},
		{"status pending", dsr.RecordQuery{Status: []dsr.Status{dsr.StatusPending}}},
		{"status paused", dsr.RecordQuery{Status: []dsr.Status{dsr.StatusPaused}}},
		{"status none", dsr.RecordQuery{Status: []dsr.Status{dsr.StatusApproved}}},
		{"status several", dsr.RecordQuery{Status: []dsr.Status{dsr.StatusPending, dsr.StatusError, dsr.StatusComplete}, Descending: true}},
		{"policy", dsr.RecordQuery{Policies: []string{"policy 3"}}},
		{"policy rare", dsr.RecordQuery{Policies: []string{"policy rare"}}},
		{"policy and status", dsr.RecordQuery{Policies: []string{"policy 3"}, Status: []dsr.Status{dsr.StatusPending}}},
		{"action", dsr.RecordQuery{Actions: []graph.Action{graph.Erasure}}},
		{"action rare", dsr.RecordQuery{Actions: []graph.Action{"consent"}}},
		{"country", dsr.RecordQuery{Location: "US"}},
		{"location", dsr.RecordQuery{Location: "US-CA"}},
		{"identity", dsr.RecordQuery{Lookup: [][]byte{fmt.Appendf(nil, "%032d", n/4)}}},
		{"field of most", dsr.RecordQuery{Also: [][]byte{[]byte("usual")}}},
		{"field of few", dsr.RecordQuery{Also: [][]byte{[]byte("rare")}}},
		{"field of none", dsr.RecordQuery{Also: [][]byte{[]byte("x")}}},
		{"field and identity", dsr.RecordQuery{Also: [][]byte{[]byte("usual")}, Lookup: [][]byte{fmt.Appendf(nil, "%032d", n/4)}}},
		{"field and status", dsr.RecordQuery{Also: [][]byte{[]byte("usual")}, Status: []dsr.Status{dsr.StatusComplete}, Descending: true}},
		{"ID", dsr.RecordQuery{IDContains: "FACADE"}},
		{"external ID", dsr.RecordQuery{ExternalID: fmt.Sprint("Ticket-", n/2)}},
		{"prefix of all", dsr.RecordQuery{ExternalPrefix: "ticket-"}},
		{"prefix of some", dsr.RecordQuery{ExternalPrefix: fmt.Sprint("ticket-", n/2)[:len("ticket-")+3]}},
		{"prefix of one", dsr.RecordQuery{ExternalPrefix: fmt.Sprint("ticket-", n-1)}},
		{"range of an hour", dsr.RecordQuery{Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeUpdated: {From: minute(n / 2), Before: minute(n/2 + 60)}}}},
		{"range of half", dsr.RecordQuery{Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeCreated: {From: minute(n / 2)}}}},
		{"range, other order", dsr.RecordQuery{Sort: dsr.TimeFinished, Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeCreated: {From: minute(n / 2)}}}},
		{"pending by deadline", dsr.RecordQuery{Sort: dsr.TimeDeadline, Status: []dsr.Status{dsr.StatusPending}}},
		{"error by updated", dsr.RecordQuery{Sort: dsr.TimeUpdated, Descending: true, Status: []dsr.Status{dsr.StatusError}}},
		{"overdue", overdue},
		{"overdue by deadline", dsr.RecordQuery{Unfinished: true, Times: overdue.Times, Sort: dsr.TimeDeadline}},
		{"due", dsr.RecordQuery{Sort: dsr.TimeDue, Times: map[dsr.TimeField]dsr.TimeRange{dsr.TimeDue: {Before: minute(n)}}}},
		{"unfinished", dsr.RecordQuery{Unfinished: true, Descending: true}},
		{"deleted too", dsr.RecordQuery{Deleted: true}},
		{"text", dsr.RecordQuery{Text: fmt.Sprint("ICKET-", n/2)}},
	}
	for _, field := range dsr.TimeFields() {
		queries = append(queries, named{"sort " + string(field), dsr.RecordQuery{Sort: field}},
			named{"sort " + string(field) + " down", dsr.RecordQuery{Sort: field, Descending: true}},
			named{"sort " + string(field) + " after", dsr.RecordQuery{Sort: field, After: &dsr.RecordPlace{Time: minute(n / 2), ID: "x"}}})
	}
	for name, open := range map[string]func(*testing.B, int) dsr.Store{"PostgreSQL": manyPostgres, "SQLite": manySQLite} {
		b.Run(name, func(b *testing.B) {
			s := open(b, n)
			for _, q := range queries {
				b.Run("page "+q.name, func(b *testing.B) {
					for b.Loop() {
						_, err := s.Requests(b.Context(), q.query)
						require.NoError(b, err)
					}
				})
			}
			for _, q := range queries[:37] {
				if q.query.After != nil || q.query.Offset > 0 {
					continue
				}
				b.Run("count "+q.name, func(b *testing.B) {
					for b.Loop() {
						_, err := s.CountRequests(b.Context(), q.query)
						require.NoError(b, err)
					}
				})
			}
		})
	}
}
