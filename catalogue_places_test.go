package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// places is a configurable whose destinations are folders, by the detail "dir".
type places struct {
	*configurable
	dirs   map[string]string
	outbox *deafOutbox

	mu   sync.Mutex
	down map[string]error // what opening a folder fails with
}

// newPlaces defines all that an access request needs; its packages go to
// destination "folder", which is the folder "one".
func newPlaces(t testing.TB, change func(*dsr.Config)) *places {
	t.Helper()
	p := &places{configurable: newConfigurable(t), dirs: map[string]string{"one": t.TempDir(), "two": t.TempDir()}, down: map[string]error{}}
	p.outbox = &deafOutbox{Store: p.config.Store}
	p.config.Store = p.outbox
	p.config.Retention = dsr.Retention{Packages: 24 * time.Hour}
	p.config.DestinationTypes = map[string]dsr.DestinationType{"local": {
		Details: []dsr.SecretField{{Name: "dir"}},
		Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			return storage.NewFolder(p.dirs[s.Details["dir"]], nil), p.down[s.Details["dir"]]
		},
	}}
	if change != nil {
		change(&p.config)
	}
	p.engine = newEngine(t, p.config)
	p.update(t, func(d *dsr.Definitions) {
		shopDefined(d)
		d.Destinations["folder"].Details = map[string]string{"dir": "one"}
	})
	return p
}

// lead defines that a destination is a folder.
func (p *places) lead(t testing.TB, destination, dir string) {
	t.Helper()
	p.update(t, func(d *dsr.Definitions) {
		d.Destinations[destination] = &dsr.DestinationDefinition{
			Defined: dsr.Defined{Key: destination}, Type: "local", Format: "json", Details: map[string]string{"dir": dir},
		}
	})
}

// fails says what opening a folder fails with from now on, in a process that is
// started for it, some time later; nil for nothing.
func (p *places) fails(t testing.TB, dir string, err error) {
	t.Helper()
	p.mu.Lock()
	p.down[dir] = err
	p.mu.Unlock()
	p.clock.add(time.Minute)
	p.engine = newEngine(t, p.config)
}

// removed removes the destination, and makes another one under its key if a folder
// is given.
func (p *places) removed(t testing.TB, anew string) {
	t.Helper()
	p.update(t, func(d *dsr.Definitions) { delete(d.Policies, "access"); delete(d.Destinations, "folder") })
	p.clock.add(time.Minute)
	if anew != "" {
		p.lead(t, "folder", anew)
	}
}

// completed is a request that was delivered.
func (p *places) completed(t testing.TB) string {
	t.Helper()
	req, err := p.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
	require.NoError(t, err)
	req, err = p.engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	return req.ID
}

// files are those in a folder.
func (p *places) files(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(p.dirs[dir])
	require.NoError(t, err)
	names := []string{}
	for _, file := range list {
		names = append(names, file.Name())
	}
	return names
}

// expired are the entries of the audit trail that tell what became of packages.
func (p *places) expired(t testing.TB, id string) (told []string) {
	t.Helper()
	for entry, err := range p.engine.Audit().Entries(t.Context(), id) {
		require.NoError(t, err)
		if entry.Action == "expired" {
			told = append(told, entry.Details["packages"])
		}
	}
	return told
}

const (
	leftBehind = "1 left, whose destinations were removed"
	aLink      = "https://privacy.example.com/packages/"
)

// errVaultDown passes by itself, errTypeBroken only with somebody's help.
var (
	errVaultDown  = fmt.Errorf("%w: the vault of vault-canary does not answer", dsr.ErrUnavailable)
	errTypeBroken = errors.New("vault-canary: no such role")
)

// A package stays while its destination cannot be opened, the trail says nothing
// of it meanwhile, and it goes once the destination is back: from where it was
// delivered, wherever its destination leads now.
func TestExpiredPackagesWaitForTheirDestination(t *testing.T) {
	t.Parallel()
	for name, why := range map[string]error{"passing": errVaultDown, "broken": errTypeBroken} {
		for where, now := range map[string]string{"there still": "one", "elsewhere since": "two"} {
			t.Run(name+" and "+where, func(t *testing.T) {
				t.Parallel()
				p := newPlaces(t, nil)
				id := p.completed(t)
				p.lead(t, "folder", now)
				p.clock.add(25 * time.Hour)
				p.fails(t, "one", why)
				for range 2 {
					_, err := p.engine.Requests().Advance(t.Context(), id)
					require.EqualError(t, err, `dsr: remove the expired package of request r1 from folder: dsr: unavailable for now: destination "folder": it cannot be opened`)
					require.ErrorIs(t, err, dsr.ErrUnavailable)
				}
				require.Empty(t, p.expired(t, id))
				require.Equal(t, []string{"r1.json", "r1.manifest.json"}, p.files(t, "one"))

				p.fails(t, "one", nil)
				_, err := p.engine.Requests().Advance(t.Context(), id)
				require.NoError(t, err)
				require.Equal(t, []string{"gone"}, p.expired(t, id))
				require.Empty(t, p.files(t, "one"))
			})
		}
	}
}

// One destination that cannot be opened keeps no package at another.
func TestExpiredPackagesGoWhereTheyCan(t *testing.T) {
	t.Parallel()
	p := newPlaces(t, nil)
	p.lead(t, "second", "two")
	p.update(t, func(d *dsr.Definitions) {
		d.Policies["access"].Rules = []graph.Rule{ruleTo("a1", "folder"), ruleTo("a2", "second")}
	})
	id := p.completed(t)
	p.clock.add(25 * time.Hour)
	p.fails(t, "one", errVaultDown)
	_, err := p.engine.Requests().Advance(t.Context(), id)
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.Empty(t, p.expired(t, id))
	require.Equal(t, []string{"r1-a1.json", "r1-a1.manifest.json"}, p.files(t, "one"))
	require.Empty(t, p.files(t, "two"))
	p.fails(t, "one", nil)
	_, err = p.engine.Requests().Advance(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []string{"gone"}, p.expired(t, id))
	require.Empty(t, p.files(t, "one"))
}

// ruleTo is an access rule that delivers to a destination.
func ruleTo(key, destination string) graph.Rule {
	rule := accessRule()
	rule.Key, rule.Destination = key, destination
	return rule
}

// What was delivered before the work began anew lies where its destination led
// then, under the names that the new packages have, and goes with them.
func TestPackagesOfAnEarlierPlanAreRemovedWhereTheyLie(t *testing.T) {
	t.Parallel()
	for name, verb := range map[string]func(*dsr.Requests) dsr.Verb{
		"replanned":   func(r *dsr.Requests) dsr.Verb { return r.Replan },
		"resubmitted": func(r *dsr.Requests) dsr.Verb { return r.Resubmit },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t, nil)
			blocked := filepath.Join(t.TempDir(), "file")
			require.NoError(t, os.WriteFile(blocked, nil, 0o600))
			p.dirs["blocked"] = blocked // a folder that cannot be one
			p.lead(t, "second", "blocked")
			p.update(t, func(d *dsr.Definitions) {
				d.Policies["access"].Rules = []graph.Rule{ruleTo("a1", "folder"), ruleTo("a2", "second")}
			})
			req, err := p.engine.Requests().Submit(t.Context(), submission("access", "ada@example.com"))
			require.NoError(t, err)
			_, err = p.engine.Requests().Advance(t.Context(), req.ID)
			var failed *dsr.FailedError
			require.ErrorAs(t, err, &failed)
			first := []string{"r1-a1.json", "r1-a1.manifest.json"}
			require.Equal(t, first, p.files(t, "one"))

			require.NoError(t, os.Remove(blocked))
			p.lead(t, "folder", "two")
			p.lead(t, "second", "two")
			_, err = verb(p.engine.Requests())(t.Context(), req.ID, dsr.By{})
			require.NoError(t, err)
			req, err = p.engine.Requests().Advance(t.Context(), req.ID)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
			require.Equal(t, first, p.files(t, "one"))
			require.Len(t, p.files(t, "two"), 4)

			p.clock.add(25 * time.Hour)
			_, err = p.engine.Requests().Advance(t.Context(), req.ID)
			require.NoError(t, err)
			require.Equal(t, []string{"gone"}, p.expired(t, req.ID))
			require.Empty(t, p.files(t, "one"))
			require.Empty(t, p.files(t, "two"))
		})
	}
}

// A destination that was removed takes its packages out of reach: the trail says
// that they are left, links say that they are gone, and another one that was made
// under its key is not touched.
func TestPackagesOfARemovedDestination(t *testing.T) {
	t.Parallel()
	for name, anew := range map[string]string{"removed": "", "made anew": "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t, nil)
			id := p.completed(t)
			downloads := p.engine.Downloads()
			token, _, err := downloads.Link(t.Context(), id, "", nil)
			require.NoError(t, err)
			p.removed(t, anew)
			copyFile(t, filepath.Join(p.dirs["one"], "r1.json"), filepath.Join(p.dirs["two"], "r1.json"))

			const gone = `dsr: the data package is no longer there: request r1, whose destination "folder" was removed since`
			_, _, err = downloads.Link(t.Context(), id, "", nil)
			require.EqualError(t, err, gone)
			_, err = downloads.Show(t.Context(), token)
			require.EqualError(t, err, gone)
			_, err = downloads.Open(t.Context(), token, nil)
			require.EqualError(t, err, gone)
			require.ErrorIs(t, err, dsr.ErrPackageGone)

			p.clock.add(25 * time.Hour)
			_, err = p.engine.Requests().Advance(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, []string{leftBehind}, p.expired(t, id))
			require.Equal(t, []string{"r1.json"}, p.files(t, "two"))
			require.Contains(t, p.logs.String(), `"msg":"an expired package stays: its destination was removed","request":"r1","destination":"folder"`)
		})
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, data, 0o600))
}

// A destination that the host takes over under its key serves what was delivered
// to it before. One that the host gives up does not: what people define under its
// key may be another place.
func TestDestinationsMoveIntoConfigOnly(t *testing.T) {
	t.Parallel()
	t.Run("into", func(t *testing.T) {
		t.Parallel()
		p := newPlaces(t, nil)
		id := p.completed(t)
		p.config.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(p.dirs["one"], nil)}}
		p.engine = newEngine(t, p.config)
		next := p.completed(t)
		p.clock.add(25 * time.Hour)
		for _, id := range []string{id, next} {
			_, err := p.engine.Requests().Advance(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, []string{"gone"}, p.expired(t, id))
		}
		require.Empty(t, p.files(t, "one"))
	})
	t.Run("out of", func(t *testing.T) {
		t.Parallel()
		p := newPlaces(t, func(c *dsr.Config) {
			c.Destinations = map[string]dsr.Destination{"host": {Storage: storage.NewFolder(t.TempDir(), nil)}}
		})
		p.update(t, func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Destination = "host" })
		id := p.completed(t)
		p.config.Destinations = nil
		p.engine = newEngine(t, p.config)
		p.lead(t, "host", "two")
		p.clock.add(25 * time.Hour)
		_, err := p.engine.Requests().Advance(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{leftBehind}, p.expired(t, id))
	})
}

// A link whose destination cannot be opened says that this passes, is not used up,
// and opens the package afterwards: the one that was delivered, wherever its
// destination leads now.
func TestDownloadsWaitForTheirDestination(t *testing.T) {
	t.Parallel()
	for name, now := range map[string]string{"there still": "one", "elsewhere since": "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t, nil)
			id := p.completed(t)
			token, _, err := p.engine.Downloads().Link(t.Context(), id, "", &dsr.LinkOptions{Once: true})
			require.NoError(t, err)
			p.lead(t, "folder", now)
			p.fails(t, "one", errVaultDown)

			const down = `dsr: unavailable for now: destination "folder": it cannot be opened`
			downloads := p.engine.Downloads()
			_, err = downloads.Show(t.Context(), token)
			require.EqualError(t, err, "dsr: open the package of request r1: "+down)
			_, err = downloads.Open(t.Context(), token, nil)
			require.EqualError(t, err, "dsr: open the package of request r1: "+down)
			require.ErrorIs(t, err, dsr.ErrUnavailable)
			_, _, err = downloads.Link(t.Context(), id, "", nil)
			require.EqualError(t, err, "dsr: link to a package of request r1: "+down)
			require.ErrorIs(t, err, dsr.ErrUnavailable)

			p.fails(t, "one", nil)
			d, err := p.engine.Downloads().Open(t.Context(), token, nil)
			require.NoError(t, err)
			data, err := io.ReadAll(d.Content)
			require.NoError(t, err)
			require.NoError(t, d.Content.Close())
			require.Contains(t, string(data), "ada@example.com")
		})
	}
}

// deafOutbox is a store that takes no change of messages while it is deaf.
type deafOutbox struct {
	dsr.Store
	mu   sync.Mutex
	deaf bool
}

func (s *deafOutbox) hears(hears bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf = !hears
}

// SaveMessages implements [dsr.Store].
func (s *deafOutbox) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return fmt.Errorf("%w: not now", dsr.ErrUnavailable)
	}
	return s.Store.SaveMessages(ctx, changes)
}

// told are the links of each notice of completion that was sent.
func (p *places) told() (links []int) {
	for _, n := range p.notifier.Notices() {
		if n.Kind == dsr.NoticeComplete {
			links = append(links, len(n.Links))
		}
	}
	return links
}

// unsent is a request that is complete, of which its data subject was not told yet.
func (p *places) unsent(t testing.TB) string {
	t.Helper()
	p.outbox.hears(false)
	id := p.completed(t)
	p.outbox.hears(true)
	require.Empty(t, p.told())
	return id
}

// A data subject is told that all is complete once there is a link, and not
// without it, because a process could not open the destination at that moment.
func TestNoticeWaitsForItsLink(t *testing.T) {
	t.Parallel()
	p := newPlaces(t, func(c *dsr.Config) { c.DownloadURL = aLink })
	id := p.unsent(t)
	p.fails(t, "one", errVaultDown)
	_, err := p.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	require.Empty(t, p.told())
	pending, err := p.engine.Messages().Pending(t.Context(), id, 0)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Equal(t, "unavailable", pending[0].Failure)

	p.fails(t, "one", nil)
	p.clock.add(time.Hour)
	_, err = p.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{1}, p.told())
}

// Where there is no package to link to any more, waiting helps nobody: the notice
// goes without a link, and the operator is told.
func TestNoticeOfARemovedDestinationHasNoLink(t *testing.T) {
	t.Parallel()
	p := newPlaces(t, func(c *dsr.Config) { c.DownloadURL = aLink })
	p.unsent(t)
	p.removed(t, "two")
	_, err := p.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int{0}, p.told())
	require.Contains(t, p.logs.String(), `"msg":"a notice has no link to a package: its destination was removed","request":"r1","rule":"access","destination":"folder"`)
}

// A request that was planned waits for its destination while that cannot be opened
// for now, as one that was not; what does not pass by itself stops it and says so.
func TestPlannedRequestWaitsForItsDestination(t *testing.T) {
	t.Parallel()
	for name, destination := range map[string]string{"named": "folder", "by default": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlaces(t, nil)
			p.update(t, func(d *dsr.Definitions) { d.Policies["access"].Rules[0].Destination = destination })
			id := p.planned(t, "access", "ada@example.com")
			p.fails(t, "one", errVaultDown)
			req, err := retry(t, p.engine, id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusInProcessing, req.Status)
			require.NotNil(t, req.Waiting)
			require.Equal(t, `package of rule "access": it names destination "folder", which cannot be used: it cannot be opened`, req.Waiting.Reason)

			p.fails(t, "one", errTypeBroken)
			p.clock.add(time.Hour)
			_, err = p.engine.Requests().Advance(t.Context(), id)
			require.EqualError(t, err, `dsr: request r1 failed at stage collect: `+req.Waiting.Reason)

			p.fails(t, "one", nil)
			req, err = retry(t, p.engine, id)
			require.NoError(t, err)
			require.Equal(t, dsr.StatusComplete, req.Status)
		})
	}
}
