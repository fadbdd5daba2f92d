package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/Masterminds/squirrel"
)

// Filter selects requests. Zero fields select everything.
type Filter struct {
	Status     []string
	ExternalID string
	Lookup     []byte
	DueBefore  time.Time
	After      string
	Limit      int // defaults to 100
}

func (d *Dialect) selectRequests() squirrel.SelectBuilder {
	return d.build().Select(columns...).Column("plan").From(d.Prefix + "requests").
		LeftJoin(d.Prefix + "plans ON request_id = id")
}

// Request fills a record, except for its keys.
func (d *Dialect) Request(ctx context.Context, c Conn, id string, r Record) error {
	found := false
	if err := query(ctx, c, func(scan func(dest ...any) error) error {
		found = true
		return scan(append(d.destinations(&r), r.Plan)...)
	}, d.selectRequests().Where(squirrel.Eq{"id": id})); err != nil {
		return err
	}
	if !found {
		return d.NotFound
	}
	return d.addLookups(ctx, c, []Record{r})
}

// Requests lists by created_at, then by ID. It calls add for each record, to
// learn where it goes; keys are left out.
func (d *Dialect) Requests(ctx context.Context, c Conn, f *Filter, add func() Record) error {
	q, err := d.narrow(ctx, c, d.selectRequests(), f)
	if err != nil {
		return err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	var list []Record
	if err := query(ctx, c, func(scan func(dest ...any) error) error {
		r := add()
		list = append(list, r)
		return scan(append(d.destinations(&r), r.Plan)...)
	}, q.OrderBy("created_at", "id").Suffix("LIMIT ?", limit)); err != nil {
		return err
	}
	return d.addLookups(ctx, c, list)
}

// narrow adds the conditions of a filter.
func (d *Dialect) narrow(ctx context.Context, c Conn, q squirrel.SelectBuilder, f *Filter) (squirrel.SelectBuilder, error) {
	if len(f.Status) > 0 {
		q = q.Where(squirrel.Eq{"status": f.Status})
	}
	if f.ExternalID != "" {
		// The first half lets a partial index be used.
		q = q.Where("external_id <> '' AND external_id = ?", f.ExternalID)
	}
	if len(f.Lookup) > 0 {
		q = q.Where("id IN (SELECT request_id FROM "+d.Prefix+"lookups WHERE hash = ?)", f.Lookup)
	}
	if !f.DueBefore.IsZero() {
		before, err := d.EncodeTime(f.DueBefore)
		if err != nil {
			return q, err
		}
		q = q.Where(d.IsDue+" AND due_at < ?", before)
	}
	if f.After != "" {
		found := false
		var created time.Time
		if err := query(ctx, c, func(scan func(dest ...any) error) error {
			found = true
			return scan(d.ScanTime(&created))
		}, d.build().Select("created_at").From(d.Prefix+"requests").Where(squirrel.Eq{"id": f.After})); err != nil {
			return q, err
		}
		if !found {
			return q, fmt.Errorf("request %q, after which to list: %w", f.After, d.NotFound)
		}
		at, err := d.EncodeTime(created)
		if err != nil {
			return q, err
		}
		q = q.Where("(created_at, id) > (?, ?)", at, f.After)
	}
	return q, nil
}

func (d *Dialect) addLookups(ctx context.Context, c Conn, list []Record) error {
	for part := range slices.Chunk(list, batch) {
		ids := make([]string, len(part))
		for i, r := range part {
			ids[i] = *r.ID
		}
		hashes, err := d.lookups(ctx, c, ids)
		if err != nil {
			return err
		}
		for _, r := range part {
			*r.Lookup = hashes[*r.ID]
		}
	}
	return nil
}

// lookups returns the hashes of at least one request, in their order.
func (d *Dialect) lookups(ctx context.Context, c Conn, ids []string) (map[string][][]byte, error) {
	byID := map[string][][]byte{}
	err := query(ctx, c, func(scan func(dest ...any) error) error {
		var id string
		var hash []byte
		err := scan(&id, &hash)
		byID[id] = append(byID[id], hash)
		return err
	}, d.build().Select("request_id", "hash").From(d.Prefix+"lookups").Where(squirrel.Eq{"request_id": ids}).OrderBy("request_id", "position"))
	return byID, err
}

// Journal calls add for each chunk above after, at most limit of them, all for
// a limit of 0 or less.
func (d *Dialect) Journal(ctx context.Context, c Conn, id string, after, limit int, add func() Chunk) error {
	q := d.build().Select("j.seq", "j.step", "j.rows", "j.sealed", "t.seq IS NOT NULL",
		"COALESCE(t.masked, 0)", "COALESCE(t.gone, 0)", "COALESCE(t.changed, 0)").
		From(d.Prefix+"journal AS j").LeftJoin(d.Prefix+"ticks AS t ON t.request_id = j.request_id AND t.seq = j.seq").
		Where("j.request_id = ? AND j.seq > ?", id, after).OrderBy("j.seq")
	if limit > 0 {
		q = q.Suffix("LIMIT ?", limit)
	}
	return query(ctx, c, func(scan func(dest ...any) error) error {
		chunk := add()
		return scan(chunk.Seq, chunk.Step, chunk.Rows, chunk.Sealed, chunk.Applied,
			&chunk.Counts.Masked, &chunk.Counts.Gone, &chunk.Counts.Changed)
	}, q)
}

// Events calls add for each line of a request's log, oldest first.
func (d *Dialect) Events(ctx context.Context, c Conn, id string, add func() *Event) error {
	return query(ctx, c, func(scan func(dest ...any) error) error {
		event := add()
		return scan(d.ScanTime(&event.Time), &event.Kind, &event.Collection, &event.Rows, &event.Message)
	}, d.build().Select("time", "kind", "collection", "rows", "message").From(d.Prefix+"events").Where(of(id)).OrderBy("seq"))
}
