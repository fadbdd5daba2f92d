package sqlconn

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func TestSplice(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		path       []any
		leaf, want string
	}{
		{"siblings keep their bytes", `{ "b" : 1.50, "a":"x" ,"c":{}}`, []any{"a"}, `"m"`, `{ "b" : 1.50, "a":"m" ,"c":{}}`},
		{"nested", `{"a":[{"k":1},{"k": 2 }]}`, []any{"a", 1, "k"}, `null`, `{"a":[{"k":1},{"k": null }]}`},
		{"added to an empty object", `{ }`, []any{"a"}, `1`, `{ "a":1}`},
		{"added last", `{"b":1}`, []any{`q"`}, `1`, `{"b":1,"q\"":1}`},
		{"a key that stands twice", `{"a":1,"a":2}`, []any{"a"}, `0`, `{"a":0,"a":0}`},
		{"an escaped key", `{"\u0061":1}`, []any{"a"}, `0`, `{"\u0061":0}`},
		{"first element", `[1,2]`, []any{0}, `"x"`, `["x",2]`},
		{"the whole", `[1]`, nil, `2`, `2`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := splice([]byte(test.text), test.path, []byte(test.leaf))
			require.NoError(t, err)
			require.Equal(t, test.want, string(got))
		})
	}
	for name, test := range map[string]struct {
		text string
		path []any
	}{
		"no parent": {`{}`, []any{"a", "b"}}, "no element": {`[1]`, []any{1}}, "a key of a list": {`[1]`, []any{"a"}},
		"an index of an object": {`{}`, []any{0}}, "a strange step": {`{}`, []any{1.5}}, "no JSON": {`x`, []any{"a"}}, "empty": {``, []any{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := splice([]byte(test.text), test.path, []byte(`1`))
			require.Error(t, err)
		})
	}
}

func TestDecimalText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"0": "0", "-0": "0", "-0.0": "0", "007": "7", "1.50": "1.5", "-1.0": "-1", ".5": "0.5", "5.": "5", "+3": "3",
		"1e3": "1000", "1.25e1": "12.5", "125E-2": "1.25", "-1e-3": "-0.001", "12345678901234567890.10": "12345678901234567890.1",
	} {
		got, ok := decimalText(in)
		require.True(t, ok, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "-", ".", "1e", "e1", "1e999999999", "0x1", "1_0", "1 ", "NaN", "Inf", "--1", "1.2.3", "1/2"} {
		got, ok := decimalText(in)
		require.False(t, ok, "%q gave %q", in, got)
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 678900000, time.UTC)
	tests := []struct {
		name          string
		column        column
		current, want any
		holds         bool
	}{
		{"letter case", column{form: formText, ignoresCase: true}, "A", "a", false},
		{"padding", column{form: formText, padded: true}, "a   ", "a", true},
		{"blanks", column{form: formText}, "a ", "a", false},
		{"null and empty", column{form: formText}, "", nil, false},
		{"both null", column{form: formText}, nil, nil, true},
		{"a number in text", column{form: formText}, "5", int64(5), true},
		{"scale", column{form: formDecimal, scale: 2}, "1.56", 1.555, true},
		{"other decimal", column{form: formDecimal, scale: 2}, "1.56", 1.55, false},
		{"rounded second", column{form: formTime, scale: 0}, at.Truncate(time.Second).Add(time.Second), at, true},
		{"cut second", column{form: formTime, scale: 0}, at.Truncate(time.Second), at, true},
		{"other second", column{form: formTime, scale: 3}, at.Truncate(time.Second), at, false},
		{"another zone", column{form: formTime, scale: 6}, at, at.In(time.FixedZone("x", 3600)), true},
		{"single float", column{form: formFloat, single: true}, 0.1, float64(float32(0.1)), true},
		{"double float", column{form: formFloat}, 0.1, float64(float32(0.1)), false},
		{"affinity", column{form: formAny, affinity: affinityNumeric}, int64(12), "12", true},
		{"no affinity", column{form: formAny}, int64(12), "12", false},
		{"false is not null", column{form: formBoolean}, false, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.holds, holds(&test.column, test.current, test.want))
		})
	}
}

type coded struct {
	error
	state string
}

func (c coded) SQLState() string { return c.state }

type numbered struct {
	error
	code int
}

func (n numbered) Code() int { return n.code }

func TestFailure(t *testing.T) {
	t.Parallel()
	secret := errors.New("Key (email)=(canary) already exists")
	tests := []struct {
		name    string
		err     error
		dialect dialect
		code    string
		retry   bool
	}{
		{"unique", coded{secret, "23505"}, postgres{}, "23505", false},
		{"serialization", coded{secret, "40001"}, postgres{}, "40001", true},
		{"deadlock", coded{secret, "40P01"}, postgres{}, "40P01", true},
		{"MySQL duplicate", errors.New("Error 1062 (23000): Duplicate entry 'canary'"), mysql{}, "1062", false},
		{"MySQL deadlock", errors.New("Error 1213 (40001): Deadlock canary"), mysql{}, "1213", true},
		{"SQLite busy", numbered{secret, 5}, sqlite{}, "5", true},
		{"SQLite busy snapshot", numbered{secret, 517}, sqlite{}, "517", true},
		{"SQLite text", errors.New("database is locked canary"), sqlite{}, "5", true},
		{"SQLite unique", numbered{secret, 2067}, sqlite{}, "2067", false},
		{"unknown", secret, mysql{}, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := failure(t.Context(), "apply", "people", test.err)
			var own *Error
			require.ErrorAs(t, err, &own)
			require.Equal(t, test.code, own.Code)
			require.NotContains(t, err.Error(), "canary")
			require.NoError(t, errors.Unwrap(err))
			require.Equal(t, test.retry, retryable(test.dialect, err))
			require.Equal(t, err, failure(t.Context(), "read", "x", err), "an error of ours passes")
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, failure(ctx, "read", "people", secret), context.Canceled)
}

func TestCompileRefusesEmptiness(t *testing.T) {
	t.Parallel()
	people := &table{label: "people", columns: []*column{{Column: dsr.Column{Name: "id"}, form: formInteger}}}
	for _, q := range []dsr.Query{{}, {Criteria: []dsr.Criterion{{}}}, {Criteria: []dsr.Criterion{{Values: [][]any{{int64(1)}}}}}} {
		for _, d := range []dialect{postgres{}, mysql{}, sqlite{}} {
			_, err := compile(d, people, &q)
			require.ErrorIs(t, err, dsr.ErrEmptyQuery)
		}
	}
}

func TestNewRefusesMistakes(t *testing.T) {
	t.Parallel()
	n := 0
	const noDatabase, noDialect = "the database is nil; open one with sql.Open", `the dialect "oracle" is unknown; the dialects are "postgresql", "mysql" and "sqlite"`
	for _, test := range []struct {
		db      *sql.DB
		dialect Dialect
		want    string
	}{
		{nil, SQLite, "sqlconn: New: " + noDatabase},
		{&sql.DB{}, "oracle", "sqlconn: New: " + noDialect},
		{nil, "oracle", "sqlconn: New: " + noDatabase + "; " + noDialect},
	} {
		c := New(test.db, test.dialect, nil)
		require.EqualError(t, c.Ping(t.Context()), test.want)
		_, err := c.Describe(t.Context(), &graph.Collection{Name: "people"})
		require.EqualError(t, err, test.want)
		for _, err := range c.Read(t.Context(), &dsr.Query{}) {
			require.EqualError(t, err, test.want)
			n++
		}
		_, err = c.DryRead(t.Context(), &dsr.Query{})
		require.EqualError(t, err, test.want)
		_, err = c.Apply(t.Context(), &dsr.Chunk{})
		require.EqualError(t, err, test.want)
		_, err = c.DryApply(t.Context(), &dsr.Chunk{})
		require.EqualError(t, err, test.want)
	}
	require.Equal(t, 3, n, "each read yields its error")
}
