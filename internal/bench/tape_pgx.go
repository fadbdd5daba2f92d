package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// tracer writes down what connections of pgx are asked under a context of
// Record.
type tracer struct{}

// TraceQueryStart implements [pgx.QueryTracer].
func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	taped(ctx).add(call{kind: kindOf(data.SQL), text: data.SQL, args: data.Args})
	return ctx
}

// TraceQueryEnd implements [pgx.QueryTracer].
func (tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	taped(ctx).ended(data.CommandTag.RowsAffected())
}

func kindOf(text string) kind {
	for _, k := range []kind{begin, commit, rollback} {
		if strings.HasPrefix(strings.ToLower(text), string(k)) {
			return k
		}
	}
	return exec
}

// playPgx plays a tape on a pool of pgx. A connection is held from the
// beginning of a transaction to its end.
func (t *Tape) playPgx(ctx context.Context, pool *pgxpool.Pool, swap Swap) error {
	var conn *pgxpool.Conn
	defer func() {
		if conn != nil {
			_ = conn.Hijack().Close(context.WithoutCancel(ctx)) // in the middle of a transaction
		}
	}()
	for i := range t.calls {
		c := &t.calls[i]
		var err error
		if c.kind == begin {
			if conn, err = pool.Acquire(ctx); err != nil {
				return err
			}
		}
		tag, err := conn.Exec(ctx, c.text, t.arguments(c, swap)...) // also reads rows, and drops them
		if err == nil {
			err = c.check(tag.RowsAffected())
		}
		if err != nil {
			return fmt.Errorf("call %d, %.60s: %w", i, c.text, err)
		}
		if c.kind == commit || c.kind == rollback {
			conn.Release()
			conn = nil
		}
	}
	return nil
}
