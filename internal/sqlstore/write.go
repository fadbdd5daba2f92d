package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/Masterminds/squirrel"
)

// batch bounds the rows of one statement: databases bound its arguments.
const batch = 500

// Write writes a change, except for the keys. It must be called in a
// transaction, before anything else is written for the request: the row of the
// request is its lock. Nothing hangs on a request that was not there before, so
// that nothing is asked about it.
func (d *Dialect) Write(ctx context.Context, c Conn, ch *Change) error {
	id := *ch.Record.ID
	if ch.Remove {
		if err := d.remove(ctx, c, ch); err != nil {
			return err
		}
		return d.writeAudit(ctx, c, id, ch.Audit)
	}
	if err := d.writeRecord(ctx, c, ch); err != nil {
		return err
	}
	if err := d.writeLookup(ctx, c, ch); err != nil {
		return err
	}
	if err := d.writeJournal(ctx, c, id, ch); err != nil {
		return err
	}
	if ch.DropEvents && ch.Expect > 0 {
		if _, err := exec(ctx, c, d.build().Delete(d.Prefix+"events").Where(of(id))); err != nil {
			return err
		}
	}
	if err := d.writeEvents(ctx, c, ch); err != nil {
		return err
	}
	if err := d.SaveMessages(ctx, c, ch.Messages); err != nil {
		return err
	}
	return d.writeAudit(ctx, c, id, ch.Audit)
}

// current is the condition that the stored record is the one the change was
// made from, and that its lease was not taken over since.
func current(ch *Change) squirrel.Sqlizer {
	return squirrel.Expr("id = ? AND version = ? AND epoch <= ?", *ch.Record.ID, ch.Expect, *ch.Record.Epoch)
}

// remove deletes the request; what hangs on it goes with it, as the tables say.
func (d *Dialect) remove(ctx context.Context, c Conn, ch *Change) error {
	removed, err := exec(ctx, c, d.build().Delete(d.Prefix+"requests").Where(current(ch)))
	if err != nil || removed == 1 {
		return err
	}
	err = query(ctx, c, func(func(dest ...any) error) error { return d.stale(ch) },
		d.build().Select("version").From(d.Prefix+"requests").Where(squirrel.Eq{"id": *ch.Record.ID}))
	return err
}

func (d *Dialect) stale(ch *Change) error {
	return fmt.Errorf("it is not at version %d, or its lease was taken over: %w", ch.Expect, d.Conflict)
}

// writeRecord compares the version and swaps the record in one statement.
func (d *Dialect) writeRecord(ctx context.Context, c Conn, ch *Change) error {
	values, err := d.values(&ch.Record)
	if err != nil {
		return err
	}
	all := slices.Concat(columns, derived)
	var statement squirrel.Sqlizer
	if ch.Expect == 0 {
		statement = d.build().Insert(d.Prefix + "requests").Columns(all...).Values(values...).Suffix("ON CONFLICT DO NOTHING")
	} else {
		stored, err := d.stored(ctx, c, *ch.Record.ID, all)
		if err != nil {
			return err
		}
		update := d.build().Update(d.Prefix + "requests")
		for i, column := range all {
			if column == "id" || column != "version" && i < len(stored) && reflect.DeepEqual(stored[i], plain(values[i])) {
				continue
			}
			update = update.Set(column, values[i])
		}
		statement = update.Where(current(ch))
	}
	written, err := exec(ctx, c, statement)
	if err != nil {
		return err
	}
	if written != 1 {
		return d.stale(ch)
	}
	_, err = exec(ctx, c, d.build().Insert(d.Prefix+"documents AS d").Columns("request_id", "kind", "body").
		Values(*ch.Record.ID, "plan", *ch.Record.Plan).Values(*ch.Record.ID, "outcomes", *ch.Record.Outcomes).
		Values(*ch.Record.ID, "manual", *ch.Record.Manual).
		Suffix("ON CONFLICT (request_id, kind) DO UPDATE SET body = excluded.body WHERE d.body IS DISTINCT FROM excluded.body"))
	return err
}

// stored returns the columns of a request as they are, so that those that stay
// need not be written, where that saves the indexes on them.
func (d *Dialect) stored(ctx context.Context, c Conn, id string, columns []string) ([]any, error) {
	if !d.Guide {
		return nil, nil
	}
	values, dest := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		dest[i] = &values[i]
	}
	err := query(ctx, c, func(scan func(dest ...any) error) error { return scan(dest...) },
		d.build().Select(columns...).From(d.Prefix+"requests").Where(squirrel.Eq{"id": id}))
	return values, err
}

// plain is an argument as it is read again.
func plain(arg any) any {
	switch v := arg.(type) {
	case int:
		return int64(v)
	case []byte:
		if v == nil {
			return nil
		}
	}
	return arg
}

// writeLookup leaves the rows alone that are right already, as they are in
// nearly all commits.
func (d *Dialect) writeLookup(ctx context.Context, c Conn, ch *Change) error {
	id, hashes := *ch.Record.ID, *ch.Record.Lookup
	if ch.Expect > 0 {
		old, err := d.lookups(ctx, c, []string{id})
		if err != nil || slices.EqualFunc(old[id], hashes, bytes.Equal) {
			return err
		}
		if _, err := exec(ctx, c, d.build().Delete(d.Prefix+"lookups").Where(of(id))); err != nil {
			return err
		}
	}
	position := 0
	for part := range slices.Chunk(hashes, batch) {
		insert := d.build().Insert(d.Prefix+"lookups").Columns("request_id", "position", "hash")
		for _, hash := range part {
			insert = insert.Values(id, position, notNull(hash))
			position++
		}
		if _, err := exec(ctx, c, insert); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dialect) writeJournal(ctx context.Context, c Conn, id string, ch *Change) error {
	if ch.Drop && ch.Expect > 0 {
		for _, table := range []string{"ticks", "journal"} {
			if _, err := exec(ctx, c, d.build().Delete(d.Prefix+table).Where(of(id))); err != nil {
				return err
			}
		}
	}
	var marks []Tick
	if len(ch.Append) > 0 {
		last, err := d.last(ctx, c, "journal", ch)
		if err != nil {
			return err
		}
		for i, chunk := range ch.Append {
			seq := int(last) + i + 1
			// One by one, because chunks are large.
			if _, err := exec(ctx, c, d.build().Insert(d.Prefix+"journal").Columns("request_id", "seq", "step", "rows", "sealed").
				Values(id, seq, *chunk.Step, *chunk.Rows, *chunk.Sealed)); err != nil {
				return err
			}
			if *chunk.Applied {
				marks = append(marks, Tick{Seq: seq, Counts: *chunk.Counts})
			}
		}
	}
	for _, tick := range append(marks, ch.Ticks...) {
		if err := d.mark(ctx, c, id, tick); err != nil {
			return err
		}
	}
	return nil
}

// mark stores a tick if its chunk is there.
func (d *Dialect) mark(ctx context.Context, c Conn, id string, tick Tick) error {
	chunk := squirrel.Select("request_id", "seq").
		Column("CAST(? AS bigint)", tick.Counts.Masked).Column("CAST(? AS bigint)", tick.Counts.Gone).Column("CAST(? AS bigint)", tick.Counts.Changed).
		From(d.Prefix+"journal").Where("request_id = ? AND seq = ?", id, tick.Seq)
	marked, err := exec(ctx, c, d.build().Insert(d.Prefix+"ticks").Columns("request_id", "seq", "masked", "gone", "changed").Select(chunk).
		Suffix("ON CONFLICT (request_id, seq) DO UPDATE SET masked = excluded.masked, gone = excluded.gone, changed = excluded.changed"))
	if err != nil {
		return err
	}
	if marked != 1 {
		return fmt.Errorf("there is no journal chunk %d to mark: %w", tick.Seq, d.NotFound)
	}
	return nil
}

func (d *Dialect) writeEvents(ctx context.Context, c Conn, ch *Change) error {
	if len(ch.Events) == 0 {
		return nil
	}
	id := *ch.Record.ID
	seq, err := d.last(ctx, c, "events", ch)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ch.Events, batch) {
		insert := d.build().Insert(d.Prefix+"events").
			Columns("request_id", "seq", "time", "kind", "collection", "connection", "action", "status", "rows", "message", "fields")
		for _, e := range part {
			at, err := d.EncodeTime(*e.Time)
			if err != nil {
				return err
			}
			fields, err := text{e.Fields}.encode()
			if err != nil {
				return err
			}
			seq++
			insert = insert.Values(id, seq, at, *e.Kind, *e.Collection, *e.Connection, *e.Action, *e.Status, *e.Rows, *e.Message, fields)
		}
		if _, err := exec(ctx, c, insert); err != nil {
			return err
		}
	}
	return nil
}

// last is the highest number that a table holds for a request, or 0.
func (d *Dialect) last(ctx context.Context, c Conn, table string, ch *Change) (last int64, err error) {
	if ch.Expect == 0 {
		return 0, nil
	}
	err = query(ctx, c, func(scan func(dest ...any) error) error { return scan(&last) },
		d.build().Select("COALESCE(max(seq), 0)").From(d.Prefix+table).Where(of(*ch.Record.ID)))
	return last, err
}

// notNull makes an empty value of none, which drivers bind as NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
