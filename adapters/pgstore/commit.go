package pgstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/internal/sqlrows"
	"github.com/godsr/dsr/internal/sqlstore"
)

const (
	// beginWrite begins a transaction in which the version of a request is
	// compared and swapped, and whose commit waits for the disk, whatever
	// the defaults of host and server are.
	beginWrite = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
		SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE pg_catalog.current_setting('synchronous_commit') = 'off'`
	// attempts is how often a change is tried that lost to another
	// transaction, first after wait on average, then after twice as long.
	attempts = 5
	wait     = 10 * time.Millisecond
	// patience bounds what is done when the context may be over.
	patience = 10 * time.Second
)

// Commit implements [dsr.Store]. A change that drops the journal, or the log,
// and appends to it replaces it; ticks may mark chunks that the same change
// appends. A request whose ID was removed may come again, from version 1; its
// audit trail goes on where it stood. Zero bytes and invalid UTF-8 are replaced
// in failures and messages, and refused in every other text. A change that meets a deadlock or a serialization failure
// is tried again, up to five times in all.
//
// A context that ends while the transaction is being committed does not stop
// it. If the connection breaks at that moment, the error says that the outcome
// is unknown: the request's version then tells.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	rows := sqlrows.Change(ch)
	if err := rows.Check(); err != nil {
		return fmt.Errorf("pgstore: %w", err)
	}
	err := cleanTexts(rows, ch.Record.Keys)
	if err == nil {
		err = again(ctx, func() error { return s.commit(ctx, rows, ch) })
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("pgstore: request %q: %w", ch.Record.ID, plain(err))
}

// again tries what lost to other transactions.
func again(ctx context.Context, try func() error) error {
	for attempt := 1; ; attempt++ {
		err := try()
		if err == nil || attempt == attempts || !transient(err) {
			return err
		}
		pause := time.NewTimer(rand.N(2 * wait << (attempt - 1)))
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

func (s *Store) commit(ctx context.Context, rows *sqlstore.Change, ch *dsr.StoreChange) error {
	return s.write(ctx, func(tx pgx.Tx) error {
		if err := s.dialect.Write(ctx, conn{tx: tx, caches: s.caches}, rows); err != nil {
			return err
		}
		if !rows.Remove { // with which they go
			if err := s.writeKeys(ctx, tx, ch); err != nil {
				return err
			}
		}
		if s.inTx == nil {
			return nil
		}
		if err := s.inTx(ctx, tx, ch); err != nil {
			return &hookError{err}
		}
		return nil
	})
}

// SaveCheckpoint implements [dsr.AuditStore].
func (s *Store) SaveCheckpoint(ctx context.Context, c *dsr.Checkpoint) error {
	err := unstorable("ID of a request", requestIDs(c.Heads)...)
	if err == nil {
		row := sqlrows.Checkpoint(c)
		err = again(ctx, func() error {
			return s.write(ctx, func(tx pgx.Tx) error {
				return s.dialect.SaveCheckpoint(ctx, conn{tx: tx, caches: s.caches}, row)
			})
		})
	}
	if err != nil {
		return fmt.Errorf("pgstore: checkpoint %d: %w", c.Seq, plain(err))
	}
	return nil
}

func requestIDs(heads []dsr.AuditHead) []string {
	ids := make([]string, len(heads))
	for i, h := range heads {
		ids[i] = h.RequestID
	}
	return ids
}

// SaveMessages implements [dsr.Outbox]. It is tried again as Commit is.
func (s *Store) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	rows := sqlrows.MessageChanges(changes)
	err := firstOf(sqlstore.CheckMessages(rows), unstorableMessages(rows))
	if err == nil {
		err = again(ctx, func() error {
			return s.write(ctx, func(tx pgx.Tx) error {
				return s.dialect.SaveMessages(ctx, conn{tx: tx, caches: s.caches}, rows)
			})
		})
	}
	if err != nil {
		return fmt.Errorf("pgstore: %w", plain(err))
	}
	return nil
}

func unstorableMessages(changes []sqlstore.MessageChange) error {
	for i := range changes {
		m := &changes[i].Message
		if err := firstOf(unstorable("ID", m.ID), unstorable("ID of a request", m.RequestID)); err != nil {
			return fmt.Errorf("message %q: %w", m.ID, err)
		}
	}
	return nil
}

// write commits what f writes, or nothing of it.
func (s *Store) write(ctx context.Context, f func(tx pgx.Tx) error) error {
	tx, err := s.begin(ctx, pgx.TxOptions{BeginQuery: beginWrite})
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := f(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// Interrupted here, nobody would know whether the change is stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	err = tx.Commit(ctx)
	var refused *pgconn.PgError
	if err != nil && !errors.As(err, &refused) && !errors.Is(err, pgx.ErrTxCommitRollback) {
		return sqlrows.Unavailable(fmt.Errorf("the connection broke during the commit, and whether the change is stored is unknown; read the request again: %w", err))
	}
	return err
}

// begin passes over connections that the pool still holds and a restart of the
// server has broken.
func (s *Store) begin(ctx context.Context, opts pgx.TxOptions) (tx pgx.Tx, err error) {
	for range s.conns + 1 {
		if tx, err = s.pool.BeginTx(ctx, opts); err == nil || ctx.Err() != nil || !broken(err) {
			break
		}
	}
	return tx, err
}

// rollback ends a transaction that was not committed, also when the context is
// over, so that its connection can be used again.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// cleanTexts makes the texts such as PostgreSQL takes, or says which cannot be.
func cleanTexts(rows *sqlstore.Change, keys map[string][]byte) error {
	r := &rows.Record
	err := firstOf(
		unstorable("ID", *r.ID), unstorable("external ID", *r.ExternalID), unstorable("policy", *r.Policy),
		unstorable("actions", r.Actions.Join()), unstorable("location", *r.Location),
		unstorable("status", *r.Status), unstorable("stage", *r.Stage),
		unstorable("purpose of a key", slices.Collect(maps.Keys(keys))...),
	)
	for _, chunk := range rows.Append {
		err = firstOf(err, unstorable("step of a journal chunk", *chunk.Step))
	}
	for i, e := range rows.Events {
		err = firstOf(err, unstorable("kind of an event", *e.Kind), unstorable("collection of an event", *e.Collection),
			unstorable("connection of an event", *e.Connection), unstorable("action of an event", *e.Action),
			unstorable("status of an event", *e.Status))
		message := prose(*e.Message) // what was given stays the caller's
		rows.Events[i].Message = &message
	}
	for _, e := range rows.Audit {
		err = firstOf(err, unstorable("action of an audit entry", e.Action), unstorable("actor of an audit entry", e.Actor))
	}
	err = firstOf(err, unstorableMessages(rows.Messages))
	failure := prose(*r.Failure)
	r.Failure = &failure
	return err
}

// unstorable is an error if PostgreSQL cannot store one of the texts.
func unstorable(what string, texts ...string) error {
	if slices.ContainsFunc(texts, func(text string) bool { return !storable(text) }) {
		return fmt.Errorf("its %s holds a zero byte or is no UTF-8, which PostgreSQL cannot store", what)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func prose(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
