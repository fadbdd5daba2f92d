package bench

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Table is one table as the yardstick knows it.
type Table struct {
	Name    string
	Columns []Column
	// Emails are columns that are compared with the subject's e-mail.
	Emails []string
	// Feeds are columns whose values come from columns of other tables.
	Feeds []Feed
}

// Column is one column that is read.
type Column struct {
	Name string
	Kind Kind
	// Pick puts the column into the package.
	Pick bool
}

// Kind says how a column is scanned and written.
type Kind int

// The kinds that the benchmarks' tables have.
const (
	Int Kind = iota
	Text
	Bool
	Time
	Float
)

// Feed says that Column holds values of another table's column.
type Feed struct {
	Column     string
	From       string
	FromColumn string
}

// fetched is what one table's query came to.
type fetched struct {
	done   chan struct{}
	ints   map[string]map[int64]struct{}
	texts  map[string]map[string]struct{}
	json   []byte
	rows   int
	failed error
}

// Yardstick reads everything about an e-mail from tables and writes it as one
// JSON package of the dataset, beside a manifest, as durably as the engine
// does.
func Yardstick(ctx context.Context, db *sql.DB, dataset string, tables []Table, email, dir, name string) error {
	results := map[string]*fetched{}
	wanted := map[string][]string{}
	for _, t := range tables {
		results[t.Name] = &fetched{done: make(chan struct{}), ints: map[string]map[int64]struct{}{}, texts: map[string]map[string]struct{}{}}
		for _, f := range t.Feeds {
			wanted[f.From] = append(wanted[f.From], f.FromColumn)
		}
	}
	var wg sync.WaitGroup
	for _, t := range tables {
		wg.Go(func() {
			f := results[t.Name]
			defer close(f.done)
			f.failed = fetch(ctx, db, t, wanted[t.Name], email, results, f)
		})
	}
	wg.Wait()
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(a.Name, b.Name) })
	return write(dataset, tables, results, dir, name)
}

func fetch(ctx context.Context, db *sql.DB, t Table, wanted []string, email string, results map[string]*fetched, out *fetched) error {
	kinds := map[string]Kind{}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		kinds[c.Name], names[i] = c.Kind, c.Name
	}
	var where []string
	var args []any
	for _, e := range t.Emails {
		args = append(args, strings.ToLower(email))
		where = append(where, fmt.Sprintf("lower(%s) = $%d", e, len(args)))
	}
	for _, f := range t.Feeds {
		from := results[f.From]
		select {
		case <-from.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if from.failed != nil {
			return from.failed
		}
		if set := from.ints[f.FromColumn]; len(set) > 0 {
			args = append(args, sorted(set))
			where = append(where, fmt.Sprintf("%s = ANY($%d)", f.Column, len(args)))
		}
		if set := from.texts[f.FromColumn]; len(set) > 0 {
			args = append(args, sorted(set))
			where = append(where, fmt.Sprintf("%s = ANY($%d)", f.Column, len(args)))
		}
	}
	if len(where) == 0 {
		return nil
	}
	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+t.Name+" WHERE "+strings.Join(where, " OR "), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	row := newScanner(t.Columns)
	for rows.Next() {
		if err := rows.Scan(row.targets...); err != nil {
			return err
		}
		out.rows++
		for _, w := range wanted {
			row.collect(w, out)
		}
		if out.rows > 1 {
			out.json = append(out.json, ',')
		}
		out.json = row.append(append(out.json, "\n    "...))
	}
	return rows.Err()
}

func sorted[T int64 | string](set map[T]struct{}) []T {
	list := make([]T, 0, len(set))
	for v := range set {
		list = append(list, v)
	}
	slices.Sort(list)
	return list
}

// scanner holds one row.
type scanner struct {
	columns []Column
	targets []any
}

func newScanner(columns []Column) *scanner {
	s := &scanner{columns: columns}
	for _, c := range columns {
		switch c.Kind {
		case Int:
			s.targets = append(s.targets, new(sql.NullInt64))
		case Bool:
			s.targets = append(s.targets, new(sql.NullBool))
		case Time:
			s.targets = append(s.targets, new(sql.NullTime))
		case Float:
			s.targets = append(s.targets, new(sql.NullFloat64))
		default:
			s.targets = append(s.targets, new(sql.NullString))
		}
	}
	return s
}

func (s *scanner) collect(column string, out *fetched) {
	for i, c := range s.columns {
		if c.Name != column {
			continue
		}
		switch v := s.targets[i].(type) {
		case *sql.NullInt64:
			if out.ints[column] == nil {
				out.ints[column] = map[int64]struct{}{}
			}
			if v.Valid {
				out.ints[column][v.Int64] = struct{}{}
			}
		case *sql.NullString:
			if out.texts[column] == nil {
				out.texts[column] = map[string]struct{}{}
			}
			if v.Valid {
				out.texts[column][v.String] = struct{}{}
			}
		}
	}
}

func (s *scanner) append(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	for i, c := range s.columns {
		if !c.Pick {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(strconv.AppendQuote(dst, c.Name), ':')
		dst = appendValue(dst, s.targets[i])
	}
	return append(dst, '}')
}

func appendValue(dst []byte, target any) []byte {
	switch v := target.(type) {
	case *sql.NullInt64:
		if v.Valid {
			return strconv.AppendInt(dst, v.Int64, 10)
		}
	case *sql.NullBool:
		if v.Valid {
			return strconv.AppendBool(dst, v.Bool)
		}
	case *sql.NullFloat64:
		if v.Valid {
			return strconv.AppendFloat(dst, v.Float64, 'f', -1, 64)
		}
	case *sql.NullTime:
		if v.Valid {
			return append(v.Time.UTC().AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
		}
	case *sql.NullString:
		if v.Valid {
			return appendText(dst, v.String)
		}
	}
	return append(dst, "null"...)
}

func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			b, _ := json.Marshal(s)
			return append(dst, b...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

// write puts the tables into a file, synced and renamed, beside a manifest.
func write(dataset string, tables []Table, results map[string]*fetched, dir, name string) error {
	type entry struct {
		Address string `json:"address"`
		Rows    int    `json:"rows"`
	}
	var entries []entry
	hash := sha256.New()
	err := durable(dir, name+".json", func(w *bufio.Writer) error {
		out := func(s string) { _, _ = w.WriteString(s); _, _ = hash.Write([]byte(s)) }
		open := "{"
		for _, t := range tables {
			f := results[t.Name]
			if f.failed != nil {
				return f.failed
			}
			entries = append(entries, entry{dataset + ":" + t.Name, f.rows})
			if f.rows == 0 || !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Pick }) {
				continue
			}
			out(open + "\n  \"" + dataset + ":" + t.Name + "\": [")
			_, _ = w.Write(f.json)
			_, _ = hash.Write(f.json)
			out("\n  ]")
			open = ","
		}
		if open == "{" {
			out("{")
		} else {
			out("\n")
		}
		out("}\n")
		return nil
	})
	if err != nil {
		return err
	}
	return durable(dir, name+".manifest.json", func(w *bufio.Writer) error {
		return json.NewEncoder(w).Encode(map[string]any{"sha256": fmt.Sprintf("%x", hash.Sum(nil)), "collections": entries})
	})
}

func durable(dir, name string, fill func(*bufio.Writer) error) error {
	f, err := os.CreateTemp(dir, "yardstick")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 64<<10)
	if err := fill(w); err != nil {
		_ = f.Close()
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return d.Sync()
}
