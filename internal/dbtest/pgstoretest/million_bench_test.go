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

// manyRequests are rows of requests, numbered g. PostgreSQL reads it as it is.
const manyRequests = `
	SELECT lpad(to_hex((g * 2654435761) % 4294967296), 8, '0') || '-4c1e-4b7a-9f21-7d2b1a3c5e6f' AS id, 7 AS version, 2 AS epoch,
		TIME(0) AS lease_until, 'Ticket-' || g AS external_id, 'policy ' || CASE WHEN g % 1000 = 7 THEN 'rare' ELSE '' || g * 31 % 10 END AS policy,
		CASE WHEN g % 1000 = 3 THEN ',consent,' WHEN g % 10 < 6 THEN ',access,' WHEN g % 10 < 9 THEN ',access,erasure,' ELSE ',erasure,' END AS actions,
		CASE WHEN g % 4 = 0 THEN 'US-' || chr(65 + CAST(g / 4 % 25 AS integer)) || 'A' WHEN g % 4 = 1 THEN 'FR' WHEN g % 1000 = 2 THEN 'IS' ELSE '' END AS location,
		CASE WHEN g > N - N / 50 THEN 'pending' WHEN g % 100 = 1 THEN 'error' WHEN g % 1000 = 2 THEN 'paused' WHEN g % 10 = 3 THEN 'denied' ELSE 'complete' END AS status,
		'done' AS stage, TIME(g) AS requested_at, TIME(g) AS created_at, TIME(g + g * 7919 % 50000) AS updated_at,
		TIME(CASE WHEN g % 3 = 0 THEN 0 ELSE g + 1 END) AS started_at, TIME(CASE WHEN g % 100 = 1 THEN g + 2 ELSE 0 END) AS failed_at,
		TIME(CASE WHEN g % 100 > 4 THEN g + 3 ELSE 0 END) AS finished_at, TIME(CASE WHEN g % 500 = 5 THEN g + 4 ELSE 0 END) AS deleted_at,
		TIME(g + 43200) AS deadline_at, TIME(CASE WHEN g % 5000 = 1 THEN g ELSE 0 END) AS due_at, '' AS failure,
		BLOB(300) AS identity, NULL AS details, BLOB(200) AS state, 5 AS audit_seq, BLOB(32) AS audit_hash,
		upper(lpad(to_hex((g * 2654435761) % 4294967296), 8, '0') || '-4c1e-4b7a-9f21-7d2b1a3c5e6f') AS id_folded, 'TICKET-' || g AS external_folded,
		CASE WHEN g % 4 = 0 THEN 'US' WHEN g % 4 = 1 THEN 'FR' WHEN g % 1000 = 2 THEN 'IS' ELSE '' END AS country,
		CASE WHEN g > N - N / 50 OR g % 100 = 1 OR g % 1000 = 2 THEN 1 ELSE 0 END AS open, CASE WHEN g % 500 = 5 THEN 1 ELSE 0 END AS deleted`

func fill(n int) (postgres, sqlite string) {
	const columns = `id, version, epoch, lease_until, external_id, policy, actions, location, status, stage, requested_at, created_at, updated_at,
		started_at, failed_at, finished_at, deleted_at, deadline_at, due_at, failure, identity, details, state, audit_seq, audit_hash,
		id_folded, external_folded, country, open, deleted`
	rows := strings.ReplaceAll(manyRequests, "N / 50", fmt.Sprint(n/50))
	rows = strings.ReplaceAll(rows, "> N -", fmt.Sprintf("> %d -", n))
	// Minute g of the list; 0 is no time.
	replaceTime := func(rows, zero, at string) string {
		for {
			i := strings.Index(rows, "TIME(")
			if i < 0 {
				return rows
			}
			depth, j := 1, i+5
			for ; depth > 0; j++ {
				switch rows[j] {
				case '(':
					depth++
				case ')':
					depth--
				}
			}
			inner := rows[i+5 : j-1]
			rows = rows[:i] + "CASE WHEN (" + inner + ") = 0 THEN " + zero + " ELSE " + fmt.Sprintf(at, inner) + " END" + rows[j:]
		}
	}
	blobs := func(rows, format string) string {
		for _, size := range []string{"300", "200", "32"} {
			rows = strings.ReplaceAll(rows, "BLOB("+size+")", fmt.Sprintf(format, size))
		}
		return rows
	}
	p := replaceTime(rows, "'-infinity'::timestamptz", "'2000-01-01Z'::timestamptz + (%s) * interval '1 minute'")
	p = blobs(p, "decode(repeat('5a', %s), 'hex')")
	p = strings.ReplaceAll(p, "NULL AS details", "NULL::bytea AS details")
	postgres = fmt.Sprintf("INSERT INTO dsr.requests (%s) SELECT * FROM (%s FROM generate_series(1::bigint, %d) AS g) AS many;", columns, p, n) +
		"INSERT INTO dsr.lookups SELECT id, 0, convert_to(lpad((substr(external_id, 8)::bigint / 2)::text, 32, '0'), 'UTF8') FROM dsr.requests"
	s := replaceTime(rows, "-9223372036854775808", "946684800000000000 + (%s) * 60000000000")
	s = blobs(s, "zeroblob(%s)")
	s = strings.ReplaceAll(s, "lpad(to_hex((g * 2654435761) % 4294967296), 8, '0')", "printf('%08x', (g * 2654435761) % 4294967296)")
	s = strings.ReplaceAll(s, "chr(", "char(")
	sqlite = fmt.Sprintf("INSERT INTO requests (%s) WITH RECURSIVE many (g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM many WHERE g < %d) %s FROM many;", columns, n, s) +
		"INSERT INTO lookups SELECT id, 0, CAST(printf('%032d', CAST(substr(external_id, 8) AS INTEGER) / 2) AS BLOB) FROM requests;"
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
			for _, q := range queries[:31] {
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
