package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr"
)

func notFound(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	if _, err := s.Request(ctx, "r2"); !errors.Is(err, dsr.ErrNotFound) {
		return fmt.Errorf("Request of a missing request returned %v, want ErrNotFound", err)
	}
	if err := expectJournal(ctx, s, "r2", nil); err != nil {
		return err
	}
	return expectEvents(ctx, s, "r2", nil)
}

func roundTrip(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	want := sample("r1")
	if err := expect(ctx, s, want); err != nil {
		return err
	}
	other := sample("other")
	other.ID, other.Epoch, other.LeaseUntil = "r1", 1<<62, time.Time{}
	other.Policy, other.Status, other.Stage, other.Failure = "p", dsr.StatusComplete, dsr.StageDone, ""
	other.UpdatedAt, other.FinishedAt, other.DueAt = noon.Add(time.Second), noon.Add(time.Second), time.Time{}
	other.Plan, other.Outcomes = []byte("p"), nil
	other.Lookup = [][]byte{[]byte("z"), []byte("a"), []byte("m")}
	other.Keys = map[string][]byte{"journal": []byte("another"), "spool": []byte("s")}
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		other.Version = ch.Record.Version
		ch.Record = other
	}); err != nil {
		return err
	}
	if other.Version != 2 {
		return fmt.Errorf("the version after two commits is %d", other.Version)
	}
	if err := expect(ctx, s, other); err != nil {
		return err
	}
	least := dsr.Record{ID: "least", Version: 1}
	if err := create(ctx, s, least); err != nil {
		return err
	}
	return expect(ctx, s, least)
}

func conflict(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	if err := update(ctx, s, "r1", func(*dsr.StoreChange) {}); err != nil {
		return err
	}
	for _, test := range []struct {
		id     string
		expect int64
		why    string
	}{
		{"r1", 0, "creates a request that exists"},
		{"r1", 1, "expects an older version"},
		{"r1", 3, "expects a version to come"},
		{"r2", 1, "expects a request that does not exist"},
	} {
		r := sample(test.id)
		r.Version, r.Failure = test.expect+1, "written in spite of the conflict"
		err := s.Commit(ctx, &dsr.StoreChange{ExpectVersion: test.expect, Record: r})
		if !errors.Is(err, dsr.ErrConflict) {
			return fmt.Errorf("a change that %s returned %v, want ErrConflict", test.why, err)
		}
	}
	want := sample("r1")
	want.Version = 2
	if err := expect(ctx, s, want); err != nil {
		return err
	}
	if _, err := s.Request(ctx, "r2"); !errors.Is(err, dsr.ErrNotFound) {
		return errors.New("a change that was refused made a request")
	}
	return nil
}

func atomic(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	started := []dsr.Event{{Time: noon, Kind: "started"}}
	if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(2), started
	}); err != nil {
		return err
	}
	refused := sample("r1")
	refused.Failure, refused.Lookup, refused.Keys = "half written", [][]byte{[]byte("new")}, nil
	for _, ch := range []*dsr.StoreChange{
		{ExpectVersion: 1}, // a conflict
		{ExpectVersion: 2, Ticks: []dsr.Tick{{Seq: 1}, {Seq: 9}}}, // no such chunk
		{ExpectVersion: 2, Ticks: []dsr.Tick{{Seq: 1}, {Seq: 0}}}, // no such chunk
	} {
		ch.Record = refused
		ch.Record.Version = ch.ExpectVersion + 1
		ch.AppendJournal = chunks(3)
		ch.Events = []dsr.Event{{Time: noon, Kind: "refused"}}
		if err := s.Commit(ctx, ch); err == nil {
			return fmt.Errorf("a change that cannot be stored was accepted: version %d after %d, ticks %v",
				ch.Record.Version, ch.ExpectVersion, ch.Ticks)
		}
	}
	want := sample("r1")
	want.Version = 2
	if err := expect(ctx, s, want); err != nil {
		return err
	}
	if err := expectJournal(ctx, s, "r1", numbered(1, chunks(2))); err != nil {
		return err
	}
	return expectEvents(ctx, s, "r1", started)
}

func oneWinner(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	const writers, rounds = 50, 4
	for version := range int64(rounds) {
		results := make([]error, writers)
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				r := sample("r1")
				r.Version, r.Failure = version+1, fmt.Sprint("writer ", i)
				results[i] = s.Commit(ctx, &dsr.StoreChange{
					ExpectVersion: version, Record: r, Events: []dsr.Event{{Time: noon, Message: r.Failure}},
				})
			})
		}
		group.Wait()
		winner := ""
		for i, err := range results {
			switch {
			case err == nil && winner != "":
				return fmt.Errorf("two writers wrote version %d", version+1)
			case err == nil:
				winner = fmt.Sprint("writer ", i)
			case !errors.Is(err, dsr.ErrConflict):
				return fmt.Errorf("a writer that lost got %w, want ErrConflict", err)
			}
		}
		if winner == "" {
			return fmt.Errorf("nobody wrote version %d", version+1)
		}
		r, err := s.Request(ctx, "r1")
		if err != nil {
			return err
		}
		if r.Version != version+1 || r.Failure != winner {
			return fmt.Errorf("stored is version %d of %s, want version %d of %s", r.Version, r.Failure, version+1, winner)
		}
		events, err := s.Events(ctx, "r1")
		if err != nil {
			return err
		}
		if n := len(events); n != int(version)+1 || events[n-1].Message != winner {
			return fmt.Errorf("%d writers left events, want %d", n, version+1)
		}
	}
	return nil
}

func canceled(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	second := sample("r1")
	second.Version, second.Failure = 2, "canceled"
	for _, ch := range []*dsr.StoreChange{
		{Record: sample("r2")},
		{ExpectVersion: 1, Record: second, Events: []dsr.Event{{Time: noon}}, AppendJournal: chunks(1)},
	} {
		if err := s.Commit(over, ch); err == nil {
			return errors.New("Commit succeeded under a context that is over")
		}
	}
	if _, err := s.Request(ctx, "r2"); !errors.Is(err, dsr.ErrNotFound) {
		return fmt.Errorf("a canceled commit made a request: Request returned %v, want ErrNotFound", err)
	}
	return errors.Join(
		expect(ctx, s, sample("r1")),
		expectEvents(ctx, s, "r1", nil),
		expectJournal(ctx, s, "r1", nil),
	)
}

func hostileIDs(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	ids := []string{
		"a", "A", "a ", " a", "a%", "a_", "ab", "*", "?", "$1", "%s", "0", "00", "1e0", "NULL", "'", `"`, "`", `\`, `\'`,
		"'; DROP TABLE requests; --", "../../a", "a/b", "a:b", "a\tb", "a\nb", "\u00e9", "e\u0301", "日本", "🙂",
		"a\x00", "a\x00b", "\xff\xfe", "\u202e", strings.Repeat("long", 500),
	}
	var stored []string
	for _, id := range ids {
		r := sample(id)
		r.ExternalID = id
		if err := create(ctx, s, r); err == nil {
			stored = append(stored, id)
		} else if _, err := s.Request(ctx, id); !errors.Is(err, dsr.ErrNotFound) {
			return fmt.Errorf("ID %q was refused, but Request returned %v, want ErrNotFound", id, err)
		}
	}
	if len(stored) < len(ids)-3 {
		return fmt.Errorf("only %d of %d IDs were accepted; a store may refuse zero bytes and invalid UTF-8 only", len(stored), len(ids))
	}
	for _, id := range stored {
		want := sample(id)
		want.ExternalID = id
		if err := expect(ctx, s, want); err != nil {
			return err
		}
		found, err := s.Requests(ctx, dsr.RequestFilter{ExternalID: id})
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0].ID != id {
			return fmt.Errorf("%d requests have the external ID %q, want 1", len(found), id)
		}
	}
	return nil
}

func separate(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1", "r10", "R1")
	if err != nil {
		return err
	}
	event := []dsr.Event{{Time: noon, Kind: "kept"}}
	if err := update(ctx, s, "r10", func(ch *dsr.StoreChange) {
		ch.AppendJournal, ch.Events = chunks(2), event
	}); err != nil {
		return err
	}
	for range 2 {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) {
			ch.DropJournal = true
			ch.AppendJournal = chunks(1)
			ch.Ticks = []dsr.Tick{{Seq: 1}}
			ch.Events = event
			ch.Record.Keys, ch.Record.Lookup = nil, nil
		}); err != nil {
			return err
		}
	}
	second := sample("r10")
	second.Version = 2
	return errors.Join(
		expect(ctx, s, second),
		expectJournal(ctx, s, "r10", numbered(1, chunks(2))),
		expectEvents(ctx, s, "r10", event),
		expect(ctx, s, sample("R1")),
		expectJournal(ctx, s, "R1", nil),
		expectEvents(ctx, s, "R1", nil),
	)
}

func times(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore)
	if err != nil {
		return err
	}
	for i, at := range []time.Time{
		{},
		time.Unix(0, 0),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(2026, 10, 25, 2, 30, 0, 1000, time.FixedZone("", 2*3600)),
		time.Date(2026, 10, 25, 2, 30, 0, 1000, time.FixedZone("", 3600)),
		time.Date(2200, 12, 31, 23, 59, 59, 999999000, time.FixedZone("", -5*3600-1800)),
	} {
		r := sample(fmt.Sprint("r", i))
		r.LeaseUntil, r.RequestedAt, r.CreatedAt, r.UpdatedAt, r.FinishedAt, r.DueAt = at, at, at, at, at, at
		if err := create(ctx, s, r); err != nil {
			return err
		}
		if err := expect(ctx, s, r); err != nil {
			return err
		}
		events := []dsr.Event{{Time: at, Kind: "seen"}}
		if err := update(ctx, s, r.ID, func(ch *dsr.StoreChange) { ch.Events = events }); err != nil {
			return err
		}
		if err := expectEvents(ctx, s, r.ID, events); err != nil {
			return err
		}
	}
	return nil
}

func shredded(ctx context.Context, newStore func() (dsr.Store, error)) error {
	s, err := setUp(ctx, newStore, "r1")
	if err != nil {
		return err
	}
	for _, keys := range []map[string][]byte{
		{"journal": []byte("key r1")},
		{"journal": []byte("wrapped anew"), "spool": []byte("s")},
		{},
	} {
		if err := update(ctx, s, "r1", func(ch *dsr.StoreChange) { ch.Record.Keys = cloneKeys(keys) }); err != nil {
			return err
		}
		r, err := s.Request(ctx, "r1")
		if err != nil {
			return err
		}
		want := *r
		want.Keys = keys
		if err := diff(*r, want); err != nil {
			return err
		}
	}
	return nil
}
