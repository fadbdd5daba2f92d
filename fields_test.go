package dsr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// withFields is a submission that says more than who it is about.
func withFields(email string, fields dsr.Fields) dsr.Submission {
	s := submission("access", email)
	s.Fields, s.Source, s.Locale = fields, "Privacy Center", "de"
	s.Labels = dsr.Labels{"property_id": "FDS-1"}
	return s
}

func TestFieldsAreReadAsTheyWereGiven(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	s := withFields("ada@example.com", dsr.Fields{
		"text": {Label: "A <text>", Value: " Ä\"\n"}, "empty": {Value: ""}, "int": {Label: "Number", Value: 7},
		"least": {Value: int64(math.MinInt64)}, "float": {Value: 12.0}, "number": {Value: json.Number("9007199254740993")},
		"strings": {Value: []string{"a", "b"}}, "ints": {Value: []int{1, -2}}, "list": {Value: []any{"x", 1, json.Number("2")}}, "none": {Value: []any{}},
	})
	s.By = dsr.By{Actor: "desk-1"}
	o.submitted(t, s)
	opened, err := o.Open(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, &dsr.Opened{
		Identities: dsr.Identities{"email": {"ada@example.com"}},
		Fields: dsr.Fields{
			"text": {Label: "A <text>", Value: " Ä\"\n"}, "empty": {Value: ""}, "int": {Label: "Number", Value: int64(7)},
			"least": {Value: int64(math.MinInt64)}, "float": {Value: int64(12)}, "number": {Value: int64(9007199254740993)},
			"strings": {Value: []any{"a", "b"}}, "ints": {Value: []any{int64(1), int64(-2)}}, "list": {Value: []any{"x", int64(1), int64(2)}}, "none": {Value: []any{}},
		},
		Source: "Privacy Center", Labels: dsr.Labels{"property_id": "FDS-1"}, Locale: "de",
		Remarks: []dsr.Remark{{Time: begin, Action: "received", Actor: "desk-1"}},
	}, opened)
	o.submitted(t, submission("access", "bob@example.com"))
	opened, err = o.Open(t.Context(), "r2")
	require.NoError(t, err)
	require.Equal(t, &dsr.Opened{Identities: dsr.Identities{"email": {"bob@example.com"}}}, opened)
	_, err = o.Open(t.Context(), "r3")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

func TestFieldsAreFoundByExactValue(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	o.submitted(t, withFields("ada@example.com", dsr.Fields{"shop": {Value: "Main Street"}, "visits": {Value: 12}, "email": {Value: "bob@example.com"}}))
	o.submitted(t, withFields("bob@example.com", dsr.Fields{"shop": {Value: []string{"Harbour", "Main Street", "Harbour"}}, "visits": {Value: []any{1, "many"}}}))
	o.submitted(t, withFields("ada@example.com", dsr.Fields{"note": {Value: "Main Street"}, "shop": {Value: ""}}))
	o.submitted(t, submission("access", "cleo@example.com"))
	for _, c := range []struct {
		filter dsr.Filter
		want   string
	}{
		{dsr.Filter{Fields: dsr.FieldValues{"shop": {"Main Street"}}}, "r1 r2"},
		{dsr.Filter{Fields: dsr.FieldValues{"shop": {"Harbour"}}}, "r2"},
		{dsr.Filter{Fields: dsr.FieldValues{"shop": {"Harbour"}, "note": {"Main Street"}}}, "r2 r3"},
		{dsr.Filter{Fields: dsr.FieldValues{"shop": {"main street", "Main", " Main Street", ""}}}, ""},
		{dsr.Filter{Fields: dsr.FieldValues{"visits": {"12"}}}, "r1"},
		{dsr.Filter{Fields: dsr.FieldValues{"visits": {"1", "many"}}}, "r2"},
		{dsr.Filter{Fields: dsr.FieldValues{"Shop": {"Harbour"}}}, ""},
		{dsr.Filter{Fields: dsr.FieldValues{"email": {"bob@example.com"}}}, "r1"},
		{dsr.Filter{Fields: dsr.FieldValues{"email": {"ada@example.com"}}}, ""},
		{dsr.Filter{Identities: dsr.Identities{"email": {"bob@example.com"}}}, "r2"},
		{dsr.Filter{Identities: dsr.Identities{"shop": {"Harbour"}}}, ""},
		{dsr.Filter{Identities: dsr.Identities{"email": {"ada@example.com"}}, Fields: dsr.FieldValues{"shop": {"Main Street"}}}, "r1"},
		{dsr.Filter{Identities: dsr.Identities{"email": {"cleo@example.com"}}, Fields: dsr.FieldValues{"shop": {"Main Street"}}}, ""},
		{dsr.Filter{IDContains: "R3"}, "r3"},
		{dsr.Filter{IDContains: "r", Fields: dsr.FieldValues{"note": {"Main Street"}}}, "r3"},
		{dsr.Filter{IDContains: "%"}, ""},
	} {
		c.filter.Total = true
		page, err := o.List(t.Context(), c.filter)
		require.NoError(t, err)
		require.Equal(t, c.want, strings.Join(ids(page.Requests), " "), "%+v %q", c.filter, map[string][]string(c.filter.Fields))
		require.Equal(t, int64(len(page.Requests)), page.Total)
	}
	_, err := o.List(t.Context(), dsr.Filter{Fields: dsr.FieldValues{"shop": nil, "": {"x"}, "a\x00b": {"x"}}})
	require.EqualError(t, err, `dsr: 3 faults:
	error: filter: it names a field by a key that none can have
	error: filter: it names a field by a key that none can have
	error: filter: field shop has no value`)
	// A bulk verb takes those that the fields select, and not every request.
	result, err := o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{Fields: dsr.FieldValues{"shop": {"Harbour"}}}}, o.Approve, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r2"}, result.Succeeded)
	result, err = o.Bulk(t.Context(), dsr.Selection{Filter: &dsr.Filter{IDContains: "3", Status: []dsr.Status{dsr.StatusPending}}}, o.Approve, clerk)
	require.NoError(t, err)
	require.Equal(t, []string{"r3"}, result.Succeeded)
}

// Who shares a field with somebody is not that person: their requests do not
// wait for each other, as those of one person do.
func TestRequestsWithACommonFieldDoNotWait(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	fields := dsr.Fields{"country": {Value: "FR"}}
	s := withFields("ada@example.com", fields)
	s.Policy = "erase"
	o.submitted(t, s)
	o.submitted(t, withFields("bob@example.com", fields))
	o.submitted(t, withFields("ada@example.com", nil))
	ctx, hit := at(t.Context(), "applied 1", func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
	_, err := o.Advance(ctx, "r1")
	require.Error(t, err)
	require.True(t, *hit)
	o.advanced(t, "r2", dsr.StatusComplete)
	_, err = o.Advance(t.Context(), "r3")
	require.ErrorIs(t, err, dsr.ErrLeased)
}

func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, nil)
	submit := func(change func(*dsr.Submission)) error {
		s := submission("access", "ada@example.com")
		change(&s)
		_, err := o.Submit(t.Context(), s)
		return err
	}
	many := func(n int) dsr.Fields {
		fs := dsr.Fields{}
		for i := range n {
			fs[fmt.Sprintf("%03d", i)] = dsr.Field{Value: i}
		}
		return fs
	}
	strs := func(n, size int) []string { return slices.Repeat([]string{strings.Repeat("s", size)}, n) }
	for _, fields := range []dsr.Fields{
		many(100), {"k": {Value: strs(1000, 1)}}, {"kk": {Value: strings.Repeat("v", 65_534)}},
		{strings.Repeat("k", 100): {Label: strings.Repeat("l", 1000)}},
	} {
		err := submit(func(s *dsr.Submission) {
			for key, f := range fields {
				if f.Value == nil {
					f.Value = ""
					fields[key] = f
				}
			}
			s.Fields = fields
		})
		require.NoError(t, err)
	}
	const badValue = "its value is neither a text, a whole number of 64 bits, nor a list of those"
	for _, c := range []struct {
		fields dsr.Fields
		want   string
	}{
		{many(101), "error: submission: it has more than 100 fields"},
		{dsr.Fields{"k": {Value: strs(1001, 1)}}, "error: submission: its fields have more than 1000 values, or more than 65536 bytes together"},
		{dsr.Fields{"kk": {Value: strings.Repeat("v", 65_535)}}, "error: submission: its fields have more than 1000 values, or more than 65536 bytes together"},
		{dsr.Fields{"k": {Value: 1.5}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: nil}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: true}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: math.Inf(1)}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: math.NaN()}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: json.Number("9223372036854775808")}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: []any{[]any{"CANARY"}}}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: map[string]any{"CANARY": 1}}}, "error: field k: " + badValue},
		{dsr.Fields{"k": {Value: "CANARY\xff"}}, "error: field k: a value of it is not valid UTF-8 text"},
		{dsr.Fields{"k": {Value: "", Label: strings.Repeat("l", 1001)}}, "error: field k: its label has more than 1000 bytes, or is not valid UTF-8 text"},
		{dsr.Fields{"CANARY\n": {Value: 1}}, "error: submission: the key of a field is empty, has more than 100 bytes, or holds what cannot be printed"},
		{dsr.Fields{"": {Value: 1}}, "error: submission: the key of a field is empty, has more than 100 bytes, or holds what cannot be printed"},
		{dsr.Fields{strings.Repeat("k", 101): {Value: 1}}, "error: submission: the key of a field is empty, has more than 100 bytes, or holds what cannot be printed"},
	} {
		require.EqualError(t, submit(func(s *dsr.Submission) { s.Fields = c.fields }), "dsr: "+c.want)
	}
	err := submit(func(s *dsr.Submission) {
		s.Fields = dsr.Fields{"a": {Value: 1.5}, "b": {Value: true}}
		s.Source = strings.Repeat("s", 101)
		s.Labels = dsr.Labels{"": "x", "l": strings.Repeat("v", 1001), "m": "\xff"}
	})
	require.EqualError(t, err, `dsr: 6 faults:
	error: field a: `+badValue+`
	error: field b: `+badValue+`
	error: submission: its source has more than 100 bytes, or is not valid UTF-8 text
	error: submission: the key of a label is empty, has more than 100 bytes, or holds what cannot be printed
	error: label l: it has more than 1000 bytes, or is not valid UTF-8 text
	error: label m: it has more than 1000 bytes, or is not valid UTF-8 text`)
	err = submit(func(s *dsr.Submission) {
		s.Labels = dsr.Labels{}
		for i := range 21 {
			s.Labels[fmt.Sprint(i)] = ""
		}
	})
	require.EqualError(t, err, "dsr: error: submission: it has more than 20 labels")
}

func TestFieldsAreReadFromJSON(t *testing.T) {
	t.Parallel()
	var fields dsr.Fields
	require.NoError(t, json.Unmarshal([]byte(`{"a": {"label": "A", "value": 9007199254740993}, "b": {"value": ["x", 1]}}`), &fields))
	require.Equal(t, dsr.Fields{"a": {Label: "A", Value: int64(9007199254740993)}, "b": {Value: []any{"x", int64(1)}}}, fields)
	for text, want := range map[string]string{
		`{"a": {"value": "CANARY", "label": 1}}`: "dsr: a field is not an object with a label and a value",
		`{"a": {"value": {"CANARY": 1}}}`:        "dsr: a field: its value is neither a text, a whole number of 64 bits, nor a list of those",
		`{"a": {"label": "CANARY"}}`:             "dsr: a field: its value is neither a text, a whole number of 64 bits, nor a list of those",
	} {
		require.EqualError(t, json.Unmarshal([]byte(text), &fields), want)
	}
}

// What is sealed goes together, and cannot be found after that.
func TestFieldsAreForgottenWithTheIdentities(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Retention = dsr.Retention{Identities: time.Hour}
	})
	o.submitted(t, withFields("ada@example.com", dsr.Fields{"shop": {Value: "Harbour"}}))
	o.submitted(t, submission("access", "bob@example.com"))
	o.done(t, o.Deny, "r1", dsr.StatusDenied)
	filter := dsr.Filter{Fields: dsr.FieldValues{"shop": {"Harbour"}}, Open: true}
	page, err := o.List(t.Context(), filter)
	require.NoError(t, err)
	require.Equal(t, dsr.Fields{"shop": {Value: "Harbour"}}, page.Requests[0].Opened.Fields)
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusDenied)
	_, err = o.Open(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrShredded)
	page, err = o.List(t.Context(), filter)
	require.NoError(t, err)
	require.Empty(t, page.Requests)
	// The rest of a page is opened all the same.
	page, err = o.List(t.Context(), dsr.Filter{Open: true})
	require.NoError(t, err)
	require.ErrorIs(t, page.Requests[0].Opened.Err, dsr.ErrShredded)
	require.Equal(t, &dsr.Opened{Identities: dsr.Identities{"email": {"bob@example.com"}}}, page.Requests[1].Opened)
}

// What a hook adds is sealed beside the fields, which stay.
func TestFieldsStayWhenAHookAddsIdentities(t *testing.T) {
	t.Parallel()
	o, hooks := hooking(t, dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}}, nil)
	hooks.answer("crm", dsr.HookAnswer{Identities: dsr.Identities{"loyalty_no": {"L-4711"}}})
	o.submitted(t, withFields("ada@example.com", dsr.Fields{"shop": {Label: "Shop", Value: "Harbour"}}))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{"r1"}, found(t, o, "loyalty_no", "L-4711"))
	page, err := o.List(t.Context(), dsr.Filter{Fields: dsr.FieldValues{"shop": {"Harbour"}}, Open: true})
	require.NoError(t, err)
	require.Len(t, page.Requests, 1)
	opened := page.Requests[0].Opened
	require.Equal(t, dsr.Identities{"email": {"ada@example.com"}, "loyalty_no": {"L-4711"}}, opened.Identities)
	require.Equal(t, dsr.Fields{"shop": {Label: "Shop", Value: "Harbour"}}, opened.Fields)
	require.Equal(t, "Privacy Center de FDS-1", opened.Source+" "+opened.Locale+" "+opened.Labels["property_id"])
}

// thrifty counts what a page costs.
type thrifty struct {
	dsr.Store
	dsr.Keyring
	lists, reads, unwraps atomic.Int64
}

func (c *thrifty) Request(ctx context.Context, id string) (*dsr.Record, error) {
	c.reads.Add(1)
	return c.Store.Request(ctx, id)
}

func (c *thrifty) Requests(ctx context.Context, q dsr.RecordQuery) ([]*dsr.Record, error) {
	c.lists.Add(1)
	return c.Store.Requests(ctx, q)
}

func (c *thrifty) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	c.unwraps.Add(1)
	return c.Keyring.Unwrap(ctx, wrapped, bound)
}

func TestAPageIsOpenedWithoutReadingEachRequest(t *testing.T) {
	t.Parallel()
	counts := &thrifty{}
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		counts.Store, counts.Keyring = c.Store, c.Keyring
		c.Store, c.Keyring = struct{ dsr.Store }{counts}, struct{ dsr.Keyring }{counts}
	})
	const n = 30
	for i := range n {
		s := withFields(fmt.Sprintf("ada%d@example.com", i), dsr.Fields{"n": {Value: i}})
		s.By = dsr.By{Actor: fmt.Sprint("desk-", i)}
		o.submitted(t, s)
	}
	reset := func() {
		counts.lists.Store(0)
		counts.reads.Store(0)
		counts.unwraps.Store(0)
	}
	cost := func() []int64 { return []int64{counts.lists.Load(), counts.reads.Load(), counts.unwraps.Load()} }
	reset()
	page, err := o.List(t.Context(), dsr.Filter{Size: 100})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 0, 0}, cost())
	require.Nil(t, page.Requests[0].Opened)
	reset()
	page, err = o.List(t.Context(), dsr.Filter{Size: 100, Open: true})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 0, n}, cost())
	check := func(i int, req *dsr.Request) {
		require.NoError(t, req.Opened.Err)
		require.Equal(t, []string{fmt.Sprintf("ada%d@example.com", i)}, req.Opened.Identities["email"])
		require.Equal(t, int64(i), req.Opened.Fields["n"].Value)
		require.Equal(t, fmt.Sprint("desk-", i), req.Opened.Last("received").Actor)
	}
	for _, req := range page.Requests {
		var i int
		_, err := fmt.Sscanf(req.ID, "r%d", &i)
		require.NoError(t, err)
		check(i-1, req)
	}
	require.Len(t, page.Requests, n)
	reset()
	found := 0
	for req, err := range o.All(t.Context(), dsr.Filter{Size: 7, Open: true}) {
		require.NoError(t, err)
		require.NoError(t, req.Opened.Err)
		found++
	}
	require.Equal(t, n, found)
	require.Equal(t, []int64{5, 0, n}, cost())
	reset()
	_, err = o.Open(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 1}, cost())
	// One that cannot be opened is told, and holds up no other; a caller who
	// goes gets no page that is half open.
	ctx, cancel := context.WithCancelCause(t.Context())
	counts.Keyring = canceling{counts.Keyring, cancel}
	_, err = o.List(ctx, dsr.Filter{Open: true})
	require.EqualError(t, err, "the caller went")
	counts.Keyring = canceling{}
	page, err = o.List(t.Context(), dsr.Filter{Size: 2, Open: true})
	require.NoError(t, err)
	for _, req := range page.Requests {
		var panicked *graph.PanicError
		require.ErrorAs(t, req.Opened.Err, &panicked)
		require.Empty(t, req.Opened.Identities)
	}
}

// canceling is a keyring whose caller goes while it unwraps.
type canceling struct {
	dsr.Keyring
	cancel context.CancelCauseFunc
}

func (c canceling) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	c.cancel(errors.New("the caller went"))
	return c.Keyring.Unwrap(ctx, wrapped, bound)
}

func TestWhoDidWhat(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true, CoolingOff: time.Hour, Finalization: true}, nil)
	s := submission("erase", "ada@example.com")
	s.By = dsr.By{Actor: "desk-1"}
	o.submitted(t, s)
	opened := func() *dsr.Opened {
		all, err := o.Open(t.Context(), "r1")
		require.NoError(t, err)
		return all
	}
	require.Equal(t, dsr.Remark{Time: begin, Action: "received", Actor: "desk-1"}, opened().Last("received"))
	require.Zero(t, opened().Last("approved", "denied"))
	for i, verb := range []dsr.Verb{o.Deny, o.Resubmit, o.Approve, o.Pause} {
		o.clock.add(time.Minute)
		_, err := verb(t.Context(), "r1", dsr.By{Actor: fmt.Sprint("desk-", i+2), Reason: "because"})
		require.NoError(t, err)
	}
	review := opened().Last("approved", "denied")
	require.Equal(t, dsr.Remark{Time: begin.Add(3 * time.Minute), Action: "approved", Actor: "desk-4", Reason: "because"}, review)
	require.Equal(t, review.Time, o.get(t, "r1").ReviewedAt)
	require.Equal(t, begin.Add(4*time.Minute), o.get(t, "r1").PausedAt)
	o.clock.add(time.Hour)
	require.Equal(t, begin.Add(4*time.Minute), o.get(t, "r1").PausedAt)
	_, err := o.Resume(t.Context(), "r1", clerk)
	require.NoError(t, err)
	require.Zero(t, o.get(t, "r1").PausedAt)
	o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	_, err = o.Finalize(t.Context(), "r1", dsr.By{Actor: "desk-8"})
	require.NoError(t, err)
	_, err = o.Delete(t.Context(), "r1", dsr.By{Actor: "desk-9"})
	require.NoError(t, err)
	require.Equal(t, "desk-8", opened().Last("finalized").Actor)
	require.Equal(t, "desk-9", opened().Last("deleted").Actor)
}

// Whatever stands in a form is a field that is kept as it was read, or refused
// without a word of it.
func FuzzFieldJSON(f *testing.F) {
	for _, text := range []string{
		`{"label": "A", "value": "x"}`, `{"value": -1}`, `{"value": ["x", 1e2, 9223372036854775807]}`, `{"value": 1.5}`, `{"value": {}}`, `[]`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var field dsr.Field
		if err := field.UnmarshalJSON(data); err != nil {
			require.Zero(t, field)
			require.Contains(t, []string{
				"dsr: a field is not an object with a label and a value",
				"dsr: a field: its value is neither a text, a whole number of 64 bits, nor a list of those",
			}, err.Error())
			return
		}
		again, err := json.Marshal(map[string]any{"label": field.Label, "value": field.Value})
		require.NoError(t, err)
		var read dsr.Field
		require.NoError(t, json.Unmarshal(again, &read))
		require.True(t, field.Label == read.Label && reflect.DeepEqual(field.Value, read.Value))
	})
}
