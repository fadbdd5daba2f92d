package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// The requests that Crowd makes of one, in the order of their creation.
const (
	// CrowdEvery is how long after each other they came.
	CrowdEvery = 30 * time.Second
	// CrowdPrefix is that of the persons, each of whom made CrowdEach.
	CrowdPrefix = "0000000000000000"
	CrowdEach   = 4
	// CrowdOpen is the share of the last CrowdTail that are not finished;
	// all before are. Each has CrowdTimeframe.
	CrowdOpen      = 0.1
	CrowdTail      = 0.17
	CrowdTimeframe = 30 * 24 * time.Hour
)

// CrowdID is the ID of the nth request that Crowd makes, from 1.
func CrowdID(n int64) string {
	return fmt.Sprintf("%08x-b1a2-4c3d-8e4f-00000%07d", uint32(n*2654435761%(1<<32)), n) //nolint:gosec // it fits
}

// Crowd returns the statements that make n requests of the one that is in a
// store, the last of them created now. They drop the indexes on requests,
// which are made again by the statements that come after those that fill.
//
// Of 100 requests, 10 were denied or canceled; those that are open are pending,
// approved or failed by turns. They come from 50 places in 10 countries, every
// fifth from a part of its country, and have the external IDs EXT-0000001 and
// so on.
func Crowd(product string, one *dsr.Record, n int, now time.Time) []string {
	lite := product == "sqlite"
	start := now.Add(-time.Duration(n) * CrowdEvery)
	table, series := `"dsr".`, fmt.Sprintf("generate_series(1, %d) AS s (n)", n)
	at := func(shift time.Duration) string {
		return fmt.Sprintf("timestamptz '%s' + n * interval '%d seconds'", start.Add(shift).UTC().Format(time.RFC3339Nano), int(CrowdEvery.Seconds()))
	}
	never, digits := "'-infinity'::timestamptz", "lpad(n::text, 7, '0')"
	digitsOf := func(expr string) string { return "lpad((" + expr + ")::text, 7, '0')" }
	blob := func(text string) string { return `'\x656d61696c00'::bytea || convert_to(` + text + ", 'UTF8')" }
	hex := "lpad(to_hex((n::bigint * 2654435761) % 4294967296), 8, '0')"
	if lite {
		table, series = "", fmt.Sprintf("(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s) AS s", n)
		at = func(shift time.Duration) string {
			return fmt.Sprintf("%d + n * %d", start.Add(shift).UnixNano(), int64(CrowdEvery))
		}
		never, digits = "-9223372036854775808", "printf('%07d', n)"
		digitsOf = func(expr string) string { return "printf('%07d', " + expr + ")" }
		blob = func(text string) string { return "CAST('email' || char(0) || " + text + " AS BLOB)" }
		hex = "printf('%08x', (n * 2654435761) % 4294967296)"
	}
	id := hex + " || '-b1a2-4c3d-8e4f-00000' || " + digits
	open := fmt.Sprintf("(n > %d AND n %% %d = 0)", int((1-CrowdTail)*float64(n)), int(1/CrowdOpen))
	pick := func(expr string, of ...string) string {
		var b strings.Builder
		fmt.Fprintf(&b, "CASE %s", expr)
		for i, word := range of {
			fmt.Fprintf(&b, " WHEN %d THEN '%s'", i, word)
		}
		return b.String() + " ELSE '' END"
	}
	country := pick("n % 10", "DE", "FR", "US", "GB", "IT", "ES", "NL", "PL", "SE", "AT")
	ended := "CASE WHEN n % 100 < 5 THEN 'denied' WHEN n % 100 < 10 THEN 'canceled' ELSE 'complete' END"
	when := func(condition, then, otherwise string) string {
		return "CASE WHEN " + condition + " THEN " + then + " ELSE " + otherwise + " END"
	}
	set := map[string]string{
		"id": id, "id_folded": "upper(" + id + ")",
		"external_id": "'EXT-' || " + digits, "external_folded": "'EXT-' || " + digits,
		"status":  when(open, pick("n / 10 % 3", "pending", "approved", "error"), ended),
		"country": country, "location": when("n / 10 % 5 = 0", country+" || '-' || (n / 50 % 5)", country),
		"requested_at": at(-time.Minute), "created_at": at(0), "updated_at": at(time.Hour),
		"started_at":  when(open, never, at(time.Hour)),
		"failed_at":   when(open+" AND n / 10 % 3 = 2", at(time.Hour), never),
		"finished_at": when(open, never, at(2*time.Hour)),
		"deadline_at": at(CrowdTimeframe),
		"due_at":      when(open+" AND n / 10 % 3 = 1", at(365*24*time.Hour), never),
		"open":        when(open, "1", "0"),
	}
	columns := slices.Sorted(maps.Keys(set))
	var values []string
	for _, column := range columns {
		values = append(values, set[column])
	}
	for _, column := range []string{
		"version", "epoch", "lease_until", "policy", "actions", "stage", "deleted_at", "failure", "identity", "details", "state", "audit_seq", "audit_hash", "deleted",
	} {
		columns, values = append(columns, column), append(values, column)
	}
	from := fmt.Sprintf(" FROM %s CROSS JOIN (SELECT * FROM %srequests WHERE id = '%s') AS one", series, table, one.ID)
	person := "'" + CrowdPrefix + "-' || " + digitsOf(fmt.Sprintf("n / %d", CrowdEach)) + " || '@E'"
	return []string{
		fmt.Sprintf("INSERT INTO %srequests (%s) SELECT %s%s", table, strings.Join(columns, ", "), strings.Join(values, ", "), from),
		fmt.Sprintf("INSERT INTO %slookups (request_id, position, hash) SELECT %s, 0, %s FROM %s", table, id, blob(person), series),
		fmt.Sprintf("DELETE FROM %srequests WHERE id = '%s'", table, one.ID),
	}
}
