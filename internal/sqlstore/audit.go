package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/squirrel"
)

// writeAudit lengthens a request's chain. The row of its head is the lock: the
// first entry must follow what that says.
func (d *Dialect) writeAudit(ctx context.Context, c Conn, id string, entries []AuditEntry) error {
	if len(entries) == 0 {
		return nil
	}
	first, last := entries[0], entries[len(entries)-1]
	var head squirrel.Sqlizer = d.build().Update(d.Prefix+"heads").Set("seq", last.Seq).Set("hash", last.Hash).
		Where("request_id = ? AND seq = ?", id, first.Seq-1)
	if first.Seq == 1 {
		head = d.build().Insert(d.Prefix+"heads").Columns("request_id", "seq", "hash", "signed").
			Values(id, last.Seq, last.Hash, 0).Suffix("ON CONFLICT DO NOTHING")
	}
	moved, err := exec(ctx, c, head)
	if err != nil {
		return err
	}
	if moved != 1 {
		return fmt.Errorf("audit entry %d does not follow the last one: %w", first.Seq, d.Conflict)
	}
	for part := range slices.Chunk(entries, batch) {
		insert := d.build().Insert(d.Prefix+"audit").
			Columns("request_id", "seq", "time", "action", "actor", "details", "prev", "hash", "mac")
		for _, e := range part {
			at, err := d.EncodeTime(e.Time)
			if err != nil {
				return err
			}
			details, err := text{e.Details}.encode()
			if err != nil {
				return err
			}
			insert = insert.Values(id, e.Seq, at, e.Action, e.Actor, details, e.Prev, e.Hash, e.MAC)
		}
		if _, err := exec(ctx, c, insert); err != nil {
			return err
		}
	}
	return nil
}

// AuditEntries lists the trail by request ID, then in order; all for a limit of
// 0 or less.
func (d *Dialect) AuditEntries(ctx context.Context, c Conn, id string, after AuditPlace, limit int) ([]AuditEntry, error) {
	q := d.build().Select("request_id", "seq", "time", "action", "actor", "details", "prev", "hash", "mac").
		From(d.Prefix+"audit").OrderBy("request_id", "seq")
	switch strings.Compare(id, after.RequestID) {
	case -1:
		if id != "" {
			return nil, nil
		}
		q = q.Where("(request_id, seq) > (?, ?)", after.RequestID, after.Seq)
	case 0:
		// Both may be empty: then everything comes after.
		if id != "" {
			q = q.Where("request_id = ? AND seq > ?", id, after.Seq)
		}
	default:
		q = q.Where(of(id))
	}
	var list []AuditEntry
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		list = append(list, AuditEntry{})
		e := &list[len(list)-1]
		return scan(&e.RequestID, &e.Seq, d.ScanTime(&e.Time), &e.Action, &e.Actor, text{&e.Details}, &e.Prev, &e.Hash, &e.MAC)
	}, upTo(q, limit))
	return list, err
}

// UnsignedHeads lists the ends of chains that no checkpoint has signed yet; all
// for a limit of 0 or less.
func (d *Dialect) UnsignedHeads(ctx context.Context, c Conn, limit int) ([]AuditHead, error) {
	var list []AuditHead
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		var head AuditHead
		err := scan(&head.RequestID, &head.Seq, &head.Hash)
		list = append(list, head)
		return err
	}, upTo(d.build().Select("request_id", "seq", "hash").From(d.Prefix+"heads").Where("signed < seq").OrderBy("request_id"), limit))
	return list, err
}

// storedHead is a head as a checkpoint keeps it: bytes, because an ID need not
// be a text of JSON.
type storedHead struct {
	ID   []byte `json:"id"`
	Seq  int64  `json:"seq"`
	Hash []byte `json:"hash"`
}

// SaveCheckpoint adds a checkpoint whose number follows that of the last one.
// It must be called in a transaction.
func (d *Dialect) SaveCheckpoint(ctx context.Context, c Conn, cp *Checkpoint) error {
	at, err := d.EncodeTime(cp.Time)
	if err != nil {
		return err
	}
	heads := make([]storedHead, len(cp.Heads))
	for i, head := range cp.Heads {
		heads[i] = storedHead{[]byte(head.RequestID), head.Seq, head.Hash}
	}
	stored, err := json.Marshal(heads)
	if err != nil {
		return err
	}
	last, err := d.lastCheckpoint(ctx, c)
	if err != nil {
		return err
	}
	saved := int64(0)
	if cp.Seq == last+1 {
		// Of those that come at once, one is stored.
		saved, err = exec(ctx, c, d.build().Insert(d.Prefix+"checkpoints").Columns("seq", "time", "prev", "heads", "hash", "signature").
			Values(cp.Seq, at, cp.Prev, stored, cp.Hash, cp.Signature).Suffix("ON CONFLICT DO NOTHING"))
		if err != nil {
			return err
		}
	}
	if saved != 1 {
		return fmt.Errorf("it does not follow the last one: %w", d.Conflict)
	}
	for part := range slices.Chunk(cp.Heads, batch) {
		var rows []string
		var args []any
		for _, head := range part {
			rows = append(rows, "(CAST(? AS text), CAST(? AS bigint))")
			args = append(args, head.RequestID, head.Seq)
		}
		// Never backwards, and not beyond what is stored.
		sign := d.build().Update(d.Prefix+"heads AS h").Set("signed", squirrel.Expr("v.column2")).
			Suffix("FROM (VALUES "+strings.Join(rows, ", ")+") AS v WHERE h.request_id = v.column1 AND h.signed < v.column2 AND v.column2 <= h.seq", args...)
		if _, err := exec(ctx, c, sign); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dialect) lastCheckpoint(ctx context.Context, c Conn) (last int64, err error) {
	err = query(ctx, c, func(scan func(dest ...any) error) error { return scan(&last) },
		d.build().Select("COALESCE(max(seq), 0)").From(d.Prefix+"checkpoints"))
	return last, err
}

// Checkpoints lists the checkpoints above after: all for a limit of 0, the last
// one for a limit below.
func (d *Dialect) Checkpoints(ctx context.Context, c Conn, after int64, limit int) ([]Checkpoint, error) {
	q := d.build().Select("seq", "time", "prev", "heads", "hash", "signature").From(d.Prefix+"checkpoints").Where("seq > ?", after)
	if limit < 0 {
		q, limit = q.OrderBy("seq DESC"), 1
	} else {
		q = q.OrderBy("seq")
	}
	var list []Checkpoint
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		var cp Checkpoint
		var stored []byte
		if err := scan(&cp.Seq, d.ScanTime(&cp.Time), &cp.Prev, &stored, &cp.Hash, &cp.Signature); err != nil {
			return err
		}
		var heads []storedHead
		if json.Unmarshal(stored, &heads) != nil {
			return errors.New("the heads of a checkpoint are not as this program wrote them; restore a backup")
		}
		for _, head := range heads {
			cp.Heads = append(cp.Heads, AuditHead{string(head.ID), head.Seq, head.Hash})
		}
		list = append(list, cp)
		return nil
	}, upTo(q, limit))
	return list, err
}

// upTo limits a query; 0 or less is no limit.
func upTo(q squirrel.SelectBuilder, limit int) squirrel.SelectBuilder {
	if limit > 0 {
		q = q.Suffix("LIMIT ?", limit)
	}
	return q
}
