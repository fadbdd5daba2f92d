package bench_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/bench"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// statement is one of those that a bare driver is given.
type statement struct {
	text string
	args []any
}

// bare writes changes with nothing but a driver, by the statements that the
// store uses, in one transaction each.
type bare struct {
	pg  bool
	run func(ctx context.Context, list []statement) error
}

func (y *bare) commit(ctx context.Context, ch *dsr.StoreChange) error {
	var list []statement
	add := func(text string, args ...any) {
		for i := 1; y.pg && strings.Contains(text, "?"); i++ {
			text = strings.Replace(text, "?", "$"+strconv.Itoa(i), 1)
		}
		list = append(list, statement{text, args})
	}
	at := func(t time.Time) any {
		if y.pg {
			return t
		}
		return t.UnixNano()
	}
	r := &ch.Record
	values := []any{
		r.Version, r.Epoch, r.ExternalID, r.Policy, string(r.Status), string(r.Stage), r.Failure, at(r.LeaseUntil), at(r.RequestedAt),
		at(r.CreatedAt), at(r.UpdatedAt), at(r.FinishedAt), at(r.DueAt), r.Identity, r.Outcomes, r.ID,
	}
	if ch.ExpectVersion == 0 {
		add(`INSERT INTO requests (version, epoch, external_id, policy, status, stage, failure, lease_until, requested_at, created_at,
			updated_at, finished_at, due_at, identity, outcomes, id) VALUES (?`+strings.Repeat(", ?", len(values)-1)+") ON CONFLICT DO NOTHING", values...)
	} else {
		add(`UPDATE requests SET version = ?, epoch = ?, external_id = ?, policy = ?, status = ?, stage = ?, failure = ?, lease_until = ?,
			requested_at = ?, created_at = ?, updated_at = ?, finished_at = ?, due_at = ?, identity = ?, outcomes = ?
			WHERE id = ? AND version = ?`, append(values, ch.ExpectVersion)...)
	}
	add(`INSERT INTO plans AS p (request_id, plan) VALUES (?, ?)
		ON CONFLICT (request_id) DO UPDATE SET plan = excluded.plan WHERE p.plan IS DISTINCT FROM excluded.plan`, r.ID, r.Plan)
	add("SELECT hash FROM lookups WHERE request_id = ? ORDER BY position", r.ID)
	for i, hash := range r.Lookup {
		if ch.ExpectVersion == 0 {
			add("INSERT INTO lookups (request_id, position, hash) VALUES (?, ?, ?)", r.ID, i, hash)
		}
	}
	add("SELECT coalesce(max(seq), 0) FROM events WHERE request_id = ?", r.ID)
	for i, event := range ch.Events {
		add("INSERT INTO events (request_id, seq, time, kind, collection, rows, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
			r.ID, int(ch.ExpectVersion)+i+1, at(event.Time), event.Kind, event.Collection, event.Rows, event.Message)
	}
	if y.pg {
		add("SELECT purpose, wrapped FROM keys WHERE request_id = ?", r.ID)
	} else {
		add("SELECT wrapped FROM keys WHERE request_id = ?", r.ID)
	}
	if ch.ExpectVersion == 0 && y.pg {
		for purpose, wrapped := range r.Keys {
			add("INSERT INTO keys (request_id, purpose, wrapped) VALUES (?, ?, ?)", r.ID, purpose, wrapped)
		}
	} else if ch.ExpectVersion == 0 {
		text, err := json.Marshal(r.Keys)
		if err != nil {
			return err
		}
		add("INSERT INTO keys (request_id, wrapped) VALUES (?, ?)", r.ID, append(make([]byte, 4096), text...))
	}
	return y.run(ctx, list)
}

// storePair is a store and the bare driver beside it, each with tables of its own.
func sqlitePair(b *testing.B) (dsr.Store, *bare) {
	b.Helper()
	dir := b.TempDir()
	store, err := sqlitestore.Open(b.Context(), filepath.Join(dir, "store.db"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	path := filepath.Join(dir, "bare.db")
	schema, err := sqlitestore.Open(b.Context(), path, nil)
	require.NoError(b, err)
	require.NoError(b, schema.Close())
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"synchronous(FULL)", "secure_delete(1)", "temp_store(MEMORY)", "foreign_keys(1)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String())
	require.NoError(b, err)
	db.SetMaxOpenConns(1)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return store, &bare{run: func(ctx context.Context, list []statement) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		for _, s := range list {
			if err := drain(ctx, tx, s); err != nil {
				return err
			}
		}
		return tx.Commit()
	}}
}

func drain(ctx context.Context, tx *sql.Tx, s statement) error {
	if !strings.HasPrefix(s.text, "SELECT") {
		_, err := tx.ExecContext(ctx, s.text, s.args...)
		return err
	}
	rows, err := tx.QueryContext(ctx, s.text, s.args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		continue
	}
	return rows.Err()
}

// postgresPair runs on a server whose commits wait for the disk.
func postgresPair(b *testing.B) (dsr.Store, *bare) {
	b.Helper()
	server, err := dbtest.StartPostgres("", &dbtest.Options{Durable: true})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, server.Close()) })
	open := func(path string) *pgxpool.Pool {
		config, err := pgxpool.ParseConfig(server.DSN(""))
		require.NoError(b, err)
		config.MaxConns = 16
		config.ConnConfig.RuntimeParams["search_path"] = path
		pool, err := pgxpool.NewWithConfig(b.Context(), config)
		require.NoError(b, err)
		b.Cleanup(pool.Close)
		return pool
	}
	store, err := pgstore.Open(b.Context(), open("public"), nil)
	require.NoError(b, err)
	pool := open("bare")
	_, err = pgstore.Open(b.Context(), pool, &pgstore.Options{Schema: "bare"})
	require.NoError(b, err)
	return store, &bare{pg: true, run: func(ctx context.Context, list []statement) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			for _, s := range list {
				if _, err := tx.Exec(ctx, s.text, s.args...); err != nil { // also reads rows, and drops them
					return err
				}
			}
			return nil
		})
	}}
}

// capture is a store that only shows the change that it is given.
type capture struct {
	dsr.Store
	last *dsr.StoreChange
}

func (c *capture) Commit(_ context.Context, ch *dsr.StoreChange) error {
	c.last = ch
	return nil
}

func submitter(b *testing.B, store dsr.Store) *dsr.Engine {
	b.Helper()
	datasets, err := bench.Wide(1, false).Load()
	require.NoError(b, err)
	engine, err := dsr.New(dsr.Config{
		Datasets:     datasets,
		Connections:  []dsr.Connection{{Key: "wide", Connector: memory.NewConnector(nil, nil), Datasets: []string{"wide"}}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "access", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]storage.Destination{"folder": storage.NewFolder(b.TempDir(), nil)},
		Store:        store, Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
	require.NoError(b, err)
	return engine
}

func submission(b *testing.B, engine *dsr.Engine) (*dsr.Request, error) {
	return engine.Requests().Submit(b.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {bench.Subject}}})
}

// perTurn is how many commits each writer makes in a turn.
const perTurn = 20

// rates lets store and bare driver write in turns, with several writers, and
// reports the medians of commits a second and of the ratio of the times.
func rates(b *testing.B, writers int, store, yardstick func(writer int) error) {
	b.Helper()
	turn := func(write func(writer int) error) float64 {
		errs := make([]error, writers)
		start := time.Now()
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for range perTurn {
					errs[w] = errors.Join(errs[w], write(w))
				}
			})
		}
		group.Wait()
		require.NoError(b, errors.Join(errs...))
		return time.Since(start).Seconds()
	}
	turn(store)
	turn(yardstick)
	var ours, theirs, ratios []float64
	for b.Loop() {
		y := turn(yardstick)
		s := turn(store)
		n := float64(writers * perTurn)
		ours, theirs, ratios = append(ours, n/s), append(theirs, n/y), append(ratios, s/y)
	}
	b.ReportMetric(median(ours), "store/s")
	b.ReportMetric(median(theirs), "bare/s")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStore measures submissions, with all that the engine does for one,
// and commits of a request that exists, each with a line of the log.
func BenchmarkStore(b *testing.B) {
	for name, pair := range map[string]func(*testing.B) (dsr.Store, *bare){"sqlite": sqlitePair, "postgres": postgresPair} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/submit/%d", name, writers), func(b *testing.B) { submits(b, pair, writers) })
			b.Run(fmt.Sprintf("%s/commit/%d", name, writers), func(b *testing.B) { commits(b, pair, writers) })
		}
	}
}

func submits(b *testing.B, pair func(*testing.B) (dsr.Store, *bare), writers int) {
	b.Helper()
	store, yardstick := pair(b)
	engine := submitter(b, store)
	samples := make([]dsr.StoreChange, writers) // one for each writer, who gives it new IDs
	counts := make([]int, writers)
	for w := range samples {
		c := &capture{}
		_, err := submission(b, submitter(b, c))
		require.NoError(b, err)
		samples[w] = *c.last
	}
	rates(b, writers,
		func(int) error {
			_, err := submission(b, engine)
			return err
		},
		func(w int) error {
			ch := samples[w]
			counts[w]++
			ch.Record.ID += "-" + strconv.Itoa(counts[w])
			return yardstick.commit(b.Context(), &ch)
		})
}

func commits(b *testing.B, pair func(*testing.B) (dsr.Store, *bare), writers int) {
	b.Helper()
	store, yardstick := pair(b)
	c := &capture{}
	_, err := submission(b, submitter(b, c))
	require.NoError(b, err)
	write := func(commit func(context.Context, *dsr.StoreChange) error) func(w int) error {
		changes := make([]dsr.StoreChange, writers)
		for w := range changes {
			changes[w] = *c.last
			changes[w].Record.ID = fmt.Sprint("request ", w)
			require.NoError(b, commit(b.Context(), &changes[w]))
		}
		return func(w int) error {
			ch := &changes[w]
			ch.ExpectVersion++
			ch.Record.Version++
			return commit(b.Context(), ch)
		}
	}
	rates(b, writers, write(store.Commit), write(yardstick.commit))
}
