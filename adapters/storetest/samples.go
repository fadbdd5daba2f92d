package storetest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/godsr/dsr"
)

// noon is when all that the checks store happens.
var noon = time.Date(2026, 3, 29, 12, 0, 0, 123456000, time.UTC)

// sample is a record of version 1 with a value in every field.
func sample(id string) dsr.Record {
	return dsr.Record{
		ID: id, Version: 1, Epoch: 3, LeaseUntil: noon.Add(time.Minute),
		ExternalID: "ext-" + id, Policy: "erase_all", Status: dsr.StatusInProcessing, Stage: dsr.StageCollect,
		RequestedAt: noon.Add(-48 * time.Hour), CreatedAt: noon.Add(-24 * time.Hour),
		UpdatedAt: noon, FinishedAt: noon.Add(time.Hour), DueAt: noon.Add(2 * time.Hour),
		Identity: []byte("identity\x00\xff" + id), Lookup: [][]byte{[]byte("hash 1 " + id), []byte("hash 2 " + id)},
		Keys: map[string][]byte{"identity": {0, 1, 255}, "journal": []byte("key " + id)},
		Plan: []byte(`{"plan":1}`), Outcomes: []byte(`{"outcomes":[]}`), Failure: "no answer",
	}
}

// create commits version 1 of a record.
func create(ctx context.Context, s dsr.Store, r dsr.Record) error {
	r.Version = 1
	if err := s.Commit(ctx, &dsr.StoreChange{Record: r}); err != nil {
		return fmt.Errorf("create request %q: %w", r.ID, err)
	}
	return nil
}

// update commits the next version of a stored record after the change was
// applied to it.
func update(ctx context.Context, s dsr.Store, id string, change func(*dsr.StoreChange)) error {
	r, err := s.Request(ctx, id)
	if err != nil {
		return fmt.Errorf("read request %q: %w", id, err)
	}
	ch := &dsr.StoreChange{ExpectVersion: r.Version, Record: *r}
	ch.Record.Version++
	change(ch)
	if err := s.Commit(ctx, ch); err != nil {
		return fmt.Errorf("update request %q: %w", id, err)
	}
	return nil
}

// setUp makes a store with records of those IDs.
func setUp(ctx context.Context, newStore func() (dsr.Store, error), ids ...string) (dsr.Store, error) {
	s, err := newStore()
	if err != nil {
		return nil, fmt.Errorf("make a store: %w", err)
	}
	for _, id := range ids {
		if err := create(ctx, s, sample(id)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// expect compares the stored record with want.
func expect(ctx context.Context, s dsr.Store, want dsr.Record) error {
	got, err := s.Request(ctx, want.ID)
	if err != nil {
		return fmt.Errorf("read request %q: %w", want.ID, err)
	}
	return diff(*got, want)
}

// diff names the first field in which two records differ. None and empty are
// the same.
func diff(got, want dsr.Record) error {
	g, w := reflect.ValueOf(normal(got)), reflect.ValueOf(normal(want))
	for i := range g.NumField() {
		if !reflect.DeepEqual(g.Field(i).Interface(), w.Field(i).Interface()) {
			return fmt.Errorf("request %q: field %s is %v, want %v",
				want.ID, g.Type().Field(i).Name, g.Field(i).Interface(), w.Field(i).Interface())
		}
	}
	return nil
}

func normal(r dsr.Record) dsr.Record {
	for _, t := range []*time.Time{&r.LeaseUntil, &r.RequestedAt, &r.CreatedAt, &r.UpdatedAt, &r.FinishedAt, &r.DueAt} {
		*t = t.Round(0).UTC()
	}
	for _, b := range []*[]byte{&r.Identity, &r.Plan, &r.Outcomes} {
		if len(*b) == 0 {
			*b = nil
		}
	}
	if len(r.Lookup) == 0 {
		r.Lookup = nil
	}
	if len(r.Keys) == 0 {
		r.Keys = nil
	}
	return r
}

// chunks makes n journal chunks that can be told apart.
func chunks(n int) []dsr.JournalChunk {
	list := make([]dsr.JournalChunk, n)
	for i := range list {
		list[i] = dsr.JournalChunk{Step: fmt.Sprintf("shop:table%d", i), Rows: i + 1, Sealed: fmt.Appendf(nil, "sealed\x00%d", i)}
	}
	return list
}

// expectJournal compares the whole journal of a request with want.
func expectJournal(ctx context.Context, s dsr.Store, id string, want []dsr.JournalChunk) error {
	got, err := s.Journal(ctx, id, 0, len(want)+10)
	if err != nil {
		return fmt.Errorf("journal of request %q: %w", id, err)
	}
	return diffChunks(got, want)
}

func diffChunks(got, want []dsr.JournalChunk) error {
	if len(got) != len(want) {
		return fmt.Errorf("the journal returned %d chunks, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		same := bytes.Equal(g.Sealed, w.Sealed)
		g.Sealed, w.Sealed = nil, nil
		if !same || !reflect.DeepEqual(g, w) {
			return fmt.Errorf("chunk %d of the journal is %+v (sealed as given: %t), want %+v", i+1, g, same, w)
		}
	}
	return nil
}

// numbered sets the numbers that a store gives, from first on.
func numbered(first int, list []dsr.JournalChunk) []dsr.JournalChunk {
	for i := range list {
		list[i].Seq = first + i
	}
	return list
}

// expectEvents compares the log of a request with want.
func expectEvents(ctx context.Context, s dsr.Store, id string, want []dsr.Event) error {
	got, err := s.Events(ctx, id)
	if err != nil {
		return fmt.Errorf("events of request %q: %w", id, err)
	}
	if len(got) != len(want) {
		return fmt.Errorf("request %q has %d events, want %d", id, len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		if !g.Time.Equal(w.Time) {
			return fmt.Errorf("event %d of request %q has time %v, want %v", i+1, id, g.Time, w.Time)
		}
		g.Time, w.Time = time.Time{}, time.Time{}
		if g != w {
			return fmt.Errorf("event %d of request %q is %+v, want %+v", i+1, id, g, w)
		}
	}
	return nil
}

func cloneKeys(keys map[string][]byte) map[string][]byte {
	keys = maps.Clone(keys)
	for purpose := range keys {
		keys[purpose] = bytes.Clone(keys[purpose])
	}
	return keys
}
