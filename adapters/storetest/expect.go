package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/godsr/dsr"
)

// expect compares the stored record with want.
func expect(ctx context.Context, s dsr.Store, want dsr.Record) error {
	got, err := s.Request(ctx, want.ID)
	if err != nil {
		return fmt.Errorf("read request %q: %w", want.ID, err)
	}
	return diff(fmt.Sprintf("request %q", want.ID), *got, want)
}

// expectGone looks for what is left of a removed or a refused request.
func expectGone(ctx context.Context, s dsr.Store, id string) error {
	if _, err := s.Request(ctx, id); !errors.Is(err, dsr.ErrNotFound) {
		return fmt.Errorf("Request of %q, which is not there, returned %v, want ErrNotFound", id, err)
	}
	return errors.Join(
		expectJournal(ctx, s, id, nil), expectEvents(ctx, s, id, nil), expectFound(ctx, s, dsr.MessageQuery{RequestID: id}),
	)
}

// expectJournal compares the whole journal of a request with want, which it
// numbers.
func expectJournal(ctx context.Context, s dsr.Store, id string, want []dsr.JournalChunk) error {
	got, err := s.Journal(ctx, id, 0, len(want)+10)
	if err != nil {
		return fmt.Errorf("journal of request %q: %w", id, err)
	}
	return diff(fmt.Sprintf("journal of request %q", id), got, numbered(want))
}

func numbered(chunks []dsr.JournalChunk) []dsr.JournalChunk {
	chunks = slices.Clone(chunks)
	for i := range chunks {
		chunks[i].Seq = i + 1
	}
	return chunks
}

// expectEvents compares the whole log of a request with want, which it numbers.
func expectEvents(ctx context.Context, s dsr.Store, id string, want []dsr.Event) error {
	got, err := s.Events(ctx, id, 0, len(want)+10)
	if err != nil {
		return fmt.Errorf("events of request %q: %w", id, err)
	}
	return diff(fmt.Sprintf("events of request %q", id), got, numberedEvents(want))
}

func numberedEvents(events []dsr.Event) []dsr.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Seq = int64(i) + 1
	}
	return events
}

// expectAudit compares the whole audit trail of a request with want.
func expectAudit(ctx context.Context, s dsr.Store, id string, want []dsr.AuditEntry) error {
	got, err := s.AuditEntries(ctx, id, dsr.AuditPlace{}, len(want)+10)
	if err != nil {
		return fmt.Errorf("audit trail of request %q: %w", id, err)
	}
	return diff(fmt.Sprintf("audit trail of request %q", id), got, want)
}

// expectHeads compares the unsigned heads with want.
func expectHeads(ctx context.Context, s dsr.Store, want ...dsr.AuditHead) error {
	got, err := s.UnsignedHeads(ctx, len(want)+10)
	if err != nil {
		return fmt.Errorf("unsigned heads: %w", err)
	}
	return diff("unsigned heads", got, want)
}

// expectCheckpoints compares all checkpoints with want.
func expectCheckpoints(ctx context.Context, s dsr.Store, want ...dsr.Checkpoint) error {
	got, err := s.Checkpoints(ctx, 0, len(want)+10)
	if err != nil {
		return fmt.Errorf("checkpoints: %w", err)
	}
	return diff("checkpoints", got, want)
}

// listed returns the IDs of the records that a query lists.
func listed(ctx context.Context, s dsr.Store, q dsr.RecordQuery) ([]string, error) {
	records, err := s.Requests(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	var ids []string
	for _, rec := range records {
		ids = append(ids, rec.ID)
	}
	return ids, nil
}

// diff names the first place in which two values of the same type differ. None
// and empty are the same, and so are two times of the same instant.
func diff[T any](what string, got, want T) error {
	return diffValues(what, reflect.ValueOf(got), reflect.ValueOf(want))
}

func diffValues(what string, got, want reflect.Value) error {
	if got, ok := got.Interface().(time.Time); ok {
		if want := want.Interface().(time.Time); !got.Equal(want) {
			return fmt.Errorf("%s is %v, want %v", what, got, want)
		}
		return nil
	}
	switch got.Kind() {
	case reflect.Pointer:
		return diffValues(what, got.Elem(), want.Elem())
	case reflect.Struct:
		for i := range got.NumField() {
			if err := diffValues(what+"."+got.Type().Field(i).Name, got.Field(i), want.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if got.Type().Elem().Kind() == reflect.Uint8 {
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				return fmt.Errorf("%s is %q, want %q", what, got, want)
			}
			return nil
		}
		for i := range min(got.Len(), want.Len()) {
			if err := diffValues(fmt.Sprintf("%s[%d]", what, i), got.Index(i), want.Index(i)); err != nil {
				return err
			}
		}
		if got.Len() != want.Len() {
			return fmt.Errorf("%s has %d elements, want %d", what, got.Len(), want.Len())
		}
	case reflect.Map:
		for _, key := range want.MapKeys() {
			if !got.MapIndex(key).IsValid() {
				return fmt.Errorf("%s lacks %q", what, key)
			}
			if err := diffValues(fmt.Sprintf("%s[%q]", what, key), got.MapIndex(key), want.MapIndex(key)); err != nil {
				return err
			}
		}
		if got.Len() != want.Len() {
			return fmt.Errorf("%s has %d keys, want %d", what, got.Len(), want.Len())
		}
	default:
		if got.Interface() != want.Interface() {
			return fmt.Errorf("%s is %#v, want %#v", what, got, want)
		}
	}
	return nil
}
