package crash_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// row is a row as the database prints it.
type row struct {
	id     int
	values []sql.NullString
}

// rows reads all tables.
func (w *world) rows(ctx context.Context) (map[string][]row, error) {
	all := map[string][]row{}
	for _, b := range w.backends() {
		for _, t := range b.tables {
			err := b.query(ctx, "SELECT * FROM "+t.name+" ORDER BY id", len(t.columns), func(values []sql.NullString) error {
				r := row{values: slices.Clone(values)}
				_, err := fmt.Sscan(values[0].String, &r.id)
				all[t.name] = append(all[t.name], r)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// query calls each with every row of n columns.
func (b *backend) query(ctx context.Context, query string, n int, each func([]sql.NullString) error) (err error) {
	db, err := b.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer func() { _ = rows.Close() }()
	values := make([]sql.NullString, n)
	into := make([]any, n)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// audit counts what the triggers logged: "table id what".
func (w *world) audit(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for _, b := range w.backends() {
		err := b.query(ctx, "SELECT tbl, id, what FROM audit", 3, func(v []sql.NullString) error {
			counts[v[0].String+" "+v[1].String+" "+v[2].String]++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// violations holds what is wrong with a world.
type violations []string

func (v *violations) add(format string, args ...any) {
	const enough = 50
	if len(*v) < enough {
		*v = append(*v, fmt.Sprintf(format, args...))
	}
}

func (v *violations) failed(doing string, err error) {
	if err != nil {
		v.add("%s: %v", doing, err)
	}
}

// check returns what is wrong after the request came to its end: nothing, when
// every targeted value was masked once, nothing else was touched, the package
// is there, and the store has forgotten what it needs no more.
func (w *world) check(ctx context.Context, res *result) violations {
	var v violations
	if res == nil || res.Err != "" || res.Request == nil || res.Request.Status != dsr.StatusComplete {
		v.add("the request is not complete: %+v", res)
		return v
	}
	after, err := w.rows(ctx)
	v.failed("read the rows", err)
	audit, err := w.audit(ctx)
	v.failed("read the audit", err)
	w.checkRows(&v, after)
	if want := w.wantAudit(); !maps.Equal(want, audit) {
		for key := range maps.Keys(merged(want, audit)) {
			if want[key] != audit[key] {
				v.add("%s happened %d times instead of %d", key, audit[key], want[key])
			}
		}
	}
	w.checkOutcomes(&v, res.Request)
	w.checkPackage(&v, res.Request)
	w.checkStore(ctx, &v)
	return v
}

func merged(a, b map[string]int) map[string]int {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func (w *world) tables() []table { return slices.Concat(w.shop.tables, w.crm.tables) }

// masks checks masked values as it is given them.
type masks struct {
	hashes map[string]string // by what was hashed
	drawn  map[string]bool
}

var (
	hashShape   = regexp.MustCompile(`^[0-9a-f]{64}$`)
	randomShape = regexp.MustCompile(`^[a-z0-9]{30}$`)
)

// fault says what is wrong with the masked form of a value; nil stands for
// null, which stays null.
func (m *masks) fault(how masking, before, now any) string {
	if before == nil || how == nulled {
		if now != nil {
			return "is not null"
		}
		return ""
	}
	text, ok := now.(string)
	if !ok {
		return "is no text"
	}
	switch how {
	case hashed:
		if !hashShape.MatchString(text) {
			return "has not the shape of a hash"
		}
		if was, known := m.hashes[before.(string)]; known && was != text {
			return "has another hash than an equal value"
		}
		m.hashes[before.(string)] = text
	case random:
		if !randomShape.MatchString(text) {
			return "has not the shape of random text"
		}
		if m.drawn[text] {
			return "has the random text of another value"
		}
		m.drawn[text] = true
	default:
		if now != before {
			return "was changed"
		}
	}
	return ""
}

// checkRows compares all rows with those before.
func (w *world) checkRows(v *violations, after map[string][]row) {
	m := &masks{hashes: map[string]string{}, drawn: map[string]bool{}}
	for _, t := range w.tables() {
		now := map[int]row{}
		for _, r := range after[t.name] {
			now[r.id] = r
		}
		for _, before := range w.before[t.name] {
			r, there := now[before.id]
			delete(now, before.id)
			switch {
			case !mine(before.id):
				if !there || !slices.Equal(r.values, before.values) {
					v.add("%s %d, which is another's, was changed", t.name, before.id)
				}
			case t.delete && there:
				v.add("%s %d was not deleted", t.name, before.id)
			case !t.delete && !there:
				v.add("%s %d is gone", t.name, before.id)
			case there:
				for i, c := range t.columns {
					w.checkColumn(v, m, fmt.Sprintf("%s %d %s", t.name, before.id, c.name), c, before.values[i], r.values[i])
				}
			}
		}
		if len(now) > 0 {
			v.add("%s has %d new rows", t.name, len(now))
		}
	}
	byHash := map[string]bool{}
	for _, hash := range m.hashes {
		byHash[hash] = true
	}
	if len(byHash) != len(m.hashes) {
		v.add("different values have the same hash")
	}
}

func (w *world) checkColumn(v *violations, m *masks, where string, c column, before, now sql.NullString) {
	if len(c.inside) == 0 {
		if fault := m.fault(c.masking, anyOf(before), anyOf(now)); fault != "" {
			v.add("%s %s", where, fault)
		}
		return
	}
	was, is := parse(before.String), parse(now.String)
	for _, in := range c.inside {
		a, hadIt := take(was, in.path)
		b, hasIt := take(is, in.path)
		if fault := m.fault(in.masking, a, b); fault != "" || hadIt != hasIt {
			v.add("%s %s %s", where, strings.Join(in.path, "."), fault)
		}
	}
	if !reflect.DeepEqual(was, is) {
		v.add("%s: siblings of masked keys were changed", where)
	}
}

func anyOf(s sql.NullString) any {
	if !s.Valid {
		return nil
	}
	return s.String
}

func parse(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var doc any
	if err := decoder.Decode(&doc); err != nil {
		return err.Error()
	}
	return doc
}

// take removes the value at a path and returns it.
func take(doc any, path []string) (any, bool) {
	m, ok := doc.(map[string]any)
	if !ok {
		return nil, false
	}
	v, ok := m[path[0]]
	if len(path) > 1 {
		return take(v, path[1:])
	}
	delete(m, path[0])
	return v, ok
}

// wantAudit is what the triggers must have logged: every row of the data
// subject written once, and once each of its columns that held something to
// mask.
func (w *world) wantAudit() map[string]int {
	want := map[string]int{}
	for _, t := range w.tables() {
		for _, r := range w.before[t.name] {
			if !mine(r.id) {
				continue
			}
			key := fmt.Sprintf("%s %d ", t.name, r.id)
			if t.delete {
				want[key+"DELETE"] = 1
				continue
			}
			for i, c := range t.columns {
				if r.values[i].Valid && (c.masking != kept || len(c.inside) > 0) {
					want[key+"UPDATE"], want[key+c.name] = 1, 1
				}
			}
		}
	}
	return want
}
