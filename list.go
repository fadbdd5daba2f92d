package dsr

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// Filter selects and sorts requests. Zero fields select everything but deleted
// requests. Nothing in it searches people but Identities and Fields, whose values
// have to be given exactly, and are 1,000 together at most.
type Filter struct {
	// Status, Policies and Actions select requests that have one of those
	// given.
	Status   []Status
	Policies []string
	Actions  []graph.Action
	// Identities select requests that have one of the values.
	Identities Identities
	// Fields select requests whose submission had one of the values, in the
	// field of that key: to the byte, and with regard to case.
	Fields FieldValues
	// ExternalID selects that very one, ExternalPrefix those that begin so,
	// without regard to case.
	ExternalID     string
	ExternalPrefix string
	// Text selects requests whose ID or external ID holds it, without regard
	// to case. It is slow among many requests.
	Text string
	// IDContains selects requests whose ID holds it, without regard to case.
	// It is slow among many requests.
	IDContains string
	// Location selects that place and, for a country, all within it.
	Location string
	// Times select requests by when something happened.
	Times map[TimeField]TimeRange
	// Overdue selects unfinished requests past their deadline.
	Overdue bool
	// OnTime leaves those out.
	OnTime bool
	// Unfinished leaves out what is complete, denied or canceled.
	Unfinished bool
	// Deleted selects deleted requests as well.
	Deleted bool

	// Sort defaults to TimeCreated, Descending to the oldest first.
	Sort       TimeField
	Descending bool
	// Cursor is Page.Next of the page before.
	Cursor string
	// Page is the number of a page, from 1, instead of a Cursor. Pages with
	// high numbers are slow.
	Page int
	// Size is how many requests a page has. Defaults to 50; at most 1,000.
	Size int
	// Total asks for the number of requests on all pages.
	Total bool
	// Open opens what is sealed of each request of the page into its Opened.
	// The store reads the keys with the page; the keyring unwraps one for each
	// request, eight at a time.
	Open bool
}

// Format implements [fmt.Formatter] for every verb without showing an identity
// or the value of a field.
func (f Filter) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "{Status:%s Policies:%s Actions:%s Identities:%s Fields:%s ExternalID:%s ExternalPrefix:%s Text:%s IDContains:%s Location:%s Times:%v}",
		f.Status, f.Policies, f.Actions, redacted, redacted, f.ExternalID, f.ExternalPrefix, f.Text, f.IDContains, f.Location, f.Times)
}

// LogValue implements [slog.LogValuer] without showing an identity or the value
// of a field.
func (f Filter) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(f)) }

// Page is a part of a list.
type Page struct {
	Requests []*Request
	// Next is the Cursor of the next page; empty for the last one.
	Next string
	// Total counts the requests on all pages, where the filter asked.
	Total int64
}

// List returns a page of the requests that the filter selects. A filter that
// says what cannot be is an error and never lists everything.
func (r *Requests) List(ctx context.Context, f Filter) (*Page, error) {
	q, err := r.query(ctx, &f)
	if err != nil {
		return nil, err
	}
	size := q.Limit
	q.Limit++ // to see whether there are more
	page := &Page{}
	if f.Total {
		if page.Total, err = r.count(ctx, q); err != nil {
			return nil, err
		}
	}
	recs, err := r.engine.config.Store.Requests(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(recs) > size {
		recs = recs[:size]
		page.Next = encodeCursor(q.Sort, q.Descending, recs[size-1])
	}
	if page.Requests, err = r.engine.requestsOf(ctx, recs, f.Open); err != nil {
		return nil, err
	}
	return page, nil
}

// Count counts the requests that the filter selects.
func (r *Requests) Count(ctx context.Context, f Filter) (int64, error) {
	q, err := r.query(ctx, &f)
	if err != nil {
		return 0, err
	}
	return r.count(ctx, q)
}

// count counts what a query selects. Stores read every entry of an index for
// that, so those who ask at the same time share the answer.
func (r *Requests) count(ctx context.Context, q RecordQuery) (int64, error) {
	q.Sort, q.Descending, q.After, q.Offset, q.Limit, q.Keys = "", false, nil, 0, 0, false
	return r.counts.Do(ctx, fmt.Sprintf("%#v", q), func(ctx context.Context) (int64, error) {
		return r.engine.config.Store.CountRequests(ctx, q)
	})
}

// All goes through the requests that the filter selects, page by page, so that
// any number of them can be handled. Page is ignored.
func (r *Requests) All(ctx context.Context, f Filter) iter.Seq2[*Request, error] {
	return func(yield func(*Request, error) bool) {
		f.Page = 0
		q, err := r.query(ctx, &f)
		if err != nil {
			yield(nil, err)
			return
		}
		for recs, err := range r.engine.pages(ctx, q) {
			var reqs []*Request
			if err == nil {
				reqs, err = r.engine.requestsOf(ctx, recs, f.Open)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, req := range reqs {
				if !yield(req, nil) {
					return
				}
			}
		}
	}
}

// FindByIdentity returns the requests of a data subject, found by the exact
// value of an identity, oldest first, at most 100.
func (r *Requests) FindByIdentity(ctx context.Context, kind, value string) ([]*Request, error) {
	page, err := r.List(ctx, Filter{Identities: Identities{kind: {value}}, Size: 100})
	if err != nil {
		return nil, err
	}
	return page.Requests, nil
}

// records goes through the records of a query, whatever their number.
func (e *Engine) records(ctx context.Context, q RecordQuery) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		for page, err := range e.pages(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, rec := range page {
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// pages goes through the records of a query page by page.
func (e *Engine) pages(ctx context.Context, q RecordQuery) iter.Seq2[[]*Record, error] {
	return func(yield func([]*Record, error) bool) {
		if q.Limit <= 0 {
			q.Limit = 500
		}
		if q.Sort == "" {
			q.Sort = TimeCreated
		}
		for {
			page, err := e.config.Store.Requests(ctx, q)
			if err != nil {
				yield(nil, fmt.Errorf("dsr: list requests: %w", err))
				return
			}
			if !yield(page, nil) || len(page) < q.Limit {
				return
			}
			last := page[len(page)-1]
			q.After, q.Offset = &RecordPlace{Time: last.Time(q.Sort), ID: last.ID}, 0
		}
	}
}

// query checks a filter and makes of it what a store understands.
func (r *Requests) query(ctx context.Context, f *Filter) (q RecordQuery, err error) {
	if err := f.check(); err != nil {
		return q, err
	}
	q = RecordQuery{
		Status: f.Status, Policies: f.Policies, Actions: f.Actions,
		ExternalID: f.ExternalID, ExternalPrefix: f.ExternalPrefix, Text: f.Text, IDContains: f.IDContains, Location: strings.ToUpper(strings.TrimSpace(f.Location)),
		Times: f.Times, Unfinished: f.Unfinished || f.Overdue, Deleted: f.Deleted, Keys: f.Open,
		Sort: f.Sort, Descending: f.Descending, Limit: f.Size,
	}
	if q.Sort == "" {
		q.Sort = TimeCreated
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	if f.Page > 1 {
		q.Offset = (f.Page - 1) * q.Limit
	}
	if f.OnTime {
		q.OnTime = r.engine.now()
	}
	if f.Overdue {
		now, times := r.engine.config.Clock(), map[TimeField]TimeRange{}
		for field, t := range f.Times {
			times[field] = t
		}
		t := times[TimeDeadline]
		if t.Before.IsZero() || t.Before.After(now) {
			t.Before = now
		}
		times[TimeDeadline], q.Times = t, times
	}
	if f.Cursor != "" {
		if q.After, err = decodeCursor(f.Cursor, q.Sort, q.Descending); err != nil {
			return q, err
		}
	}
	for _, kind := range f.Identities.Kinds() {
		for _, v := range f.Identities[kind] {
			hash, err := r.engine.lookup(ctx, kind, v)
			if err != nil {
				return q, err
			}
			q.Lookup = append(q.Lookup, hash)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Fields)) {
		for _, text := range f.Fields[key] {
			hash, err := r.engine.fieldLookup(ctx, key, text)
			if err != nil {
				return q, err
			}
			q.Also = append(q.Also, hash)
		}
	}
	return q, nil
}

// everything reports whether the filter may leave no request out, but deleted ones
// and those that are overdue, which are few. All IDs may hold a text.
func (f *Filter) everything() bool {
	status := !slices.ContainsFunc(lifecycle.Statuses(), func(s lifecycle.Status) bool { return !slices.Contains(f.Status, Status(s)) })
	action := slices.Contains(f.Actions, graph.Access) && slices.Contains(f.Actions, graph.Erasure)
	return (status || len(f.Status) == 0) && (action || len(f.Actions) == 0) &&
		len(f.Policies)+len(f.Identities)+len(f.Fields)+len(f.Times) == 0 &&
		f.ExternalID+f.ExternalPrefix+strings.TrimSpace(f.Location) == "" && !f.Overdue && !f.Unfinished
}

// maxFilterValues is how many values a filter looks for: each is hashed by the
// keyring, and stores have a limit too.
const maxFilterValues = 1000

func (f *Filter) check() error {
	var faults graph.Diagnostics
	fault := func(format string, args ...any) {
		faults = append(faults, graph.Diagnostic{Severity: graph.Error, Subject: "filter", Message: fmt.Sprintf(format, args...)})
	}
	for _, s := range f.Status {
		if !slices.Contains(lifecycle.Statuses(), lifecycle.Status(s)) {
			fault("there is no status %q", s)
		}
	}
	for _, a := range f.Actions {
		if a != graph.Access && a != graph.Erasure {
			fault("there is no action %q", a)
		}
	}
	for _, field := range TimeFields() {
		if t := f.Times[field]; !t.Before.IsZero() && !t.From.Before(t.Before) {
			fault("%s: From must be before Before", field)
		}
	}
	for _, field := range slices.Sorted(maps.Keys(f.Times)) {
		if !slices.Contains(TimeFields(), field) {
			fault("there is no time %q", field)
		}
	}
	if f.Sort != "" && !slices.Contains(TimeFields(), f.Sort) {
		fault("it cannot be sorted by %q", f.Sort)
	}
	if !validLocation(f.Location) {
		fault("its location is no country by ISO 3166-1 of two letters, nor a part of one by ISO 3166-2")
	}
	values := f.Identities.count()
	for _, list := range f.Fields {
		values += len(list)
	}
	if values > maxFilterValues {
		fault("it has more than %d values of identities and fields", maxFilterValues)
	}
	for _, kind := range f.Identities.Kinds() {
		if len(f.Identities[kind]) == 0 {
			fault("identity %s has no value", kind)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(f.Fields)) {
		if !validKey(key) {
			fault("it names a field by a key that none can have")
		} else if len(f.Fields[key]) == 0 {
			fault("field %s has no value", key)
		}
	}
	if f.Page < 0 || f.Size < 0 || f.Size > 1000 {
		fault("Page and Size cannot be negative, and Size is at most 1,000")
	}
	if f.Page > math.MaxInt32/1000 {
		fault("Page is beyond any list; use a Cursor")
	}
	if f.Page > 0 && f.Cursor != "" {
		fault("it has both a Page and a Cursor")
	}
	return faults.Err()
}

// cursor is what Page.Next holds. It names a place, no person.
type cursor struct {
	Sort       TimeField `json:"s"`
	Descending bool      `json:"d,omitempty"`
	Time       time.Time `json:"t"`
	ID         string    `json:"i"`
}

func encodeCursor(sort TimeField, descending bool, rec *Record) string {
	data, err := json.Marshal(cursor{Sort: sort, Descending: descending, Time: rec.Time(sort), ID: rec.ID})
	if err != nil {
		return "" // a time beyond the year 9999, which no store keeps
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodeCursor(text string, sort TimeField, descending bool) (*RecordPlace, error) {
	bad := errors.New("dsr: the cursor is none that a page of this list gave; begin without one")
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, bad
	}
	var c cursor
	if json.Unmarshal(data, &c) != nil || c.ID == "" {
		return nil, bad
	}
	if c.Sort != sort || c.Descending != descending {
		return nil, errors.New("dsr: the cursor belongs to a list that is sorted otherwise; begin without one")
	}
	return &RecordPlace{Time: c.Time, ID: c.ID}, nil
}
