package dsr_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// interruptedRing is a keyring that does something else in between.
type interruptedRing struct {
	dsr.Keyring
	between *func()
}

func (k interruptedRing) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	if *k.between != nil {
		(*k.between)()
	}
	return k.Keyring.Unwrap(ctx, wrapped, bound)
}

// spoil alters what is stored of a request.
func (o *office) spoil(t testing.TB, id string, change func(*dsr.Record)) {
	t.Helper()
	rec, err := o.store.Request(t.Context(), id)
	require.NoError(t, err)
	change(rec)
	rec.Version++
	require.NoError(t, o.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
}

func passedOver(id string) string {
	return "input required message=request " + id + " cannot be read and is passed over until it can; the log of the process says why"
}

// A request that cannot be read is left out of what goes to everybody, and told
// once.
func TestVendorsPassOverWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*dsr.Record){
		"its state":      func(rec *dsr.Record) { rec.State = []byte("{") },
		"its identities": func(rec *dsr.Record) { rec.Identity[0] ^= 1 },
		"its key":        func(rec *dsr.Record) { rec.Keys["identity"] = []byte("none") },
		"shredded":       func(rec *dsr.Record) { delete(rec.Keys, "identity") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := selling(t, daily)
			o.sendAt(t, begin)
			for _, who := range []string{"ada@example.com", "bob@example.com", "cem@example.com"} {
				o.erasing(t, "erase", email(who))
			}
			o.spoil(t, "r2", change)
			for day := 2; day < 5; day++ {
				o.sendAt(t, on(day, 12))
			}
			require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com cem@example.com"}, o.asks(t)[:1])
			require.Equal(t, 1, len(slices.DeleteFunc(o.told(), func(line string) bool { return line != passedOver("r2") })))
			require.Contains(t, o.logs.String(), "a request cannot be read and is passed over")
			o.advanced(t, "r1", dsr.StatusComplete)
			o.requireStatus(t, "r2", dsr.StatusAwaitingEmail)
			require.Equal(t, []string{"vendor.ads vendor ads in 24h0m0s"}, o.outbox(t, ""), "the letter stays")
		})
	}
}

// A keyring that fails fails for everybody: nobody is passed over for it.
func TestVendorsWaitForTheKeyring(t *testing.T) {
	t.Parallel()
	ring := &failingRing{}
	o := selling(t)
	o.config.Vendors = []dsr.Vendor{daily}
	ring.Keyring, o.config.Keyring = o.config.Keyring, ring
	o.engine = newEngine(t, o.config)
	o.Requests = o.engine.Requests()
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	ring.down = true
	o.sendAt(t, on(2, 12))
	require.Empty(t, o.asks(t))
	ring.down = false
	o.sendAt(t, on(2, 13))
	require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com"}, o.asks(t))
	require.NotContains(t, o.told(), passedOver("r1"))
}

type failingRing struct {
	dsr.Keyring
	down bool
}

func (k *failingRing) Unwrap(ctx context.Context, wrapped, bound []byte) ([]byte, error) {
	if k.down {
		return nil, fmt.Errorf("the vault is sealed")
	}
	return k.Keyring.Unwrap(ctx, wrapped, bound)
}

// A person with two requests is one to a vendor; both are asked about.
func TestVendorsHearOfAPersonOnce(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	o.sendAt(t, begin)
	o.erasing(t, "erase", email("ada@example.com", "ada@work.example"))
	o.erasing(t, "both", email("ada@work.example", "ada@example.com"))
	o.erasing(t, "erase", email("ada@example.com"))
	o.sendAt(t, on(2, 12))
	require.Equal(t, []string{"ads ads <erase@ads.example>: ada@example.com+ada@work.example ada@example.com"}, o.asks(t))
	for _, id := range []string{"r1", "r2", "r3"} {
		o.advanced(t, id, dsr.StatusComplete)
	}
}

// While a process gathers whom a vendor is asked about, for longer than a claim
// lasts, no other sends the message as well; one that was overtaken stops.
func TestVendorsMessageIsNotSentTwice(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		each time.Duration // that each request takes
		at   int           // the request at which it stands still for minutes
	}{{"slowly", 20 * time.Second, 0}, {"it stands still", 0, 15}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var between func()
			o := selling(t)
			o.config.Keyring, o.config.Vendors = interruptedRing{o.config.Keyring, &between}, []dsr.Vendor{daily}
			other := newEngine(t, o.config)
			o.engine = newEngine(t, o.config)
			o.Requests = o.engine.Requests()
			o.sendAt(t, begin)
			for i := range 20 {
				o.erasing(t, "erase", email(fmt.Sprintf("u%d@example.com", i)))
			}
			n := 0
			between = func() {
				again := between
				between = nil
				o.clock.add(test.each)
				if n++; n == test.at {
					o.clock.add(5 * time.Minute)
				}
				if test.each > 0 || n == test.at {
					_, err := other.Messages().Send(t.Context())
					require.NoError(t, err)
				}
				between = again
			}
			o.sendAt(t, on(2, 12))
			between = nil
			require.Len(t, o.asks(t), 1)
			for i := range 20 {
				o.advanced(t, fmt.Sprint("r", i+1), dsr.StatusComplete)
			}
		})
	}
}

// A process that lacks a setting leaves its letters to one that has it.
func TestProcessesWithOtherSettings(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	c := o.config
	c.Digest = dsr.Daily(9, 0, nil)
	full := newEngine(t, c)
	c.Vendors, c.Digest = nil, nil
	bare := newEngine(t, c)
	send := func(e *dsr.Engine, at time.Time) {
		t.Helper()
		o.clock.add(at.Sub(o.clock.Now()))
		_, err := e.Messages().Send(t.Context())
		require.NoError(t, err)
	}
	send(full, begin)
	o.erasing(t, "erase", email("ada@example.com"))
	for hour := 9; hour < 14; hour++ {
		send(bare, on(2, hour))
	}
	require.Empty(t, o.asks(t))
	require.Equal(t, []string{"digest digest in 1h0m0s", "vendor.ads vendor ads in 1h0m0s"}, o.outbox(t, ""))
	o.requireStatus(t, "r1", dsr.StatusAwaitingEmail)
	send(full, on(2, 13))
	require.Len(t, o.asks(t), 1)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, []string{"digest digest in 20h0m0s", "vendor.ads vendor ads in 23h0m0s"}, o.outbox(t, ""))

	// Each of them looks for days: nobody takes the request from the vendor.
	o.erasing(t, "erase", email("bob@example.com"))
	for day := 3; day < 9; day++ {
		for hour := range 24 {
			send(bare, on(day, hour))
		}
		send(full, on(day, 23))
	}
	require.Equal(t, "ads ads <erase@ads.example>: bob@example.com", o.asks(t)[1])
	o.advanced(t, "r2", dsr.StatusComplete)
}

// A request whose state cannot be read does not keep others' letters back.
func TestOutboxGoesOnBesideWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	o := selling(t, daily)
	o.erasing(t, "erase", email("ada@example.com"))
	o.spoil(t, "r1", func(rec *dsr.Record) { rec.State = []byte("{") })
	o.send(t)
	o.submitted(t, submission("access", "bob@example.com"))
	o.send(t)
	require.Contains(t, o.told(), passedOver("r1"))
	require.Contains(t, o.told(), "received to bob@example.com")
}

// A form that left Config.Forms is told of, once for each
// start, since nobody else would ever tell.
func TestFormsThatVanish(t *testing.T) {
	t.Parallel()
	o := newDesk(t, nil, textForm("one", "a"))
	o.waiting(t, "access", "ada@example.com")
	o.send(t)
	o.config.Forms = nil
	const vanished = `input required message=request r1 waits for the form "one", which there is not in this process: define it again, or let the request go on with Forms.Delete("one")`
	require.NotContains(t, o.told(), vanished)
	count := func() int {
		return len(slices.DeleteFunc(o.told(), func(line string) bool { return line != vanished }))
	}
	for starts := 1; starts < 3; starts++ {
		o.engine = newEngine(t, o.config)
		o.send(t)
		o.send(t)
		require.Equal(t, starts, count())
		ids := map[string]bool{}
		for _, n := range o.notifier.Notices() {
			if n.Kind == dsr.NoticeInput && n.Message != "" && toldLine(&n) == vanished {
				ids[n.ID] = true
			}
		}
		require.Len(t, ids, 1, "whoever has it knows that it comes again")
	}
	require.Contains(t, o.logs.String(), "a request waits for a form that this process does not have")
}
