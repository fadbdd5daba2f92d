package pgstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godsr/dsr"
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

// Commit implements [dsr.Store]. A change that drops the journal and appends
// to it replaces it; ticks may mark chunks that the same change appends. Zero
// bytes and invalid UTF-8 are replaced in failures and messages, and refused in
// every other text. A change that meets a deadlock or a serialization failure
// is tried again, up to five times in all.
//
// A context that ends while the transaction is being committed does not stop
// it. If the connection breaks at that moment, the error says that the outcome
// is unknown: the request's version then tells.
func (s *Store) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	rows := changeRows(ch)
	if err := rows.Check(); err != nil {
		return fmt.Errorf("pgstore: %w", err)
	}
	err := cleanTexts(rows, ch.Record.Keys)
	for attempt := 1; err == nil; attempt++ {
		if err = s.commit(ctx, rows, ch.Record.Keys); err == nil {
			return nil
		}
		if attempt == attempts || !transient(err) {
			break
		}
		pause := time.NewTimer(rand.N(2 * wait << (attempt - 1)))
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-pause.C:
			err = nil
		}
		pause.Stop()
	}
	return fmt.Errorf("pgstore: request %q: %w", ch.Record.ID, plain(err))
}

func (s *Store) commit(ctx context.Context, rows *sqlstore.Change, keys map[string][]byte) error {
	tx, err := s.begin(ctx, pgx.TxOptions{BeginQuery: beginWrite})
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := s.dialect.Write(ctx, conn{tx, s.caches}, rows); err != nil {
		return err
	}
	if err := s.writeKeys(ctx, tx, *rows.Record.ID, keys); err != nil {
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
		return fmt.Errorf("the connection broke during the commit, and whether the change is stored is unknown; read the request again: %w", err)
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
	refused := ""
	check := func(what, text string) {
		if refused == "" && !storable(text) {
			refused = what
		}
	}
	check("ID", *rows.Record.ID)
	check("external ID", *rows.Record.ExternalID)
	check("policy", *rows.Record.Policy)
	check("status", *rows.Record.Status)
	check("stage", *rows.Record.Stage)
	for purpose := range keys {
		check("purpose of a key", purpose)
	}
	for _, chunk := range rows.Append {
		check("step of a journal chunk", *chunk.Step)
	}
	for i, event := range rows.Events {
		check("kind of an event", event.Kind)
		check("collection of an event", event.Collection)
		e := *event // what was given stays the caller's
		e.Message = prose(e.Message)
		rows.Events[i] = &e
	}
	failure := prose(*rows.Record.Failure)
	rows.Record.Failure = &failure
	if refused != "" {
		return fmt.Errorf("its %s holds a zero byte or is no UTF-8, which PostgreSQL cannot store", refused)
	}
	return nil
}

func prose(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
