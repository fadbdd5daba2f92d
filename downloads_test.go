package dsr_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// link makes a link to a package of a request, which must work.
func (o *office) link(t testing.TB, id string, opts *dsr.LinkOptions) string {
	t.Helper()
	token, _, err := o.engine.Downloads().Link(t.Context(), id, "", opts)
	require.NoError(t, err)
	return token
}

// open opens a link and returns what is downloaded.
func (o *office) open(t testing.TB, token string) (string, error) {
	t.Helper()
	d, err := o.engine.Downloads().Open(t.Context(), token, nil)
	if err != nil {
		require.Nil(t, d)
		return "", err
	}
	data, err := io.ReadAll(d.Content)
	require.NoError(t, err)
	require.NoError(t, d.Content.Close())
	require.Equal(t, d.SHA256, sha256Hex(data))
	require.Equal(t, d.Size, int64(len(data)))
	return string(data), nil
}

// packageFile reads a file at the destination.
func packageFile(t testing.TB, folder, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	require.NoError(t, err)
	return string(data)
}

func TestLinkIsOpened(t *testing.T) {
	t.Parallel()
	o, folder := ended(t, dsr.Retention{})
	trail := len(o.trail(t, "r1"))
	token, expires, err := o.engine.Downloads().Link(t.Context(), "r1", "access", &dsr.LinkOptions{By: clerk})
	require.NoError(t, err)
	require.Equal(t, begin.Add(5*24*time.Hour), expires)
	require.Regexp(t, `^[A-Za-z0-9_-]{20,200}$`, token)

	want := packageFile(t, folder, "r1.json")
	shown, err := o.engine.Downloads().Show(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, &dsr.Download{
		RequestID: "r1", FileName: "personal-data-r1.json", ContentType: "application/json",
		Size: int64(len(want)), SHA256: sha256Hex([]byte(want)), Expires: expires,
	}, shown)
	require.Len(t, o.trail(t, "r1"), trail+1, "to show is not to open")

	// What is opened again and again is told once an hour.
	for range 3 {
		data, err := o.open(t, token)
		require.NoError(t, err)
		require.Equal(t, want, data)
	}
	o.clock.add(time.Hour - time.Microsecond)
	_, err = o.open(t, token)
	require.NoError(t, err)
	o.clock.add(time.Microsecond)
	_, err = o.open(t, token)
	require.NoError(t, err)
	entries := o.trail(t, "r1")[trail:]
	require.Len(t, entries, 3)
	require.Regexp(t, `^download link made by clerk-7 expires=2030-01-07T03:04:05Z link=[0-9a-f]{16} once=false rule=access$`, entries[0])
	link := strings.Fields(strings.SplitN(entries[0], "link=", 2)[1])[0]
	require.Equal(t, []string{"downloaded link=" + link + " rule=access", "downloaded link=" + link + " rule=access"}, entries[1:])
	remarks, err := o.Remarks(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.Remark{Time: begin, Action: "download link made", Actor: clerk.Actor, Reason: clerk.Reason}, remarks[len(remarks)-1])
	log, err := o.Log(t.Context(), "r1", 0, 0)
	require.NoError(t, err)
	last := log[len(log)-1]
	require.Equal(t, dsr.Event{Seq: last.Seq, Time: begin.Add(time.Hour), Kind: "downloaded", Action: graph.Access, Status: "complete", Rows: last.Rows, Message: "package of rule access"}, last)
	require.Equal(t, o.get(t, "r1").Packages[0].Rows, last.Rows)
	o.sound(t)
	require.NotContains(t, o.logs.String(), token)
}

// A link works up to its last microsecond.
func TestLinkExpires(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		rules  dsr.Retention
		opts   dsr.LinkOptions
		works  time.Duration
		reason error
	}{
		{"default", dsr.Retention{}, dsr.LinkOptions{}, 5 * 24 * time.Hour, dsr.ErrLinkExpired},
		{"as asked for", dsr.Retention{}, dsr.LinkOptions{Expires: time.Second}, time.Second, dsr.ErrLinkExpired},
		{"once", dsr.Retention{}, dsr.LinkOptions{Expires: time.Second, Once: true}, time.Second, dsr.ErrLinkExpired},
		{"with the package", dsr.Retention{Packages: time.Hour}, dsr.LinkOptions{}, time.Hour, dsr.ErrLinkExpired},
		{"with the request", dsr.Retention{Packages: 2 * time.Hour, Requests: time.Hour}, dsr.LinkOptions{}, time.Hour, dsr.ErrLinkExpired},
		{"before the package", dsr.Retention{Packages: time.Hour}, dsr.LinkOptions{Expires: time.Minute}, time.Minute, dsr.ErrLinkExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, _ := ended(t, c.rules)
			token, expires, err := o.engine.Downloads().Link(t.Context(), "r1", "", &c.opts)
			require.NoError(t, err)
			require.Equal(t, begin.Add(c.works), expires)
			o.clock.add(c.works - time.Microsecond)
			_, err = o.engine.Downloads().Show(t.Context(), token)
			require.NoError(t, err)
			o.clock.add(time.Microsecond)
			commits := o.commits.Load()
			_, err = o.open(t, token)
			require.ErrorIs(t, err, c.reason)
			require.EqualError(t, err, "dsr: the download link has expired: one to a package of request r1")
			_, err = o.engine.Downloads().Show(t.Context(), token)
			require.ErrorIs(t, err, c.reason)
			require.Equal(t, commits, o.commits.Load())
		})
	}
}

// Nobody can make a token or change one, be it in a single bit.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	o, _ := ended(t, dsr.Retention{})
	token := o.link(t, "r1", nil)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	forged := []string{"", "=", "r1", token + "A", token + "=", token[1:], token[:len(token)-1], token + "\n", "\r" + token, token[:9] + "\n" + token[9:],
		strings.Repeat("A", 10_000), strings.Repeat(token, 2), "\x00", "ü", "../../etc/passwd"}
	for i := range token {
		at := strings.IndexByte(alphabet, token[i])
		for bit := range 6 {
			forged = append(forged, token[:i]+string(alphabet[at^(1<<bit)])+token[i+1:])
		}
	}
	other, _ := ended(t, dsr.Retention{}) // with another keyring
	forged = append(forged, other.link(t, "r1", nil))
	commits := o.commits.Load()
	for _, token := range forged {
		_, err := o.open(t, token)
		require.ErrorIs(t, err, dsr.ErrNotFound)
		require.EqualError(t, err, "dsr: not found: download link")
		_, err = o.engine.Downloads().Show(t.Context(), token)
		require.EqualError(t, err, "dsr: not found: download link")
	}
	require.Equal(t, commits, o.commits.Load())
	_, err := o.open(t, token)
	require.NoError(t, err)
}

// gathering is a destination that opens nothing before all who want to have
// come.
type gathering struct {
	*storage.Folder
	coming sync.WaitGroup
}

func (g *gathering) Open(ctx context.Context, name string) (storage.File, error) {
	g.coming.Done()
	g.coming.Wait()
	return g.Folder.Open(ctx, name)
}

// A one-time link is opened once, whoever is how fast: here, two engines on one
// store, by whom all openers were let in before the first of them was noted.
func TestOneTimeLink(t *testing.T) {
	t.Parallel()
	o, folder := ended(t, dsr.Retention{})
	token := o.link(t, "r1", &dsr.LinkOptions{Once: true})
	const openers = 16
	gate, config := &gathering{Folder: storage.NewFolder(folder, nil)}, o.config
	gate.coming.Add(openers)
	config.Destinations = map[string]dsr.Destination{"folder": {Storage: gate}}
	first, second := newEngine(t, config), newEngine(t, config)
	for range 3 {
		d, err := second.Downloads().Show(t.Context(), token)
		require.NoError(t, err)
		require.True(t, d.Once)
	}
	trail := len(o.trail(t, "r1"))
	var wg sync.WaitGroup
	var mu sync.Mutex
	var got []string
	var refused []error
	for i := range openers {
		engine := []*dsr.Engine{first, second}[i%2]
		wg.Go(func() {
			d, err := engine.Downloads().Open(t.Context(), token, nil)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err)
				return
			}
			data, err := io.ReadAll(d.Content)
			got = append(got, string(data))
			refused = append(refused, err, d.Content.Close())
		})
	}
	wg.Wait()
	require.Equal(t, []string{packageFile(t, folder, "r1.json")}, got)
	used := 0
	for _, err := range refused {
		if err != nil {
			require.EqualError(t, err, "dsr: the download link was used already: one to a package of request r1")
			require.ErrorIs(t, err, dsr.ErrLinkUsed)
			used++
		}
	}
	require.Equal(t, openers-1, used)
	require.Len(t, o.trail(t, "r1"), trail+1)
	_, err := second.Downloads().Show(t.Context(), token)
	require.ErrorIs(t, err, dsr.ErrLinkUsed)

	// A link beside it works, and what was used stays used as long as
	// another process may believe in the link, by a clock that is late.
	o.clock.add(5 * 24 * time.Hour)
	_, err = o.open(t, o.link(t, "r1", &dsr.LinkOptions{Once: true}))
	require.NoError(t, err)
	config = o.config
	config.Clock = func() time.Time { return o.clock.Now().Add(-time.Hour) }
	_, err = newEngine(t, config).Downloads().Open(t.Context(), token, nil)
	require.ErrorIs(t, err, dsr.ErrLinkUsed)
}

// Used links are forgotten once they would not work anyhow.
func TestUsedLinksAreForgotten(t *testing.T) {
	t.Parallel()
	o, _ := ended(t, dsr.Retention{})
	size := func() int {
		rec, err := o.store.Request(t.Context(), "r1")
		require.NoError(t, err)
		return strings.Count(string(rec.Outcomes), `"until"`)
	}
	for n := range 3 {
		_, err := o.open(t, o.link(t, "r1", &dsr.LinkOptions{Once: true, Expires: time.Hour}))
		require.NoError(t, err)
		require.Equal(t, n+1, size())
	}
	o.clock.add(25 * time.Hour)
	_, err := o.open(t, o.link(t, "r1", &dsr.LinkOptions{Once: true}))
	require.NoError(t, err)
	require.Equal(t, 1, size())
}

// A package that cannot be opened leaves a one-time link unused.
func TestFailedOpeningUsesNothingUp(t *testing.T) {
	t.Parallel()
	o, folder := ended(t, dsr.Retention{})
	token := o.link(t, "r1", &dsr.LinkOptions{Once: true})
	name := filepath.Join(folder, "r1.json")
	want := packageFile(t, folder, "r1.json")

	require.NoError(t, os.WriteFile(name, []byte(want+" "), 0o600))
	_, err := o.open(t, token)
	require.ErrorIs(t, err, dsr.ErrPackageGone)
	require.EqualError(t, err, fmt.Sprintf("dsr: the data package is no longer there: the file of request r1 at folder has %d bytes, and %d were delivered", len(want)+1, len(want)))
	require.NoError(t, os.Remove(name))
	_, err = o.open(t, token)
	require.EqualError(t, err, "dsr: the data package is no longer there: request r1, destination folder")
	require.NoError(t, os.WriteFile(name, []byte(want), 0o600))
	data, err := o.open(t, token)
	require.NoError(t, err)
	require.Equal(t, want, data)
	_, err = o.open(t, token)
	require.ErrorIs(t, err, dsr.ErrLinkUsed)
}

// What comes after a link was made is looked at when it is opened.
func TestLinksToWhatIsGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules dsr.Retention
		do    func(t *testing.T, o *office)
		cause error
		text  string
	}{
		{"deleted", dsr.Retention{}, func(t *testing.T, o *office) {
			_, err := o.Delete(t.Context(), "r1", clerk)
			require.NoError(t, err)
		}, dsr.ErrDeleted, "dsr: cannot download request r1: it was deleted on 2030-01-02"},
		{"removed", dsr.Retention{}, func(t *testing.T, o *office) {
			rec, err := o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			require.NoError(t, o.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version, Record: dsr.Record{ID: "r1", Version: rec.Version + 1, Epoch: rec.Epoch}, Remove: true}))
		}, dsr.ErrPackageGone, "dsr: the data package is no longer there: request r1 was removed"},
		{"delivered anew", dsr.Retention{}, func(t *testing.T, o *office) {
			rec, err := o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			digest := o.get(t, "r1").Packages[0].SHA256
			rec.Outcomes = []byte(strings.ReplaceAll(string(rec.Outcomes), digest, strings.Repeat("0", 64)))
			rec.Version++
			require.NoError(t, o.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
		}, dsr.ErrPackageGone, "dsr: the data package is no longer there: request r1 has another one in its place"},
		{"not complete", dsr.Retention{}, func(t *testing.T, o *office) {
			rec, err := o.store.Request(t.Context(), "r1")
			require.NoError(t, err)
			rec.Status, rec.Version = dsr.StatusError, rec.Version+1
			require.NoError(t, o.store.Commit(t.Context(), &dsr.StoreChange{ExpectVersion: rec.Version - 1, Record: *rec}))
		}, dsr.ErrConflict, "dsr: cannot download request r1: it is error; packages are handed over of a request that is complete"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, _ := ended(t, c.rules)
			token := o.link(t, "r1", &dsr.LinkOptions{Once: true})
			c.do(t, o)
			commits := o.commits.Load()
			_, err := o.engine.Downloads().Show(t.Context(), token)
			require.ErrorIs(t, err, c.cause)
			require.EqualError(t, err, c.text)
			_, err = o.open(t, token)
			require.EqualError(t, err, c.text)
			require.Equal(t, commits, o.commits.Load())
		})
	}
}

// Retention counts from its time, whether or not it was carried out by then.
func TestNoLinkAfterRetention(t *testing.T) {
	t.Parallel()
	o, folder := ended(t, dsr.Retention{Packages: time.Hour})
	o.clock.add(time.Hour)
	const text = "dsr: the data package is no longer there: the packages of request r1 were kept for their time"
	_, _, err := o.engine.Downloads().Link(t.Context(), "r1", "", nil)
	require.EqualError(t, err, text)
	require.FileExists(t, filepath.Join(folder, "r1.json"))
	o.advanced(t, "r1", dsr.StatusComplete)
	require.NoFileExists(t, filepath.Join(folder, "r1.json"))
	_, _, err = o.engine.Downloads().Link(t.Context(), "r1", "", nil)
	require.EqualError(t, err, text)
	require.ErrorIs(t, err, dsr.ErrPackageGone)
}

func TestNoLink(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) {
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(t.TempDir(), nil)}}
	})
	for range 3 {
		o.submitted(t, submission("access", "ada@example.com"))
	}
	o.submitted(t, submission("erase", "ada@example.com"))
	o.done(t, o.Cancel, "r2", dsr.StatusCanceled)
	for _, id := range []string{"r3", "r4"} {
		o.done(t, o.Approve, id, dsr.StatusApproved)
		o.advanced(t, id, dsr.StatusComplete)
	}
	commits := o.commits.Load()
	for _, c := range []struct {
		name, id, rule string
		opts           *dsr.LinkOptions
		cause          error
		text           string
	}{
		{"pending", "r1", "", nil, dsr.ErrConflict, "dsr: cannot download request r1: it is pending; packages are handed over of a request that is complete"},
		{"canceled", "r2", "access", nil, dsr.ErrConflict, "dsr: cannot download request r2: it is canceled; packages are handed over of a request that is complete"},
		{"unknown rule", "r3", "other", nil, dsr.ErrNotFound, `dsr: not found: request r3 has no package of rule "other"; it has those of: access`},
		{"no package", "r4", "", nil, dsr.ErrNotFound, "dsr: not found: request r4 has no data package, since its policy hands nothing over"},
		{"unknown request", "r9", "", nil, dsr.ErrNotFound, `memory: request "r9": dsr: not found`},
		{"negative", "r3", "", &dsr.LinkOptions{Expires: -1}, nil, "dsr: link to a package of request r3: LinkOptions.Expires is -1ns; it must be positive, and a year at most"},
		{"a long actor", "r3", "", &dsr.LinkOptions{By: dsr.By{Actor: strings.Repeat("a", 1001)}}, nil,
			"dsr: link to a package of request r3: the actor's name has more than 1000 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, expires, err := o.engine.Downloads().Link(t.Context(), c.id, c.rule, c.opts)
			require.EqualError(t, err, c.text)
			require.Empty(t, token)
			require.Zero(t, expires)
			if c.cause != nil {
				require.ErrorIs(t, err, c.cause)
			}
		})
	}
	require.Equal(t, commits, o.commits.Load())
}
