package sqlstore

import (
	"context"
	"slices"

	"github.com/Masterminds/squirrel"
)

// Request fills a record, except for its keys.
func (d *Dialect) Request(ctx context.Context, c Conn, id string, r Record) error {
	found := false
	if err := query(ctx, c, func(scan func(dest ...any) error) error {
		found = true
		return scan(d.destinations(&r)...)
	}, d.build().Select(columns...).From(d.Prefix+"requests").Where(squirrel.Eq{"id": id})); err != nil {
		return err
	}
	if !found {
		return d.NotFound
	}
	if err := query(ctx, c, func(scan func(dest ...any) error) error {
		var kind string
		var body []byte
		err := scan(&kind, &body)
		switch kind {
		case "plan":
			*r.Plan = body
		case "outcomes":
			*r.Outcomes = body
		case "manual":
			*r.Manual = body
		}
		return err
	}, d.build().Select("kind", "body").From(d.Prefix+"documents").Where(of(id))); err != nil {
		return err
	}
	return d.addLookups(ctx, c, []Record{r})
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
	return query(ctx, c, func(scan func(dest ...any) error) error {
		chunk := add()
		return scan(chunk.Seq, chunk.Step, chunk.Rows, chunk.Sealed, chunk.Applied,
			&chunk.Counts.Masked, &chunk.Counts.Gone, &chunk.Counts.Changed)
	}, upTo(q, limit))
}

// Events calls add for each line of a request's log above after, at most limit
// of them, all for a limit of 0 or less.
func (d *Dialect) Events(ctx context.Context, c Conn, id string, after int64, limit int, add func() Event) error {
	q := d.build().Select("seq", "time", "kind", "collection", "connection", "action", "status", "rows", "message", "fields").
		From(d.Prefix+"events").Where("request_id = ? AND seq > ?", id, after).OrderBy("seq")
	return query(ctx, c, func(scan func(dest ...any) error) error {
		e := add()
		return scan(e.Seq, d.ScanTime(e.Time), e.Kind, e.Collection, e.Connection, e.Action, e.Status, e.Rows, e.Message, text{e.Fields})
	}, upTo(q, limit))
}
