package bench

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Tape is what one piece of work asked of a store's database: its statements
// with their arguments, in order. Played on a database of the same schema with
// nothing but the driver, it is the yardstick of that work.
//
// The work must ask one after the other.
type Tape struct {
	mu    sync.Mutex
	begun time.Time
	still bool // is played with the times that it was recorded with
	calls []call
}

// call is one call of a driver.
type call struct {
	pool int // which of the store's pools it was made on
	kind kind
	text string
	args []any
	rows int64 // that were changed, or read
}

type kind string

const (
	begin    kind = "begin"
	exec     kind = "exec"
	query    kind = "query"
	commit   kind = "commit"
	rollback kind = "rollback"
)

type tapeKey struct{}

// Record returns a context under which a taped pool writes down what it is
// asked.
func Record(ctx context.Context, t *Tape) context.Context {
	t.begun = time.Now()
	return context.WithValue(ctx, tapeKey{}, t)
}

// taped returns the tape of a context; nil if nothing is to be written down.
func taped(ctx context.Context) *Tape {
	t, _ := ctx.Value(tapeKey{}).(*Tape)
	return t
}

func (t *Tape) add(c call) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c.args = slices.Clone(c.args)
	for i, arg := range c.args {
		if b, ok := arg.([]byte); ok {
			c.args[i] = bytes.Clone(b)
		}
	}
	t.calls = append(t.calls, c)
}

// ended tells how many rows the last call came to.
func (t *Tape) ended(rows int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[len(t.calls)-1].rows += rows
}

// Counts say how much a piece of work asked.
type Counts struct {
	Commits, Reads int // transactions
	Statements     int // within them and outside
}

// Counts counts what is on the tape.
func (t *Tape) Counts() (n Counts) {
	for i := range t.calls {
		switch t.calls[i].kind {
		case begin:
		case commit:
			n.Commits++
		case rollback:
			n.Reads++
		default:
			n.Statements++
		}
	}
	return n
}

// Swap tells what to put in the place of texts and bytes on a tape, so that it
// is about another request.
type Swap map[string]string

// arguments are those of a call, about another request and as much later as it
// is played later, so that indexes on times grow as they did.
func (t *Tape) arguments(c *call, swap Swap) []any {
	later := time.Since(t.begun)
	if t.still {
		later = 0
	}
	args := slices.Clone(c.args)
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			if to, ok := swap[v]; ok {
				args[i] = to
			}
		case []byte:
			if to, ok := swap[string(v)]; ok {
				args[i] = []byte(to)
			}
		case int64:
			if v > 1e18 { // nanoseconds since 2001
				args[i] = v + int64(later)
			}
		case pgtype.Timestamptz:
			if v.InfinityModifier == pgtype.Finite {
				v.Time = v.Time.Add(later)
				args[i] = v
			}
		}
	}
	return args
}
