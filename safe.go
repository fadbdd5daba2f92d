package dsr

import "context"

// safeKeyring is a host's keyring whose panics are errors. What a panic was
// about is left out, since it may quote a key or a person.
type safeKeyring struct{ next Keyring }

func (s safeKeyring) Wrap(ctx context.Context, key, bound []byte) (wrapped []byte, err error) {
	defer recovered(&err)
	return s.next.Wrap(ctx, key, bound)
}

func (s safeKeyring) Unwrap(ctx context.Context, wrapped, bound []byte) (key []byte, err error) {
	defer recovered(&err)
	return s.next.Unwrap(ctx, wrapped, bound)
}

func (s safeKeyring) Lookup(ctx context.Context, data []byte) (hash []byte, err error) {
	defer recovered(&err)
	return s.next.Lookup(ctx, data)
}

// safeStore is a host's store whose panics are errors.
type safeStore struct{ next Store }

func (s safeStore) Commit(ctx context.Context, ch *StoreChange) (err error) {
	defer recovered(&err)
	return s.next.Commit(ctx, ch)
}

func (s safeStore) Request(ctx context.Context, id string) (rec *Record, err error) {
	defer recovered(&err)
	return s.next.Request(ctx, id)
}

func (s safeStore) Requests(ctx context.Context, q RecordQuery) (list []*Record, err error) {
	defer recovered(&err)
	return s.next.Requests(ctx, q)
}

func (s safeStore) CountRequests(ctx context.Context, q RecordQuery) (n int64, err error) {
	defer recovered(&err)
	return s.next.CountRequests(ctx, q)
}

func (s safeStore) Journal(ctx context.Context, id string, after, limit int) (list []JournalChunk, err error) {
	defer recovered(&err)
	return s.next.Journal(ctx, id, after, limit)
}

func (s safeStore) Events(ctx context.Context, id string, after int64, limit int) (list []Event, err error) {
	defer recovered(&err)
	return s.next.Events(ctx, id, after, limit)
}

func (s safeStore) AuditEntries(ctx context.Context, id string, after AuditPlace, limit int) (list []AuditEntry, err error) {
	defer recovered(&err)
	return s.next.AuditEntries(ctx, id, after, limit)
}

func (s safeStore) UnsignedHeads(ctx context.Context, limit int) (list []AuditHead, err error) {
	defer recovered(&err)
	return s.next.UnsignedHeads(ctx, limit)
}

func (s safeStore) SaveCheckpoint(ctx context.Context, c *Checkpoint) (err error) {
	defer recovered(&err)
	return s.next.SaveCheckpoint(ctx, c)
}

func (s safeStore) Checkpoints(ctx context.Context, after int64, limit int) (list []Checkpoint, err error) {
	defer recovered(&err)
	return s.next.Checkpoints(ctx, after, limit)
}

func (s safeStore) SaveMessages(ctx context.Context, changes []MessageChange) (err error) {
	defer recovered(&err)
	return s.next.SaveMessages(ctx, changes)
}

func (s safeStore) Messages(ctx context.Context, q MessageQuery) (list []Message, err error) {
	defer recovered(&err)
	return s.next.Messages(ctx, q)
}

func (s safeStore) SaveEntries(ctx context.Context, changes []EntryChange) (version int64, err error) {
	defer recovered(&err)
	return s.next.SaveEntries(ctx, changes)
}

func (s safeStore) Entries(ctx context.Context, q EntryQuery) (list []Entry, err error) {
	defer recovered(&err)
	return s.next.Entries(ctx, q)
}

func (s safeStore) CatalogueVersion(ctx context.Context) (version int64, err error) {
	defer recovered(&err)
	return s.next.CatalogueVersion(ctx)
}
