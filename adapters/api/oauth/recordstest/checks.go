package recordstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

func record(kind, key, data string) oauth.Record {
	return oauth.Record{Kind: kind, Key: key, Version: 77, Data: []byte(data)}
}

// want compares what Get returns.
func want(ctx context.Context, records oauth.Records, kind, key string, version int64, data string) error {
	r, err := records.Get(ctx, kind, key)
	switch {
	case err != nil:
		return fmt.Errorf("get %s %s: %w", kind, key, err)
	case r.Kind != kind || r.Key != key:
		return fmt.Errorf("get %s %s: got %s %s", kind, key, r.Kind, r.Key)
	case r.Version != version:
		return fmt.Errorf("get %s %s: version %d, want %d", kind, key, r.Version, version)
	case string(r.Data) != data:
		return fmt.Errorf("get %s %s: got %d bytes that are not what was put", kind, key, len(r.Data))
	}
	return nil
}

func wantError(what string, err, target error) error {
	if !errors.Is(err, target) {
		return fmt.Errorf("%s: got error %q, want %q", what, fmt.Sprint(err), target.Error())
	}
	return nil
}

func get(ctx context.Context, records oauth.Records) error {
	// Spaces, order, and escapes are the caller's; the key is as long as keys get.
	odd := `{ "b":1,  "a":"\u003c 你好 ` + "\U0001F511" + `", "a":1.0}`
	long := strings.Repeat("k", 300)
	large := `"` + strings.Repeat("x", 64<<10-2) + `"`
	for _, r := range []oauth.Record{record("one", "Key/%_\\'~", odd), record("one", long, large), record("two", "Key/%_\\'~", "null")} {
		mine := bytes.Clone(r.Data)
		if err := records.Put(ctx, oauth.Record{Kind: r.Kind, Key: r.Key, Data: mine}, 0); err != nil {
			return fmt.Errorf("put %s: %w", r.Kind, err)
		}
		mine[0] = '!' // the caller's to use again
	}
	_, err := records.Get(ctx, "one", "key/%_\\'~")
	_, other := records.Get(ctx, "two", long)
	return errors.Join(
		want(ctx, records, "one", "Key/%_\\'~", 1, odd),
		want(ctx, records, "one", long, 1, large),
		want(ctx, records, "two", "Key/%_\\'~", 1, "null"),
		wantError("get a key in other case", err, dsr.ErrNotFound),
		wantError("get a key of another kind", other, dsr.ErrNotFound),
	)
}

func list(ctx context.Context, records oauth.Records) error {
	sorted := []string{"-", "A/1", "B", "_", "a", "a/1", "a/2", "a0", "b"} // as their bytes are
	for i := range sorted {
		key := sorted[(i*5+3)%len(sorted)]
		if err := errors.Join(records.Put(ctx, record("one", key, `"`+key+`"`), 0), records.Put(ctx, record("two", key+"2", "2"), 0)); err != nil {
			return fmt.Errorf("put: %w", err)
		}
	}
	for _, c := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 100, sorted},
		{"", 3, sorted[:3]},
		{"B", 100, sorted[3:]},
		{"a/", 2, []string{"a/1", "a/2"}},
		{"a/1", 1, []string{"a/2"}},
		{"b", 10, nil},
		// What is after these may come from anyone, and is no key.
		{"a\x00", 2, []string{"a/1", "a/2"}},
		{"a\xff", 10, []string{"b"}},
		{"a/é", 10, []string{"a0", "b"}},
		{"a" + strings.Repeat("~", 5000), 10, []string{"b"}},
	} {
		found, err := records.List(ctx, "one", c.after, c.limit)
		if err != nil {
			return fmt.Errorf("list at most %d after %.20q: %w", c.limit, c.after, err)
		}
		var keys []string
		for _, r := range found {
			keys = append(keys, r.Key)
			if r.Kind != "one" || r.Version != 1 || string(r.Data) != `"`+r.Key+`"` {
				return fmt.Errorf("list: the record of key %s is not as it was put", r.Key)
			}
		}
		if strings.Join(keys, " ") != strings.Join(c.want, " ") {
			return fmt.Errorf("list at most %d after %.20q: got %q, want %q", c.limit, c.after, keys, c.want)
		}
	}
	return nil
}

func versions(ctx context.Context, records oauth.Records) error {
	put := func(data string, expect int64) error { return records.Put(ctx, record("one", "k", data), expect) }
	if err := wantError("put over a version without a record", put("0", 1), dsr.ErrConflict); err != nil {
		return err
	}
	if err := errors.Join(put("1", 0), put("2", 1)); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	return errors.Join(
		wantError("put as new over a record", put("3", 0), dsr.ErrConflict),
		wantError("put over an old version", put("4", 1), dsr.ErrConflict),
		wantError("put over a version to come", put("5", 3), dsr.ErrConflict),
		want(ctx, records, "one", "k", 2, "2"),
	)
}

func race(ctx context.Context, records oauth.Records) error {
	const many = 16
	for version := range int64(3) { // the first makes the record
		results := make([]error, many)
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() { results[i] = records.Put(ctx, record("one", "k", fmt.Sprint(i)), version) })
		}
		wg.Wait()
		winner, won := 0, 0
		for i, err := range results {
			if err == nil {
				winner = i
				won++
			} else if err := wantError("put over a version that is gone", err, dsr.ErrConflict); err != nil {
				return err
			}
		}
		if won != 1 {
			return fmt.Errorf("%d of %d that put at once over version %d succeeded", won, many, version)
		}
		if err := want(ctx, records, "one", "k", version+1, fmt.Sprint(winner)); err != nil {
			return err
		}
	}
	return nil
}

func remove(ctx context.Context, records oauth.Records) error {
	if err := errors.Join(
		records.Put(ctx, record("one", "k", "1"), 0), records.Put(ctx, record("one", "k", "2"), 1), records.Put(ctx, record("two", "k", "1"), 0),
	); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	err := errors.Join(
		wantError("delete an old version", records.Delete(ctx, "one", "k", 1), dsr.ErrConflict),
		want(ctx, records, "one", "k", 2, "2"),
	)
	if err != nil {
		return err
	}
	if err := records.Delete(ctx, "one", "k", 2); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	_, err = records.Get(ctx, "one", "k")
	left, listErr := records.List(ctx, "one", "", 10)
	if len(left) > 0 {
		listErr = errors.New("list: a deleted record is still there")
	}
	return errors.Join(
		wantError("get what was deleted", err, dsr.ErrNotFound), listErr,
		wantError("delete again", records.Delete(ctx, "one", "k", 2), dsr.ErrNotFound),
		want(ctx, records, "two", "k", 1, "1"),
		records.Put(ctx, record("one", "k", "3"), 0),
		want(ctx, records, "one", "k", 1, "3"),
	)
}
