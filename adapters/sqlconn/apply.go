package sqlconn

import (
	"context"
	"errors"
	"time"

	"github.com/godsr/dsr"
)

// firstPause is what Apply waits before it tries a transaction again; each
// further pause is twice as long.
const firstPause = 10 * time.Millisecond

// Apply writes a chunk in one transaction: one statement that locks and reads
// the rows, then one for all rows of which the same columns are written. Where
// the key of the chunk is no key of the table, every row that shares it and
// holds the old values is written, and the result is the best of them.
//
// A row whose document lacks the object around a missing key counts as
// changed: no parents are made up. Keys inside documents cannot address rows.
func (c *Connector) Apply(ctx context.Context, ch *dsr.Chunk) ([]dsr.RowResult, error) {
	w, err := c.prepare(ctx, ch)
	if err != nil {
		return nil, err
	}
	if len(w.rows) == 0 {
		return w.gone(), nil
	}
	pause := firstPause
	for attempt := 1; ; attempt++ {
		results, err := c.apply(ctx, w)
		if err == nil {
			return results, nil
		}
		if attempt >= c.attempts || !retryable(c.dialect, err) {
			return nil, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, failure(ctx, "apply", w.table.label, ctx.Err())
		case <-timer.C:
		}
		pause *= 2
	}
}

// DryApply returns the statements that Apply would send if every row held its
// old values, each on one line and without values. It only asks the catalogue.
func (c *Connector) DryApply(ctx context.Context, ch *dsr.Chunk) ([]string, error) {
	w, err := c.prepare(ctx, ch)
	if err != nil || len(w.rows) == 0 {
		return nil, err
	}
	parts := []fragment{w.lock()}
	shapes := newShapes()
	for i := range w.rows {
		m, err := w.assume(&w.rows[i])
		if err != nil {
			return nil, w.refuse(err)
		}
		shapes.add(m)
	}
	for _, s := range shapes.inOrder() {
		parts = append(parts, w.write(s))
	}
	statements := make([]string, len(parts))
	for i, part := range parts {
		if statements[i], err = c.dialect.finish(part.sql); err != nil {
			return nil, w.refuse(err)
		}
	}
	return statements, nil
}

// apply runs the transaction once.
func (c *Connector) apply(ctx context.Context, w *work) (_ []dsr.RowResult, err error) {
	defer func() {
		var unfit *unfitError
		switch {
		case errors.As(err, &unfit):
			err = w.refuse(unfit)
		case err != nil:
			err = failure(ctx, "apply", w.table.label, err)
		}
	}()
	tx, err := c.dialect.begin(ctx, c.db)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback(ctx)
	results, shapes, err := w.classify(ctx, tx)
	if err != nil {
		return nil, err
	}
	for _, s := range shapes.inOrder() {
		f := w.write(s)
		statement, err := c.dialect.finish(f.sql)
		if err != nil {
			return nil, err
		}
		result, err := tx.ExecContext(ctx, statement, f.args...)
		if err != nil {
			return nil, err
		}
		if n, err := result.RowsAffected(); err == nil && !w.keyless && c.dialect.counts(w.remove) && n < int64(len(s.rows)) {
			return nil, &Error{Operation: "apply", Table: w.table.label,
				reason: "the database wrote fewer rows than were locked: a trigger or a row policy holds rows back"}
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}
	return results, nil
}
