package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/squirrel"
)

const (
	// few is how many requests are rather gathered by a condition and
	// sorted than met on a walk along an index in the order wanted.
	few = 2000
	// maxArms bounds the walks that are merged into one list.
	maxArms = 32
)

// Requests lists what matches a query in its order. It calls add for each
// record, to learn where it goes; plans, outcomes and keys are left out.
func (d *Dialect) Requests(ctx context.Context, c Conn, q *Query, add func() Record) error {
	sort := q.Sort
	if sort == "" {
		sort = "created_at"
	}
	if !slices.Contains(times, sort) {
		return fmt.Errorf("there is no time %q to sort by", sort)
	}
	terms, none, err := d.terms(ctx, c, q)
	if err != nil || none {
		return err
	}
	place := term{}
	if q.After != nil {
		if place, err = d.place(sort, q); err != nil {
			return err
		}
	}
	driver, err := d.driver(ctx, c, terms, sort)
	if err != nil {
		return err
	}
	var list []Record
	if err := query(ctx, c, func(scan func(dest ...any) error) error {
		r := add()
		list = append(list, r)
		return scan(d.destinations(&r)...)
	}, d.page(q, sort, terms, place, driver)); err != nil {
		return err
	}
	return d.addLookups(ctx, c, list)
}

// CountRequests counts what matches a query.
func (d *Dialect) CountRequests(ctx context.Context, c Conn, q *Query) (count int64, err error) {
	terms, none, err := d.terms(ctx, c, q)
	if err != nil || none {
		return 0, err
	}
	driver, err := d.driver(ctx, c, terms, "")
	if err != nil {
		return 0, err
	}
	s := d.build().Select("count(*)").From(d.Prefix + "requests")
	for i := range terms {
		s = s.Where(terms[i].sql(d.Guide && driver >= 0 && i != driver))
	}
	err = query(ctx, c, func(scan func(dest ...any) error) error { return scan(&count) }, s)
	return count, err
}

// place is the condition to come after the last record of the page before.
func (d *Dialect) place(sort string, q *Query) (term, error) {
	at, err := d.EncodeTime(q.After.Time)
	if err != nil {
		return term{}, err
	}
	than := ">"
	if q.Descending {
		than = "<"
	}
	return term{expr: "(@" + sort + ", id) " + than + " (?, ?)", args: []any{at, q.After.ID}}, nil
}

// driver returns the term by which to gather the requests, or -1 to walk along
// an index in the order wanted. Databases that know their data are not asked.
func (d *Dialect) driver(ctx context.Context, c Conn, terms []term, sort string) (int, error) {
	for i := range terms {
		if terms[i].exact {
			return i, nil
		}
	}
	if !d.Guide {
		return -1, nil
	}
	best, fewest := -1, few
	for i := range terms {
		// One that only bounds the walk need not be counted.
		if terms[i].scan || terms[i].time == sort && sort != "" && len(terms) <= 2 {
			continue
		}
		matches := few + 1
		some := squirrel.Select("1").From(d.Prefix+"requests").Where(terms[i].sql(false)).Suffix("LIMIT ?", few+1)
		if err := query(ctx, c, func(scan func(dest ...any) error) error { return scan(&matches) },
			d.build().Select("count(*)").FromSelect(some, "some")); err != nil {
			return -1, err
		}
		if matches <= fewest {
			best, fewest = i, matches
		}
	}
	return best, nil
}

// page builds the query of one page.
func (d *Dialect) page(q *Query, sort string, terms []term, place term, driver int) squirrel.Sqlizer {
	// One whose values are indexed in this order is walked along for each of
	// them, and the walks are merged.
	along := -1
	if driver < 0 && sort == "created_at" {
		along = slices.IndexFunc(terms, func(t term) bool { return t.column != "" && len(t.values) <= maxArms })
	}
	arm := func(value string) squirrel.SelectBuilder {
		s := squirrel.Select(columns...).From(d.Prefix + "requests")
		for i := range terms {
			t := &terms[i]
			if i == along {
				s = s.Where(squirrel.Eq{t.column: value})
				continue
			}
			walked := driver < 0 && (t.time == sort || along < 0 && t.expr == "@open = 1" && (sort == "created_at" || sort == "deadline_at"))
			s = s.Where(t.sql(d.Guide && i != driver && !walked))
		}
		if place.expr != "" {
			s = s.Where(place.sql(d.Guide && driver >= 0))
		}
		return s
	}
	order := sort + ", id"
	if q.Descending {
		order = sort + " DESC, id DESC"
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	tail := " ORDER BY " + order + " LIMIT ?"
	args := []any{limit}
	if q.Offset > 0 {
		tail, args = tail+" OFFSET ?", append(args, q.Offset)
	}
	values := []string{""}
	if along >= 0 {
		values = terms[along].values
	}
	arms := make([]string, len(values))
	var all []any
	for i, value := range values {
		text, armArgs, _ := arm(value).ToSql() // no part of it can fail
		arms[i], all = text, append(all, armArgs...)
	}
	return statement{d, strings.Join(arms, " UNION ALL ") + tail, append(all, args...)}
}

// statement is a finished query with question marks.
type statement struct {
	d    *Dialect
	text string
	args []any
}

// ToSql implements [squirrel.Sqlizer].
func (s statement) ToSql() (string, []any, error) {
	if !s.d.Dollar {
		return s.text, s.args, nil
	}
	text, err := squirrel.Dollar.ReplacePlaceholders(s.text)
	return text, s.args, err
}
