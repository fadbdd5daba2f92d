package bench

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/pgstore"
	"github.com/godsr/dsr/adapters/sqlitestore"
)

// Deck is a database opened twice, as a store opens it by default: once with a
// tape running, once bare.
type Deck struct {
	Taped dsr.Store
	Play  Player
	ends  []func()
}

// Close closes both.
func (d *Deck) Close() {
	for _, end := range d.ends {
		end()
	}
}

// OpenDeck opens the database of a store at an address that Open takes.
func OpenDeck(ctx context.Context, address string) (*Deck, error) {
	d := &Deck{}
	if strings.HasPrefix(address, "postgres:") {
		if err := d.openPostgres(ctx, address); err != nil {
			d.Close()
			return nil, err
		}
		return d, nil
	}
	taped, err := sqlitestore.Open(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	tapePools(pools(taped))
	bare, err := sqlitestore.Open(ctx, address, nil)
	if err != nil {
		_ = taped.Close()
		return nil, err
	}
	list := pools(bare)
	d.Taped, d.ends = taped, []func(){func() { _ = taped.Close() }, func() { _ = bare.Close() }}
	d.Play = func(ctx context.Context, t *Tape, swap Swap) error { return t.playSQL(ctx, list, swap) }
	return d, nil
}

func (d *Deck) openPostgres(ctx context.Context, address string) error {
	open := func(taped bool) (*pgxpool.Pool, error) {
		config, err := pgxpool.ParseConfig(address)
		if err != nil {
			return nil, err
		}
		if taped {
			config.ConnConfig.Tracer = tracer{}
		}
		pool, err := pgxpool.NewWithConfig(ctx, config)
		if err == nil {
			d.ends = append(d.ends, pool.Close)
		}
		return pool, err
	}
	taped, err := open(true)
	if err != nil {
		return err
	}
	bare, err := open(false)
	if err != nil {
		return err
	}
	d.Play = func(ctx context.Context, t *Tape, swap Swap) error { return t.playPgx(ctx, bare, swap) }
	d.Taped, err = pgstore.Open(ctx, taped, nil)
	return err
}
