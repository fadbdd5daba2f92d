package sqlconn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// unfitError says that a value cannot be written to a column, without telling
// the value.
type unfitError struct{ column string }

func (e *unfitError) Error() string {
	if e.column == "" {
		return "a value does not fit its column"
	}
	return fmt.Sprintf("a value does not fit the column %q", e.column)
}

var errUnfit error = &unfitError{}

// shape holds the rows of which the same columns are written.
type shape struct {
	columns []*column
	// rows are the keys, the fingerprint when there is one, and the values.
	rows [][]any
}

type shapes struct {
	byName map[string]*shape
	names  []string
	seen   map[string]bool
}

func newShapes() *shapes { return &shapes{byName: map[string]*shape{}, seen: map[string]bool{}} }

func (s *shapes) inOrder() []*shape {
	out := make([]*shape, len(s.names))
	for i, name := range s.names {
		out[i] = s.byName[name]
	}
	return out
}

// modification is what is written to one row.
type modification struct {
	row         []any
	fingerprint string
	columns     []*column
}

// add files a modification under its columns; rows that share key and
// fingerprint are written by one line.
func (s *shapes) add(m *modification) {
	var b strings.Builder
	for _, c := range m.columns {
		fmt.Fprintf(&b, "%q,", c.Name)
	}
	name := b.String()
	if m.fingerprint != "" {
		key := fmt.Sprintf("%s %q %q", name, m.row, m.fingerprint)
		if s.seen[key] {
			return
		}
		s.seen[key] = true
	}
	if s.byName[name] == nil {
		s.byName[name] = &shape{columns: m.columns}
		s.names = append(s.names, name)
	}
	s.byName[name].rows = append(s.byName[name].rows, m.row)
}

// classify locks the rows of the work, says what each is, and collects what is
// to be written.
func (w *work) classify(ctx context.Context, tx transaction) ([]dsr.RowResult, *shapes, error) {
	f := w.lock()
	statement, err := w.dialect.finish(f.sql)
	if err != nil {
		return nil, nil, err
	}
	results, shapes := w.gone(), newShapes()
	raw := make([]any, len(w.columns))
	var position int64
	var fingerprint string
	targets := []any{&position}
	for i := range raw {
		targets = append(targets, &raw[i])
	}
	switch {
	case w.keyless:
		targets = append(targets, &fingerprint)
	case len(raw) == 0:
		targets = append(targets, new(any))
	}
	err = each(ctx, tx, statement, f.args, func(scan scanner) error {
		if err := scan(targets...); err != nil {
			return err
		}
		row := &w.rows[position-int64(w.dialect.listBase())]
		current := make([]any, len(raw))
		for i, c := range w.columns {
			current[i] = convert(c, raw[i])
		}
		if !w.addressed(row, current) {
			return nil
		}
		result := w.verdict(row, current)
		if result == dsr.RowWritten {
			m, err := w.modify(row, raw)
			if err != nil {
				return err
			}
			if w.keyless {
				m.fingerprint = fingerprint
				m.row = slices.Insert(m.row, len(w.keys), any(fingerprint))
			}
			shapes.add(m)
		}
		if rank(result) > rank(results[row.result]) {
			results[row.result] = result
		}
		return nil
	})
	return results, shapes, err
}

// rank orders results by what they say of several rows with one key.
func rank(r dsr.RowResult) int {
	return slices.Index([]dsr.RowResult{dsr.RowGone, dsr.RowChanged, dsr.RowAlready, dsr.RowWritten}, r)
}

// addressed reports whether a keyless row is the one that is meant: it is by
// the database's comparison, which may ignore letter case.
func (w *work) addressed(row *workRow, current []any) bool {
	if !w.keyless {
		return true
	}
	for j, c := range w.keys {
		if !holds(c, current[j], row.key[j]) {
			return false
		}
	}
	return true
}

// verdict compares what a row holds with what its changes want.
func (w *work) verdict(row *workRow, current []any) dsr.RowResult {
	allOld, allNew, guards := true, true, true
	for i := range row.changes {
		ch := &row.changes[i]
		value, reachable := leafOf(current[ch.at], ch.path)
		c := w.columns[ch.at]
		same := func(want any) bool {
			if len(ch.path) > 0 || c.form == formJSON || c.form == formArray {
				return equal(value, want)
			}
			return holds(c, value, want)
		}
		allOld = allOld && same(ch.old) && (reachable || ch.new == nil || ch.guard)
		allNew = allNew && same(ch.new)
		guards = guards && ch.guard
	}
	switch {
	case w.remove && allOld:
		return dsr.RowWritten
	case w.remove:
		return dsr.RowChanged
	case allNew:
		return dsr.RowAlready
	case allOld && !guards:
		return dsr.RowWritten
	}
	return dsr.RowChanged
}

// modify works out the new values of a row's columns. Inside documents only
// the leaves are replaced, in the text that the row holds now.
func (w *work) modify(row *workRow, raw []any) (*modification, error) {
	if w.remove {
		return &modification{row: slices.Clone(row.encoded)}, nil
	}
	values := map[int]any{}
	for i := range row.changes {
		ch := &row.changes[i]
		if ch.guard {
			continue
		}
		c := w.columns[ch.at]
		if len(ch.path) == 0 {
			encoded, err := w.dialect.encodeNew(c, ch.new)
			if err != nil {
				return nil, &unfitError{c.Name}
			}
			values[ch.at] = encoded
			continue
		}
		text, ok := values[ch.at].(string)
		if !ok {
			text, _ = textOf(raw[ch.at])
		}
		leaf, err := encodeJSON(ch.new)
		if err != nil {
			return nil, &unfitError{c.Name}
		}
		spliced, err := splice([]byte(text), ch.path, leaf)
		if err != nil {
			return nil, &unfitError{c.Name}
		}
		values[ch.at] = string(spliced)
	}
	return w.modification(row, values)
}

func (w *work) modification(row *workRow, values map[int]any) (*modification, error) {
	m := &modification{row: slices.Clone(row.encoded)}
	for at, c := range w.columns {
		v, ok := values[at]
		if !ok {
			continue
		}
		if text, isText := v.(string); isText && c.form == formArray && strings.HasPrefix(text, "[") {
			// A leaf of an array was replaced in its JSON form.
			list, err := decodeJSON([]byte(text))
			if err != nil {
				return nil, &unfitError{c.Name}
			}
			if v, err = w.dialect.encodeNew(c, list); err != nil {
				return nil, &unfitError{c.Name}
			}
		}
		m.row = append(m.row, v)
		m.columns = append(m.columns, c)
	}
	return m, nil
}

// assume is the modification of a row that holds its old values, for a dry
// run: values inside documents are left open.
func (w *work) assume(row *workRow) (*modification, error) {
	values := map[int]any{}
	for i := range row.changes {
		ch := &row.changes[i]
		if ch.guard {
			continue
		}
		values[ch.at] = nil
		if len(ch.path) == 0 {
			encoded, err := w.dialect.encodeNew(w.columns[ch.at], ch.new)
			if err != nil {
				return nil, &unfitError{w.columns[ch.at].Name}
			}
			values[ch.at] = encoded
		}
	}
	m, err := w.modification(row, values)
	if err == nil && w.keyless {
		m.row = slices.Insert(m.row, len(w.keys), any(""))
	}
	return m, err
}
