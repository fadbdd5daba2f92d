package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

var sharedHash = []byte("shared\x00hash")

// various are records that differ in all that a query selects by, but ranges
// of times.
func various() []dsr.Record {
	hash := func(values ...string) [][]byte {
		var list [][]byte
		for _, v := range values {
			list = append(list, []byte(v))
		}
		return list
	}
	shared := string(sharedHash)
	access, erasure := []graph.Action{graph.Access}, []graph.Action{graph.Erasure}
	early := noon.Add(-time.Hour)
	return []dsr.Record{
		{ID: "a", Status: dsr.StatusPending, Policy: "access", Actions: access, Location: "US", ExternalID: "Case-1", Lookup: hash(shared), DeadlineAt: noon},
		{ID: "b", Status: dsr.StatusComplete, Policy: "erase", Actions: slices.Concat(access, erasure), Location: "US-CA", ExternalID: "case-10", Lookup: hash("own", shared), DeadlineAt: early},
		{ID: "c", Status: dsr.StatusError, Policy: "erase_all", Actions: erasure, Location: "USX", ExternalID: "case_1", Lookup: hash("shared"), DeadlineAt: early},
		{ID: "d", Status: dsr.StatusCanceled, Policy: "Erase", Actions: erasure, Location: "DE", ExternalID: "case%1", Lookup: hash(shared, shared)},
		{ID: "e", Status: dsr.StatusDenied, Policy: "access", Actions: access, Location: "US-CAL", ExternalID: `case\1`, Lookup: hash("OWN")},
		{ID: "f", Status: dsr.StatusInProcessing, Policy: "erase"},
		{ID: "gcase", Status: dsr.StatusRequiresInput, Policy: "p", Actions: access, Location: "CA-US", ExternalID: "no%"},
		{ID: "h", Status: dsr.StatusPending, Policy: "access", Actions: access, Location: "US", ExternalID: "case-2", Lookup: hash(shared), DeletedAt: noon},
	}
}

// among returns so many hashes, of which the last one is given and no record has
// another.
func among(count int, hash []byte) [][]byte {
	hashes := make([][]byte, count)
	for i := range hashes {
		hashes[i] = fmt.Appendf(nil, "nobody %d", i)
	}
	hashes[count-1] = hash
	return hashes
}

// selection is a query with the IDs of the records that it selects, sorted.
type selection struct {
	query dsr.RecordQuery
	want  []string
}

// selections select from the various records.
func selections() []selection {
	status := func(list ...dsr.Status) []dsr.Status { return list }
	all := []string{"a", "b", "c", "d", "e", "f", "gcase"}
	return []selection{
		{dsr.RecordQuery{}, all},
		{dsr.RecordQuery{Status: status(dsr.StatusPending)}, []string{"a"}},
		{dsr.RecordQuery{Status: status(dsr.StatusPending, dsr.StatusError, dsr.StatusApproved)}, []string{"a", "c"}},
		{dsr.RecordQuery{Status: status(dsr.StatusApproved)}, nil},
		{dsr.RecordQuery{Policies: []string{"erase"}}, []string{"b", "f"}},
		{dsr.RecordQuery{Policies: []string{"erase", "Erase"}}, []string{"b", "d", "f"}},
		{dsr.RecordQuery{Policies: []string{"eras%"}}, nil},
		{dsr.RecordQuery{Actions: []graph.Action{graph.Access}}, []string{"a", "b", "e", "gcase"}},
		{dsr.RecordQuery{Actions: []graph.Action{graph.Erasure, graph.Access}}, []string{"a", "b", "c", "d", "e", "gcase"}},
		{dsr.RecordQuery{Actions: []graph.Action{"era"}}, nil},
		{dsr.RecordQuery{Lookup: [][]byte{sharedHash}}, []string{"a", "b", "d"}},
		{dsr.RecordQuery{Lookup: [][]byte{sharedHash, []byte("own")}}, []string{"a", "b", "d"}},
		{dsr.RecordQuery{Lookup: [][]byte{[]byte("OWN"), []byte("shared")}}, []string{"c", "e"}},
		{dsr.RecordQuery{Lookup: [][]byte{[]byte("s")}}, nil},
		{dsr.RecordQuery{Also: [][]byte{sharedHash}}, []string{"a", "b", "d"}},
		{dsr.RecordQuery{Also: [][]byte{[]byte("OWN"), []byte("shared")}}, []string{"c", "e"}},
		{dsr.RecordQuery{Lookup: [][]byte{sharedHash}, Also: [][]byte{[]byte("OWN"), []byte("own")}}, []string{"b"}},
		{dsr.RecordQuery{Lookup: [][]byte{[]byte("own")}, Also: [][]byte{[]byte("shared")}}, nil},
		{dsr.RecordQuery{Lookup: among(1000, sharedHash)}, []string{"a", "b", "d"}},
		{dsr.RecordQuery{Also: among(1000, []byte("own"))}, []string{"b"}},
		{dsr.RecordQuery{Lookup: among(500, sharedHash), Also: among(500, []byte("own"))}, []string{"b"}},
		{dsr.RecordQuery{IDContains: "CASE"}, []string{"gcase"}},
		{dsr.RecordQuery{IDContains: "a"}, []string{"a", "gcase"}},
		{dsr.RecordQuery{IDContains: "%"}, nil},
		{dsr.RecordQuery{IDContains: "as", Text: "NO"}, []string{"gcase"}},
		{dsr.RecordQuery{ExternalID: "case-10"}, []string{"b"}},
		{dsr.RecordQuery{ExternalID: "case-1"}, nil},
		{dsr.RecordQuery{ExternalID: "case%1"}, []string{"d"}},
		{dsr.RecordQuery{ExternalID: "case_1"}, []string{"c"}},
		{dsr.RecordQuery{ExternalPrefix: "CASE-1"}, []string{"a", "b"}},
		{dsr.RecordQuery{ExternalPrefix: "case"}, []string{"a", "b", "c", "d", "e"}},
		{dsr.RecordQuery{ExternalPrefix: "case%"}, []string{"d"}},
		{dsr.RecordQuery{ExternalPrefix: "Case_"}, []string{"c"}},
		{dsr.RecordQuery{ExternalPrefix: `case\`}, []string{"e"}},
		{dsr.RecordQuery{ExternalPrefix: "ase"}, nil},
		{dsr.RecordQuery{Text: "ASE-1"}, []string{"a", "b"}},
		{dsr.RecordQuery{Text: "Case"}, []string{"a", "b", "c", "d", "e", "gcase"}},
		{dsr.RecordQuery{Text: "e_"}, []string{"c"}},
		{dsr.RecordQuery{Text: "%"}, []string{"d", "gcase"}},
		{dsr.RecordQuery{Text: `\`}, []string{"e"}},
		{dsr.RecordQuery{Text: "pending"}, nil},
		{dsr.RecordQuery{Location: "US"}, []string{"a", "b", "e"}},
		{dsr.RecordQuery{Location: "US-CA"}, []string{"b"}},
		{dsr.RecordQuery{Location: "CA"}, []string{"gcase"}},
		{dsr.RecordQuery{Location: "U_"}, nil},
		{dsr.RecordQuery{Unfinished: true}, []string{"a", "c", "f", "gcase"}},
		{dsr.RecordQuery{Unfinished: true, Status: status(dsr.StatusComplete, dsr.StatusError)}, []string{"c"}},
		{dsr.RecordQuery{OnTime: noon}, []string{"a", "b", "d", "e", "f", "gcase"}},
		{dsr.RecordQuery{OnTime: noon.Add(time.Microsecond)}, []string{"b", "d", "e", "f", "gcase"}},
		{dsr.RecordQuery{OnTime: noon.Add(-time.Hour)}, all},
		{dsr.RecordQuery{OnTime: noon, Unfinished: true}, []string{"a", "f", "gcase"}},
		{dsr.RecordQuery{Deleted: true}, append(slices.Clone(all), "h")},
		{dsr.RecordQuery{Deleted: true, ExternalPrefix: "case-", Status: status(dsr.StatusPending)}, []string{"a", "h"}},
		{dsr.RecordQuery{
			Status: status(dsr.StatusPending, dsr.StatusComplete, dsr.StatusCanceled), Policies: []string{"erase", "access"},
			Actions: []graph.Action{graph.Access}, Lookup: [][]byte{sharedHash}, ExternalPrefix: "case", Text: "-10", Location: "US",
		}, []string{"b"}},
		{dsr.RecordQuery{ExternalID: "case-10", Unfinished: true}, nil},
		{dsr.RecordQuery{Policies: []string{"access"}, Lookup: [][]byte{[]byte("own")}}, nil},
		{dsr.RecordQuery{Text: "case-", Location: "DE"}, nil},
	}
}

// joined adds queries that join two of those given, if they have no field in
// common: they select what both do.
func joined(list []selection) []selection {
	both := slices.Clone(list)
	for i, one := range list {
		for _, step := range []int{7, 16} {
			two := list[(i+step)%len(list)]
			query, ok := merged(one.query, two.query)
			if !ok {
				continue
			}
			var want []string
			for _, id := range one.want {
				if slices.Contains(two.want, id) {
					want = append(want, id)
				}
			}
			both = append(both, selection{query, want})
		}
	}
	return both
}

// merged has the fields of two queries, and is false if both set the same, or
// one that makes a query select more.
func merged(a, b dsr.RecordQuery) (dsr.RecordQuery, bool) {
	to, from := reflect.ValueOf(&a).Elem(), reflect.ValueOf(b)
	for i := range from.NumField() {
		switch {
		case from.Field(i).IsZero():
		case !to.Field(i).IsZero():
			return a, false
		default:
			to.Field(i).Set(from.Field(i))
		}
	}
	return a, !a.Deleted
}

// inTime are nine records, in each of which every time is another one: the
// times of number i are (i + the number of the field) mod 9 seconds past noon,
// and none for 0. They have a policy of their own.
func inTime() []dsr.Record {
	var list []dsr.Record
	for i := range 9 {
		rec := dsr.Record{ID: fmt.Sprint("t", i), Policy: "in time"}
		for k, field := range dsr.TimeFields() {
			if second := (i + k) % 9; second > 0 {
				setTime(&rec, field, noon.Add(time.Duration(second)*time.Second))
			}
		}
		list = append(list, rec)
	}
	return list
}

// timeSelections select from the records in time.
func timeSelections() []selection {
	second := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }
	ranges := []struct {
		dsr.TimeRange
		first, last int // the seconds that are within
	}{
		{dsr.TimeRange{}, 1, 8},
		{dsr.TimeRange{From: second(3)}, 3, 8},
		{dsr.TimeRange{From: second(3).Add(time.Microsecond)}, 4, 8},
		{dsr.TimeRange{Before: second(3)}, 1, 2},
		{dsr.TimeRange{Before: second(3).Add(time.Microsecond)}, 1, 3},
		{dsr.TimeRange{From: second(2), Before: second(7).In(time.FixedZone("", 3600))}, 2, 6},
		{dsr.TimeRange{From: second(2), Before: second(2)}, 1, 0},
	}
	fields := dsr.TimeFields()
	var list []selection
	for k, field := range fields {
		for j, r := range ranges {
			// Alone, and together with a range of the next field.
			other := ranges[(j+4)%len(ranges)]
			next := (k + 1) % len(fields)
			one := selection{query: dsr.RecordQuery{Policies: []string{"in time"}, Times: map[dsr.TimeField]dsr.TimeRange{field: r.TimeRange}}}
			two := selection{query: one.query}
			two.query.Times = map[dsr.TimeField]dsr.TimeRange{field: r.TimeRange, fields[next]: other.TimeRange}
			for i := range 9 {
				id, at, then := fmt.Sprint("t", i), (i+k)%9, (i+next)%9
				if at >= r.first && at <= r.last {
					one.want = append(one.want, id)
					if then >= other.first && then <= other.last {
						two.want = append(two.want, id)
					}
				}
			}
			list = append(list, one, two)
		}
	}
	return list
}

func filters(ctx context.Context, s dsr.Store) error {
	if err := forEachSelection(ctx, s, func(sel selection) error {
		ids, err := listed(ctx, s, sel.query)
		if err != nil {
			return err
		}
		if slices.Sort(ids); !slices.Equal(ids, sel.want) {
			return fmt.Errorf("requests %q are selected, want %q", ids, sel.want)
		}
		return nil
	}); err != nil {
		return err
	}
	// A listed record lacks what would make a list long, and nothing else.
	want := sample("whole")
	if err := create(ctx, s, want); err != nil {
		return err
	}
	found, err := s.Requests(ctx, dsr.RecordQuery{ExternalID: want.ExternalID})
	if err != nil || len(found) != 1 {
		return errors.Join(err, fmt.Errorf("%d requests are selected by an external ID, want 1", len(found)))
	}
	keys := want.Keys
	want.Plan, want.Outcomes, want.Manual, want.Keys = nil, nil, nil, nil
	if err := diff("a listed record", *found[0], want); err != nil {
		return err
	}
	if err := create(ctx, s, dsr.Record{ID: "keyless", ExternalID: "none"}); err != nil {
		return err
	}
	found, err = s.Requests(ctx, dsr.RecordQuery{IDContains: "le", Keys: true})
	if err != nil || len(found) != 2 {
		return errors.Join(err, fmt.Errorf("%d requests are selected by what their IDs hold, want 2", len(found)))
	}
	want.Keys = keys
	return errors.Join(diff("the keys of a listed record without any", len(found[0].Keys), 0), diff("a record listed with its keys", *found[1], want))
}

func counts(ctx context.Context, s dsr.Store) error {
	if err := forEachSelection(ctx, s, func(sel selection) error {
		sel.query.After, sel.query.Offset, sel.query.Limit = &dsr.RecordPlace{Time: noon, ID: "b"}, 1, 1
		n, err := s.CountRequests(ctx, sel.query)
		if err != nil {
			return err
		}
		if n != int64(len(sel.want)) {
			return fmt.Errorf("%d requests are counted, want %d", n, len(sel.want))
		}
		return nil
	}); err != nil {
		return err
	}
	const more = 101 // than a page holds
	for i := range more {
		if err := create(ctx, s, dsr.Record{ID: fmt.Sprintf("more%03d", i), Policy: "more"}); err != nil {
			return err
		}
	}
	n, err := s.CountRequests(ctx, dsr.RecordQuery{Policies: []string{"more"}})
	if err != nil {
		return err
	}
	if n != more {
		return fmt.Errorf("%d requests are counted without a limit, want %d", n, more)
	}
	return nil
}

// forEachSelection tries the selections on the records they are made for.
func forEachSelection(ctx context.Context, s dsr.Store, try func(selection) error) error {
	for _, part := range []struct {
		records    []dsr.Record
		selections []selection
	}{{various(), joined(selections())}, {inTime(), timeSelections()}} {
		for _, rec := range part.records {
			if err := create(ctx, s, rec); err != nil {
				return err
			}
		}
		for _, sel := range part.selections {
			if err := try(sel); err != nil {
				return fmt.Errorf("query%s: %w", described(sel.query), err)
			}
		}
	}
	return nil
}

// described shows the fields of a query that are set.
func described(q dsr.RecordQuery) string {
	text := ""
	v := reflect.ValueOf(q)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			verb := "%q"
			if kind := v.Field(i).Kind(); kind == reflect.Bool || kind == reflect.Int {
				verb = "%v"
			}
			text += fmt.Sprintf(" %s="+verb, v.Type().Field(i).Name, v.Field(i))
		}
	}
	return text
}
