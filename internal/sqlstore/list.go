package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/Masterminds/squirrel"
)

const (
	// few is how many requests are rather gathered by a condition and
	// sorted than met on a walk along an index in the order wanted.
	few = 5000
	// maxArms bounds the walks that are merged into one list.
	maxArms = 32
)

// Requests lists what matches a query in its order. It calls add for each
// record, to learn where it goes; plans, outcomes, tasks and keys are left out.
func (d *Dialect) Requests(ctx context.Context, c Conn, q *Query, add func() Record) error {
	sort := cmp.Or(q.Sort, "created_at")
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
		s = s.Where(terms[i].sql(d.pin(&terms[i], driver >= 0 && i != driver)))
	}
	err = query(ctx, c, func(scan func(dest ...any) error) error { return scan(&count) }, s)
	return count, err
}

// place is the condition to come after the last record of the page before.
func (d *Dialect) place(sort string, q *Query) (term, error) {
	at, err := d.bound(q.After.Time)
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
// an index in the order wanted.
func (d *Dialect) driver(ctx context.Context, c Conn, terms []term, sort string) (int, error) {
	others, columns := 0, 0
	for i := range terms {
		if terms[i].exact {
			return i, nil
		}
		// One that has an index in this order, or only bounds the walk, needs
		// no help if there is no other.
		switch t := &terms[i]; {
		case t.scan || t.time == sort && sort != "":
		case t.open && (sort == "created_at" || sort == "deadline_at"):
		case t.column != "" && sort == "created_at" && columns == 0:
			columns++
		default:
			others++
		}
	}
	best, fewest := -1, few
	for i := range terms {
		if terms[i].scan || !d.Guide && !terms[i].vague || others == 0 {
			continue
		}
		matches := few + 1
		some, args, _ := squirrel.Select("1").From(d.Prefix+"requests").Where(terms[i].sql("")).Suffix("LIMIT ?", few+1).ToSql()
		if terms[i].some != "" {
			some, args = terms[i].some+" LIMIT ?", append(slices.Clone(terms[i].args), few+1)
		}
		if err := query(ctx, c, func(scan func(dest ...any) error) error { return scan(&matches) },
			statement{d, "SELECT count(*) FROM (" + some + ") AS some_requests", args}); err != nil {
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
		if !d.Guide && driver >= 0 && !terms[driver].exact {
			// The offset keeps both parts from being planned as one.
			some := squirrel.Select("*").From(d.Prefix + "requests").Where(terms[driver].sql("")).Suffix("OFFSET 0")
			s = squirrel.Select(columns...).FromSelect(some, "requests")
		}
		for i := range terms {
			t := &terms[i]
			if i == along {
				s = s.Where(squirrel.Eq{t.column: value})
				continue
			}
			walked := driver < 0 && (t.time == sort || along < 0 && t.open && (sort == "created_at" || sort == "deadline_at"))
			s = s.Where(t.sql(d.pin(t, i != driver && !walked)))
		}
		if place.expr != "" {
			s = s.Where(place.sql(d.pin(&place, driver >= 0)))
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
	if along < 0 {
		text, all, _ := arm("").ToSql() // no part of it can fail
		return statement{d, text + tail, append(all, args...)}
	}
	var arms []string
	var all []any
	for _, value := range terms[along].values {
		text, armArgs, _ := arm(value).ToSql()
		arms = append(arms, "SELECT * FROM ("+text+" ORDER BY "+order+" LIMIT ?) AS walk")
		all = append(append(all, armArgs...), limit+max(q.Offset, 0))
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
