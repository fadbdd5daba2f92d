package connectortest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

func cursorChecks() []Check {
	return []Check{
		newCheck("cancel stops the cursor", "when its context is cancelled, a read soon yields context.Canceled and ends; a cancelled change writes nothing",
			longTable, cancelStops),
		newCheck("break frees the cursor", "a consumer that breaks off leaves no cursor or connection behind",
			longTable, breakFrees),
		newCheck("concurrency", "many goroutines read and change their own rows through one connector at once",
			shared, concurrency),
	}
}

const (
	longRows = 10_000
	// soon is how many rows may still come after a context is done.
	soon = 1_000
	// patience bounds what would otherwise wait for ever for a connection.
	patience = 30 * time.Second
)

func longTable() Setup {
	rows := make([][]any, longRows)
	for i := range rows {
		rows[i] = []any{int64(i), int64(1), "a row of some length, so that no driver buffers them all"}
	}
	return Setup{Tables: []Table{newTable("long", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("part", dsr.ColumnInteger), col("body", dsr.ColumnText)}, rows...)}}
}

func cancelStops(ctx context.Context, s *session) error {
	whole := s.query(0, eq(graph.Path{"part"}, int64(1)))
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	after, ended := 0, error(nil)
	for _, err := range s.conn.Read(reading, whole) {
		switch {
		case ended != nil:
			return errors.New("a read went on after it had yielded an error")
		case err != nil:
			ended = err
		default:
			after++
			cancel()
		}
	}
	if after == 0 || after > soon {
		return fmt.Errorf("a read that was cancelled at its first row yielded %d rows, want at most %d", after, soon)
	}
	if !errors.Is(ended, context.Canceled) {
		return fmt.Errorf("a cancelled read ended with the error %w, want context.Canceled", orNone(ended))
	}
	if rows, err := s.read(reading, whole); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a read that was cancelled before it began yielded %d rows and the error %w, want context.Canceled", len(rows), orNone(err))
	}
	change := s.chunk(0, at(int64(1), to(int64(1), int64(2), "part")))
	if results, err := s.conn.Apply(reading, change); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("a cancelled change gave the results %q and the error %w, want context.Canceled", results, orNone(err))
	}
	return s.holds(ctx, "after a cancelled change", 0)
}

func breakFrees(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range 100 {
		got := 0
		for _, err := range s.conn.Read(ctx, s.query(0, eq(graph.Path{"part"}, int64(1)))) {
			if err != nil {
				return fmt.Errorf("read number %d, after others were broken off: %w", i+1, err)
			}
			if got++; got == 2 {
				break
			}
		}
		if got != 2 {
			return fmt.Errorf("read number %d yielded %d rows, want 2 at least", i+1, got)
		}
	}
	if err := s.conn.Ping(ctx); err != nil {
		return fmt.Errorf("ping after 100 reads that were broken off: %w", err)
	}
	return errors.Join(
		s.wantFirst(ctx, "a read after 100 that were broken off", s.query(0, eq(graph.Path{"id"}, int64(7))), int64(7)),
		s.apply(ctx, "a change after 100 reads that were broken off",
			s.chunk(0, at(int64(7), guard(int64(1), "part"), to(s.tables[0].Rows[7]["body"], nil, "body"))), dsr.RowWritten),
		s.holds(ctx, "after 100 reads that were broken off", 0, edit{row: 7, set: map[string]any{"body": nil}}))
}

const (
	goroutines = 20
	rowsEach   = 5
)

func shared() Setup {
	var rows [][]any
	for owner := range goroutines {
		for i := range rowsEach {
			rows = append(rows, []any{int64(owner*rowsEach + i), int64(owner), "plain"})
		}
	}
	return Setup{Tables: []Table{newTable("shared", []string{"id"},
		[]dsr.Column{col("id", dsr.ColumnInteger), col("owner", dsr.ColumnInteger), col("name", dsr.ColumnText)}, rows...)}}
}

func concurrency(ctx context.Context, s *session) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	faults := make([]error, goroutines)
	var workers sync.WaitGroup
	for owner := range goroutines {
		workers.Go(func() { faults[owner] = s.maskOwn(ctx, owner) })
	}
	workers.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	var edits []edit
	for i := range s.tables[0].Rows {
		edits = append(edits, edit{row: i, set: map[string]any{"name": fmt.Sprintf("masked by %d", i/rowsEach)}})
	}
	return s.holds(ctx, "after all goroutines", 0, edits...)
}

func (s *session) maskOwn(ctx context.Context, owner int) error {
	what := fmt.Sprintf("goroutine %d", owner)
	own := s.query(0, eq(graph.Path{"owner"}, int64(owner)))
	chunk := s.chunk(0)
	var ids []any
	var written []dsr.RowResult
	for i := range rowsEach {
		id := int64(owner*rowsEach + i)
		ids = append(ids, id)
		chunk.Rows = append(chunk.Rows, at(id, to("plain", fmt.Sprintf("masked by %d", owner), "name")))
		written = append(written, dsr.RowWritten)
	}
	return errors.Join(
		s.wantFirst(ctx, what, own, ids...),
		s.apply(ctx, what, chunk, written...),
		s.wantFirst(ctx, what, own, ids...))
}
