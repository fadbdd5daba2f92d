package dsr_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// ended is an office that keeps to rules, with a request for both that is
// complete at the begin, and the folder with its package.
func ended(t *testing.T, rules dsr.Retention) (o *office, folder string) {
	t.Helper()
	folder = t.TempDir()
	o = newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Retention = rules
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(folder, nil)}}
	})
	s := submission("both", "ada@example.com")
	s.By = clerk
	o.submitted(t, s)
	o.advanced(t, "r1", dsr.StatusComplete)
	return o, folder
}

// left says what is left of r1: its record, journal, package, identities,
// remarks, look-ups and log.
func (o *office) left(t testing.TB, folder string) []string {
	t.Helper()
	left := []string{}
	if rec, err := o.store.Request(t.Context(), "r1"); err == nil {
		left = append(left, "request")
		if _, ok := rec.Keys["journal"]; ok {
			left = append(left, "journal key")
		}
	} else {
		require.ErrorIs(t, err, dsr.ErrNotFound)
	}
	chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	if len(chunks) > 0 {
		left = append(left, "journal")
	}
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, file := range files {
		left = append(left, file.Name())
	}
	if _, err := o.Identities(t.Context(), "r1"); err == nil {
		left = append(left, "identities")
	}
	if _, err := o.Remarks(t.Context(), "r1"); err == nil {
		left = append(left, "remarks")
	}
	found, err := o.FindByIdentity(t.Context(), "email", "ada@example.com")
	require.NoError(t, err)
	if len(found) > 0 {
		left = append(left, "look-ups")
	}
	log, err := o.Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	if len(log) > 0 {
		left = append(left, "log")
	}
	return left
}

const (
	packageFiles = "r1.json r1.manifest.json"
	allLeft      = "request journal key journal " + packageFiles + " identities remarks look-ups log"
)

func TestEachRuleOfRetention(t *testing.T) {
	t.Parallel()
	without := func(things ...string) string {
		left := allLeft
		for _, thing := range things {
			left = strings.Replace(left, thing+" ", "", 1)
			left = strings.TrimSuffix(left, " "+thing)
		}
		return left
	}
	noJournal := []string{"journal key", "journal"}
	for _, c := range []struct {
		name          string
		rules         dsr.Retention
		before, after string
		details       string
	}{
		{"journals", dsr.Retention{Journals: time.Hour}, allLeft, without(noJournal...), "journal=gone"},
		{"packages", dsr.Retention{Packages: time.Hour}, without(noJournal...), without(append(noJournal, packageFiles)...), "packages=gone"},
		{"identities", dsr.Retention{Identities: time.Hour}, without(noJournal...), without(append(noJournal, "identities remarks look-ups")...), "identities=gone"},
		{"logs", dsr.Retention{Logs: time.Hour}, without(noJournal...), without(append(noJournal, "log")...), "log=gone"},
		{"requests", dsr.Retention{Requests: time.Hour}, without(noJournal...), packageFiles, "request=gone"},
		{"requests before the rest", dsr.Retention{Requests: time.Hour, Journals: 2 * time.Hour, Packages: 3 * time.Hour, Identities: 4 * time.Hour, Logs: 5 * time.Hour},
			allLeft, "", "identities=gone journal=gone log=gone packages=gone request=gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, folder := ended(t, c.rules)
			require.Equal(t, begin.Add(time.Hour), o.get(t, "r1").DueAt)
			trail, commits := len(o.trail(t, "r1")), o.commits.Load()
			o.clock.add(time.Hour - time.Microsecond)
			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, commits, o.commits.Load())
			require.Equal(t, c.before, strings.Join(o.left(t, folder), " "))

			o.clock.add(time.Microsecond)
			o.advanced(t, "r1", dsr.StatusComplete)
			require.Equal(t, c.after, strings.Join(o.left(t, folder), " "))
			// It counts once.
			for range 3 {
				o.clock.add(24 * time.Hour)
				if _, err := o.Advance(t.Context(), "r1"); c.rules.Requests > 0 {
					require.ErrorIs(t, err, dsr.ErrNotFound)
				} else {
					require.NoError(t, err)
					require.Zero(t, o.get(t, "r1").DueAt)
				}
			}
			require.Equal(t, commits+1, o.commits.Load())
			require.Equal(t, []string{"expired " + c.details}, o.trail(t, "r1")[trail:])
			require.Equal(t, int64(trail+1), o.sound(t).Entries)
		})
	}
}

func TestAllRulesOfRetention(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	o, folder := ended(t, dsr.Retention{Journals: day, Packages: 2 * day, Identities: 3 * day, Logs: 4 * day, Requests: 5 * day})
	trail, commits := len(o.trail(t, "r1")), o.commits.Load()
	for n, want := range []string{
		"request " + packageFiles + " identities remarks look-ups log", "request identities remarks look-ups log", "request log", "request", "",
	} {
		require.Equal(t, begin.Add(time.Duration(n+1)*day), o.get(t, "r1").DueAt)
		o.clock.add(day)
		for range 2 {
			_, err := o.Advance(t.Context(), "r1")
			if err != nil {
				require.ErrorIs(t, err, dsr.ErrNotFound)
			}
		}
		require.Equal(t, commits+int64(n)+1, o.commits.Load())
		require.Equal(t, want, strings.Join(o.left(t, folder), " "))
	}
	require.Equal(t, []string{
		"expired journal=gone", "expired packages=gone", "expired identities=gone", "expired log=gone", "expired request=gone",
	}, o.trail(t, "r1")[trail:])
	require.Equal(t, int64(1), o.sound(t).Chains)
	page, err := o.List(t.Context(), dsr.Filter{Deleted: true, Total: true})
	require.NoError(t, err)
	require.Equal(t, &dsr.Page{}, page)
}

// A process that comes late carries out together what is over by then.
func TestLateRetention(t *testing.T) {
	t.Parallel()
	o, folder := ended(t, dsr.Retention{Journals: time.Hour, Packages: 2 * time.Hour, Identities: 3 * time.Hour, Logs: 10 * time.Hour})
	o.clock.add(4 * time.Hour)
	commits := o.commits.Load()
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "request log", strings.Join(o.left(t, folder), " "))
	require.Equal(t, begin.Add(10*time.Hour), o.get(t, "r1").DueAt)
	require.Equal(t, commits+1, o.commits.Load())
	trail := o.trail(t, "r1")
	require.Equal(t, "expired identities=gone journal=gone packages=gone", trail[len(trail)-1])
}

// A request keeps the rules under which it was submitted.
func TestRulesOfRetentionAreFixed(t *testing.T) {
	t.Parallel()
	o, _ := ended(t, dsr.Retention{Identities: time.Hour})
	c := o.config
	c.Retention = dsr.Retention{Requests: time.Minute}
	later := newEngine(t, c).Requests()
	o.clock.add(time.Hour)
	_, err := later.Advance(t.Context(), "r1")
	require.NoError(t, err)
	trail := o.trail(t, "r1")
	require.Equal(t, "expired identities=gone", trail[len(trail)-1])
}

func TestRetentionOfUnverifiedRequests(t *testing.T) {
	t.Parallel()
	o := newOffice(t, verifying, func(c *dsr.Config) { c.Retention = dsr.Retention{Unverified: time.Hour, Requests: 2 * time.Hour} })
	require.Equal(t, begin.Add(time.Hour), o.submitted(t, submission("both", "ada@example.com")).DueAt)
	o.clock.add(30 * time.Minute)
	require.Equal(t, begin.Add(time.Hour), o.done(t, o.SendCode, "r1", dsr.StatusUnverified).DueAt, "a new code is no new submission")
	o.clock.add(30*time.Minute - time.Microsecond)
	o.advanced(t, "r1", dsr.StatusUnverified)
	o.clock.add(time.Microsecond)
	req := o.advanced(t, "r1", dsr.StatusCanceled)
	require.Equal(t, begin.Add(time.Hour), req.FinishedAt)
	require.Equal(t, begin.Add(3*time.Hour), req.DueAt)
	_, err := o.Verify(t.Context(), "r1", o.code(t))
	require.ErrorIs(t, err, dsr.ErrConflict)
	require.Equal(t, []string{"received", "verification code sent", "verification code sent", "never verified"}, o.actions(t, "r1"))
	require.Equal(t, []string{"r1 received", "r1 verify", "r1 verify", "r1 canceled"}, o.notices())
	// One that is verified in time is not canceled.
	o.submitted(t, submission("both", "bob@example.com"))
	req, err = o.Verify(t.Context(), "r2", o.code(t))
	require.NoError(t, err)
	require.Equal(t, o.clock.Now(), req.DueAt)
	o.clock.add(2 * time.Hour)
	o.advanced(t, "r2", dsr.StatusComplete)
}

// Collected rows go once for each stop, and are collected again when the
// request goes on.
func TestRetentionOfCollectedRows(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Retention = dsr.Retention{Collected: time.Hour, Journals: 100 * time.Hour} })
	o.submitted(t, submission("both", "ada@example.com"))
	o.db().fail("visits", errors.New("no such column"))
	_, err := o.Advance(t.Context(), "r1")
	require.Error(t, err)
	for n, stop := range []string{"failed", "paused"} {
		require.Equal(t, o.clock.Now().Add(time.Hour), o.get(t, "r1").DueAt)
		if stop == "failed" {
			require.NotEmpty(t, o.spool.left(t))
		}
		status, commits := o.get(t, "r1").Status, o.commits.Load()
		o.clock.add(time.Hour)
		o.advanced(t, "r1", status)
		require.Equal(t, commits+1, o.commits.Load())
		require.Empty(t, o.spool.left(t))
		rec, err := o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		require.Len(t, rec.Keys, 1)
		require.Equal(t, []any{dsr.StagePlan, time.Time{}, status}, []any{rec.Stage, rec.DueAt, rec.Status})
		chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
		require.NoError(t, err)
		require.Empty(t, chunks, "a journal that was begun holds rows too")
		o.clock.add(24 * time.Hour)
		_, _ = o.Advance(t.Context(), "r1")
		require.Equal(t, commits+1, o.commits.Load())
		trail := o.trail(t, "r1")
		require.Equal(t, "expired collected rows=gone", trail[len(trail)-1])
		if n == 0 {
			o.db().fail("visits", nil)
			o.done(t, o.Retry, "r1", dsr.StatusInProcessing)
			o.interrupted(t, "before erase", func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
			chunks, err := o.store.Journal(t.Context(), "r1", 0, 0)
			require.NoError(t, err)
			require.Len(t, chunks, 3)
		}
	}
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, map[string]int{"customers": 3, "orders": 3, "visits": 3}, o.db().readCounts())
	for text, n := range o.db().written {
		require.Equal(t, 1, n, text)
	}
}

// Once the erasure has begun, what it needs stays, however long it is paused.
func TestNothingOfAnErasureExpires(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Retention = dsr.Retention{Collected: time.Hour}
	})
	o.submitted(t, submission("both", "ada@example.com"))
	o.interrupted(t, "applied 1", func() { o.done(t, o.Pause, "r1", dsr.StatusPaused) })
	require.Zero(t, o.get(t, "r1").DueAt)
	o.clock.add(1000 * time.Hour)
	o.advanced(t, "r1", dsr.StatusPaused)
	o.done(t, o.Resume, "r1", dsr.StatusInProcessing)
	require.NoError(t, o.check(t, o.advanced(t, "r1", dsr.StatusComplete)))
}

// What cannot be removed is told, once, and stops no other rule.
func TestPackagesOfADestinationThatCannotRemove(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { c.Retention = dsr.Retention{Packages: time.Hour, Requests: 2 * time.Hour} })
	o.submitted(t, submission("both", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Contains(t, o.trail(t, "r1"), "expired packages=1 left, whose destinations cannot remove them")
	o.clock.add(time.Hour)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, 1, strings.Count(o.logs.String(), `"level":"WARN"`))
	require.Contains(t, o.logs.String(), `"msg":"an expired package stays: its destination cannot remove it","request":"r1","destination":"folder"}`)
	require.Equal(t, []string{"r1.json", "r1.manifest.json"}, o.packages.names())
	_, err := o.Get(t.Context(), "r1")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// brokenFolder cannot remove, as long as it is broken.
type brokenFolder struct {
	*storage.Folder
	err error
}

func (f *brokenFolder) Remove(ctx context.Context, name string) error {
	if f.err != nil {
		return f.err
	}
	return f.Folder.Remove(ctx, name)
}

func TestPackageThatCannotBeRemovedNow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := &brokenFolder{storage.NewFolder(dir, nil), errors.New("read-only file system")}
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		c.Retention = dsr.Retention{Packages: time.Hour, Identities: time.Hour}
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: folder}}
	})
	o.submitted(t, submission("both", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	o.clock.add(time.Hour)
	commits := o.commits.Load()
	_, err := o.Advance(t.Context(), "r1")
	require.EqualError(t, err, "dsr: remove the expired package of request r1 from folder: read-only file system")
	require.Equal(t, commits, o.commits.Load())
	require.Equal(t, begin.Add(time.Hour), o.get(t, "r1").DueAt, "it stays due")
	folder.err = nil
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, "request log", strings.Join(o.left(t, dir), " "))
}
