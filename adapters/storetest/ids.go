package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

// hostile is a list of IDs that some store takes for others, or for no text.
func hostile() []string {
	return []string{
		"a", "A", "a ", " a", "a%", "a_", "ab", "*", "?", "$1", "%s", "0", "00", "1e0", "NULL", "'", `"`, "`", `\`, `\'`,
		"'; DROP TABLE requests; --", "../../a", "a/b", "a:b", "a\tb", "a\nb", "\u00e9", "e\u0301", "日本", "🙂",
		"a\x00", "a\x00b", "\xff\xfe", "\u202e", strings.Repeat("long", 500),
	}
}

func hostileIDs(ctx context.Context, s dsr.Store) error {
	change := func(id string) *dsr.StoreChange {
		ch := &dsr.StoreChange{
			Record: sample(id), AppendJournal: []dsr.JournalChunk{{Step: "s", Rows: 1, Sealed: []byte(id)}},
			Events: []dsr.Event{{Time: noon, Kind: "hash " + fmt.Sprintf("%x", id)}},
		}
		ch.Record.ExternalID = id
		ch.Messages = put(message(id, id))
		lengthen(ch, 1)
		return ch
	}
	var stored []string
	for _, id := range hostile() {
		err := s.Commit(ctx, change(id))
		if err == nil {
			stored = append(stored, id)
			continue
		}
		if !refusable(id) {
			return fmt.Errorf("ID %q was refused: %w; a store may refuse zero bytes and invalid UTF-8 only", id, err)
		}
		if _, err := s.Request(ctx, id); !errors.Is(err, dsr.ErrNotFound) {
			return fmt.Errorf("ID %q was refused, but Request returned %v, want ErrNotFound", id, err)
		}
		// Reading what hangs on it may be refused as well.
		chunks, _ := s.Journal(ctx, id, 0, 10)
		events, _ := s.Events(ctx, id, 0, 10)
		entries, _ := s.AuditEntries(ctx, id, dsr.AuditPlace{}, 10)
		messages, _ := s.Messages(ctx, dsr.MessageQuery{RequestID: id})
		if n := len(chunks) + len(events) + len(entries) + len(messages); n > 0 {
			return fmt.Errorf("ID %q was refused, but %d lines hang on it", id, n)
		}
	}
	for _, id := range stored {
		want := change(id)
		if err := errors.Join(
			expect(ctx, s, want.Record), expectJournal(ctx, s, id, want.AppendJournal),
			expectEvents(ctx, s, id, want.Events), expectAudit(ctx, s, id, want.Audit),
			expectFound(ctx, s, dsr.MessageQuery{ID: id}, want.Messages[0].Message),
			expectFound(ctx, s, dsr.MessageQuery{RequestID: id}, want.Messages[0].Message),
		); err != nil {
			return err
		}
		found, err := listed(ctx, s, dsr.RecordQuery{ExternalID: id})
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0] != id {
			return fmt.Errorf("requests %q have the external ID %q, want that one", found, id)
		}
	}
	return errors.Join(hostilePages(ctx, s, stored), hostileHeads(ctx, s, stored), hostileEntries(ctx, s))
}

// hostilePages reads the records and the audit trail in pages. In which order a
// store puts IDs is its own affair.
func hostilePages(ctx context.Context, s dsr.Store, stored []string) error {
	var listed, audited []string
	for q := (dsr.RecordQuery{Limit: 4}); ; {
		page, err := s.Requests(ctx, q)
		if err != nil {
			return err
		}
		for _, rec := range page {
			listed = append(listed, rec.ID)
			q.After = &dsr.RecordPlace{Time: rec.CreatedAt, ID: rec.ID}
		}
		if len(page) < q.Limit || len(listed) > len(stored) {
			break
		}
	}
	for after := (dsr.AuditPlace{}); ; {
		page, err := s.AuditEntries(ctx, "", after, 4)
		if err != nil {
			return err
		}
		for _, entry := range page {
			audited = append(audited, entry.RequestID)
			after = dsr.AuditPlace{RequestID: entry.RequestID, Seq: entry.Seq}
		}
		if len(page) < 4 || len(audited) > len(stored) {
			break
		}
	}
	if !sameSet(listed, stored) {
		return fmt.Errorf("the pages of a list hold requests %q, want %q", listed, stored)
	}
	if !sameSet(audited, stored) {
		return fmt.Errorf("the pages of the audit trail hold requests %q, want %q", audited, stored)
	}
	return nil
}

// hostileHeads signs all trails but the first one.
func hostileHeads(ctx context.Context, s dsr.Store, stored []string) error {
	heads, err := s.UnsignedHeads(ctx, len(stored)+1)
	if err != nil {
		return err
	}
	var unsigned []string
	for _, head := range heads {
		unsigned = append(unsigned, head.RequestID)
	}
	if !sameSet(unsigned, stored) {
		return fmt.Errorf("requests %q are unsigned, want %q", unsigned, stored)
	}
	c := checkpoint(1, slices.DeleteFunc(heads, func(h dsr.AuditHead) bool { return h.RequestID == stored[0] })...)
	if err := s.SaveCheckpoint(ctx, &c); err != nil {
		return err
	}
	return errors.Join(expectHeads(ctx, s, head(stored[0], 1)), expectCheckpoints(ctx, s, c))
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
