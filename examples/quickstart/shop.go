package main

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// files are the shop's tables with their people, and the datasets that
// describe them.
//
//go:embed *.sql *.yml
var files embed.FS

// subject is the person who asks; forgotten is what nobody should read of her
// afterwards. None of it can turn up in a hash by chance.
const subject = "wilma.frost@example.com"

var forgotten = []string{"wilma", "frost", "7946 0321", "1987-03-14", "lantern row", "harbour steps", "| 4242 |", "| 4444 |"}

// table is a table of the sample.
type table struct {
	name   string
	others string // selects the rows that have nothing to do with the subject
	sample string // a query for what to look at before and after; empty for none
	about  string
}

// database is one of the two files.
type database struct {
	name   string
	tables []table
	*sql.DB
}

// openShop creates both databases in dir.
func openShop(ctx context.Context, dir string) (shop, crm *database, err error) {
	shop = &database{name: "shop", tables: []table{
		{"customers", "id <> 1", "SELECT name, email, phone FROM customers WHERE id = 1", "known by e-mail"},
		{"addresses", "customer_id <> 1", "", "where parcels went"},
		{"orders", "customer_id <> 1", "", "dates and totals, which the books need"},
		{"order_items", "order_id NOT IN (1001, 1003)", "", "a key of two columns, engravings"},
		{"payment_cards", "customer_id <> 1", "", "nobody needs them afterwards"},
	}}
	crm = &database{name: "crm", tables: []table{
		{"profiles", "id <> 71", "SELECT profile ->> 'nickname', profile ->> '$.contact.email', profile ->> 'segment' FROM profiles WHERE id = 71", "JSON, the e-mail inside as it was typed"},
		{"tickets", "customer_no <> 1", "", "joined to the shop by customer number"},
		{"questions", "id <> 301", "SELECT p.value ->> 'email', p.value ->> 'text' FROM questions, json_each(posts) AS p WHERE questions.id = 301", "JSON threads that several people write in"},
		{"newsletter", "email NOT LIKE 'wilma%'", "", "the e-mail is the key"},
	}}
	for _, db := range []*database{shop, crm} {
		if err := db.create(ctx, dir); err != nil {
			return nil, nil, fmt.Errorf("create the %s database: %w", db.name, err)
		}
	}
	return shop, crm, nil
}

func (db *database) create(ctx context.Context, dir string) error {
	script, err := files.ReadFile(db.name + ".sql")
	if err != nil {
		return err
	}
	if err := db.open(filepath.Join(dir, db.name+".db")); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, string(script))
	return err
}

func (db *database) open(path string) (err error) {
	query := url.Values{"_pragma": {"foreign_keys(1)", "busy_timeout(5000)"}}
	file := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	db.DB, err = sql.Open("sqlite", file.String())
	return err
}

// rows returns the answer to a query as text, one line a row.
func (db *database) rows(ctx context.Context, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var lines []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			if cells[i] = "NULL"; v.Valid {
				cells[i] = v.String
			}
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	return lines, rows.Err()
}

// sample is a row to look at.
type sample struct{ table, row string }

// survey is what an outsider sees of both databases.
type survey struct {
	traces  int      // rows in which something of the subject can be read
	others  []string // rows of everybody else, in full
	samples []sample // what to look at
}

// look reads every row of both databases without the help of dsr.
func look(ctx context.Context, databases ...*database) (survey, error) {
	var s survey
	for _, db := range databases {
		for _, t := range db.tables {
			all, err := db.rows(ctx, "SELECT * FROM "+t.name)
			if err != nil {
				return s, err
			}
			for _, row := range all {
				if readable(row) {
					s.traces++
				}
			}
			others, err := db.rows(ctx, "SELECT * FROM "+t.name+" WHERE "+t.others)
			if err != nil {
				return s, err
			}
			s.others = append(s.others, others...)
			if t.sample == "" {
				continue
			}
			rows, err := db.rows(ctx, t.sample)
			if err != nil {
				return s, err
			}
			for _, row := range rows {
				s.samples = append(s.samples, sample{t.name, row})
			}
		}
	}
	return s, nil
}

// readable reports whether a row tells something of the subject.
func readable(row string) bool {
	row = strings.ToLower(row)
	for _, trace := range forgotten {
		if strings.Contains(row, trace) {
			return true
		}
	}
	return false
}
