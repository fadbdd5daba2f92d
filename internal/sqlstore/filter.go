package sqlstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/squirrel"
)

// Query selects and sorts requests. Zero fields select everything but what is
// deleted.
type Query struct {
	Status, Policies, Actions        []string
	Lookup, Also                     [][]byte
	ExternalID, ExternalPrefix, Text string
	IDContains                       string
	Location                         string
	Times                            map[string]Range
	Unfinished, Deleted              bool
	OnTime                           time.Time
	Sort                             string // defaults to created_at
	Descending                       bool
	After                            *Place
	Offset                           int
	Limit                            int // defaults to 100
}

// Range holds the times from From on and before Before.
type Range struct{ From, Before time.Time }

// Place is a place in a sorted list.
type Place struct {
	Time time.Time
	ID   string
}

// times are the columns to select and sort by; each has an index.
var times = []string{
	"requested_at", "created_at", "updated_at", "started_at", "failed_at", "finished_at", "deadline_at", "due_at",
}

// indexed is how much of a folded external ID the index holds.
const indexed = 64

// term is a condition on requests.
type term struct {
	// expr has an @ before each column whose index may be kept out.
	expr string
	args []any
	// values are those of a column for which requests are indexed in the
	// order of their creation.
	column string
	values []string
	// exact is set when hardly any request matches.
	exact bool
	// time is the column of a range of times.
	time string
	// open is set for what keeps to the indexes of unfinished requests.
	open bool
	// plain is set when expr has no such marks. Where its index is to be kept
	// out, walked says the same of one request after the other; some is what
	// tells faster than the requests how many match.
	plain        bool
	walked, some string
	// vague is set when also a database that knows its data misjudges how
	// many requests match.
	vague bool
	// scan is set when no index helps.
	scan bool
}

// sql is the condition, with a mark before each column whose index may be kept
// out.
func (t *term) sql(mark string) squirrel.Sqlizer {
	if t.plain && mark != "" && t.walked != "" {
		return squirrel.Expr(t.walked, t.args...)
	}
	if t.plain {
		return squirrel.Expr(t.expr, t.args...)
	}
	return squirrel.Expr(strings.ReplaceAll(t.expr, "@", mark), t.args...)
}

// pin is the mark that keeps the indexes on the columns of a term out, where
// they are to be and the database would choose them wrongly.
func (d *Dialect) pin(t *term, pinned bool) string {
	switch {
	case pinned && d.Guide:
		return "+"
	case pinned && t.vague: // a text, which takes no plus sign
		return "''||"
	}
	return ""
}

// oneOf is a term for a column that is indexed with the order of creation.
func oneOf(column string, values []string) term {
	values = slices.Compact(slices.Sorted(slices.Values(values)))
	return term{
		expr:   "@" + column + " IN (" + strings.Repeat(", ?", len(values))[2:] + ")",
		args:   anys(values),
		column: column, values: values,
	}
}

func anys[T any](list []T) []any {
	args := make([]any, len(list))
	for i, value := range list {
		args[i] = value
	}
	return args
}

// terms returns the conditions of a query. none is set when nothing can match.
func (d *Dialect) terms(ctx context.Context, c Conn, q *Query) (list []term, none bool, err error) {
	if q.Sort != "" && !slices.Contains(times, q.Sort) {
		return nil, false, fmt.Errorf("there is no time %q to sort by", q.Sort)
	}
	for column := range q.Times {
		if !slices.Contains(times, column) {
			return nil, false, fmt.Errorf("there is no time %q to select by", column)
		}
	}
	if len(q.Lookup) > 0 {
		list = append(list, d.found(q.Lookup))
		list[0].exact = true
	}
	if len(q.Also) > 0 { // what many may have in common
		list = append(list, d.found(q.Also))
	}
	if q.ExternalID != "" {
		// The first half lets a partial index be used.
		list = append(list, term{expr: "@external_id <> '' AND @external_id = ?", args: []any{q.ExternalID}, exact: true})
	}
	if q.ExternalPrefix != "" {
		list = append(list, d.prefix(fold(q.ExternalPrefix)))
	}
	if len(q.Status) > 0 {
		list = append(list, oneOf("status", q.Status))
	}
	if q.Location != "" {
		if q.Location == country(q.Location) {
			list = append(list, oneOf("country", []string{q.Location}))
		} else {
			list = append(list, oneOf("location", []string{q.Location}))
		}
	}
	if len(q.Policies) > 0 {
		list = append(list, oneOf("policy", q.Policies))
	}
	if len(q.Actions) > 0 {
		sets, err := d.actionSets(ctx, c, q.Actions)
		if err != nil || len(sets) == 0 {
			return nil, true, err
		}
		list = append(list, oneOf("actions", sets))
	}
	for _, column := range slices.Sorted(maps.Keys(q.Times)) {
		t, err := d.within(column, q.Times[column])
		if err != nil {
			return nil, false, err
		}
		list = append(list, t)
	}
	if q.Unfinished {
		list = append(list, term{expr: "@open = 1", open: true})
	}
	if !q.OnTime.IsZero() {
		t, err := d.within("deadline_at", Range{Before: q.OnTime})
		if err != nil {
			return nil, false, err
		}
		list = append(list, term{expr: "NOT (open = 1 AND " + strings.ReplaceAll(t.expr, "@", "") + ")", args: t.args, scan: true})
	}
	if !q.Deleted {
		list = append(list, term{expr: "@deleted = 0", scan: true})
	}
	if q.IDContains != "" {
		list = append(list, term{expr: d.Position + "(id_folded, ?) > 0", args: []any{fold(q.IDContains)}, scan: true})
	}
	if q.Text != "" {
		// No pattern: what people type is taken literally.
		within := fold(q.Text)
		list = append(list, term{
			expr: "(" + d.Position + "(id_folded, ?) > 0 OR " + d.Position + "(external_folded, ?) > 0)",
			args: []any{within, within}, scan: true,
		})
	}
	return list, false, nil
}

// found is the condition to have one of the hashes.
func (d *Dialect) found(hashes [][]byte) term {
	among := "hash IN (" + strings.Repeat(", ?", len(hashes))[2:] + ")"
	return term{
		expr:   "id IN (SELECT request_id FROM " + d.Prefix + "lookups WHERE " + among + ")",
		walked: "EXISTS (SELECT 1 FROM " + d.Prefix + "lookups WHERE request_id = id AND " + among + ")",
		some:   "SELECT 1 FROM " + d.Prefix + "lookups WHERE " + among,
		args:   anys(hashes), plain: true, vague: true,
	}
}

// prefix compares a range of bytes with what the index holds, and the rest of a
// longer prefix with the text itself.
func (d *Dialect) prefix(folded string) term {
	start := []rune(folded)
	start = start[:min(len(start), indexed)]
	t := term{
		expr:  fmt.Sprintf("@external_folded <> '' AND substr(@external_folded, 1, %d) >= ?", indexed),
		args:  []any{string(start)},
		vague: true,
	}
	if above := next(start); above != "" {
		t.expr += fmt.Sprintf(" AND substr(@external_folded, 1, %d) < ?", indexed)
		t.args = append(t.args, above)
	}
	if len(start) == indexed {
		t.expr += " AND " + d.Position + "(external_folded, ?) = 1"
		t.args = append(t.args, folded)
	}
	return t
}

// next is the least text above all that begin so, or nothing.
func next(start []rune) string {
	for i := len(start) - 1; i >= 0; i-- {
		above := start[i] + 1
		if above == 0xD800 { // surrogates are no letters
			above = 0xE000
		}
		if above <= utf8.MaxRune {
			return string(start[:i]) + string(above)
		}
	}
	return ""
}

// bound encodes a time that is compared with those stored.
func (d *Dialect) bound(t time.Time) (any, error) {
	switch {
	case t.IsZero():
	case t.Before(d.Earliest):
		t = d.Earliest
	case !d.Latest.IsZero() && t.After(d.Latest):
		t = d.Latest
	}
	return d.EncodeTime(t)
}

// within is the condition that a time is there and in a range.
func (d *Dialect) within(column string, r Range) (term, error) {
	from, err := d.bound(r.From)
	if err != nil {
		return term{}, err
	}
	t := term{expr: "@" + column + " >= ?", args: []any{from}, time: column}
	if r.From.IsZero() {
		t.expr = "@" + column + " > ?" // the zero time is in no range
	}
	if !r.Before.IsZero() {
		before, err := d.bound(r.Before)
		if err != nil {
			return term{}, err
		}
		t.expr, t.args = t.expr+" AND @"+column+" < ?", append(t.args, before)
	}
	return t, nil
}

// actionSets finds the stored sets that hold one of the actions. There are few:
// each is looked for above the one before.
func (d *Dialect) actionSets(ctx context.Context, c Conn, actions []string) (sets []string, err error) {
	table := d.Prefix + "requests"
	err = c.Query(ctx, func(scan func(dest ...any) error) error {
		var set string
		err := scan(&set)
		if slices.ContainsFunc(actions, func(action string) bool {
			return action != "" && !strings.Contains(action, ",") && strings.Contains(set, ","+action+",")
		}) {
			sets = append(sets, set)
		}
		return err
	}, strings.ReplaceAll(`WITH RECURSIVE sets (actions) AS (
		SELECT min(actions) FROM `+table+`
		UNION ALL
		SELECT (SELECT min(r.actions) FROM `+table+` AS r WHERE r.actions > sets.actions) FROM sets WHERE sets.actions IS NOT NULL
	) SELECT actions FROM sets WHERE actions IS NOT NULL`, "??", "?"))
	return sets, err
}
