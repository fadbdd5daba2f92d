package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// Of several packages each has its own link, and a name that tells them apart.
func TestLinksToSeveralPackages(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		first, second := accessRule(), accessRule()
		first.Key, second.Key = "marketing", "billing"
		c.Policies = append(c.Policies, graph.Policy{Key: "two", Rules: []graph.Rule{first, second}})
		c.Destinations = map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(folder, nil)}}
	})
	o.submitted(t, submission("two", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	for i, rule := range []string{"marketing", "billing"} {
		token, _, err := o.engine.Downloads().Link(t.Context(), "r1", rule, nil)
		require.NoError(t, err)
		d, err := o.engine.Downloads().Open(t.Context(), token, nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("personal-data-r1-%d.json", i+1), d.FileName)
		data, err := io.ReadAll(d.Content)
		require.NoError(t, err)
		require.NoError(t, d.Content.Close())
		require.Equal(t, packageFile(t, folder, "r1-"+rule+".json"), string(data))
	}
	_, _, err := o.engine.Downloads().Link(t.Context(), "r1", "", nil)
	require.EqualError(t, err, `dsr: not found: request r1 has no package of rule ""; it has those of: marketing, billing`)
}

// served is a destination that hands out addresses.
type served struct {
	storage.Destination
	expires []time.Duration
	err     error
}

func (s *served) Link(_ context.Context, name string, expires time.Duration, fileName string) (string, error) {
	s.expires = append(s.expires, expires)
	return "https://files.example/" + name + "?as=" + fileName, s.err
}

// openable is one that can be read here as well.
type openable struct {
	*served
	storage.Opener
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	const address = "https://files.example/r1.json?as=personal-data-r1.json"
	for _, c := range []struct {
		name     string
		opens    bool
		link     dsr.LinkOptions
		redirect time.Duration
		want     time.Duration // 0: streamed
	}{
		{"streamed by default", true, dsr.LinkOptions{}, 0, 0},
		{"redirected where wanted", true, dsr.LinkOptions{}, time.Hour, time.Hour},
		{"no longer than the link", true, dsr.LinkOptions{Expires: time.Minute}, time.Hour, time.Minute},
		{"one-time links are streamed", true, dsr.LinkOptions{Once: true}, time.Hour, 0},
		{"where nothing can be read", false, dsr.LinkOptions{}, 0, time.Minute},
		{"where nothing can be read, as wanted", false, dsr.LinkOptions{}, time.Hour, time.Hour},
		{"one-time links are short where nothing can be read", false, dsr.LinkOptions{Once: true}, time.Hour, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := storage.NewFolder(t.TempDir(), nil)
			place := &served{Destination: folder}
			o := newOffice(t, dsr.Flow{}, func(config *dsr.Config) {
				var dest storage.Destination = place
				if c.opens {
					dest = &openable{place, folder}
				}
				config.Destinations = map[string]dsr.Destination{"folder": {Storage: dest}}
			})
			o.submitted(t, submission("access", "ada@example.com"))
			o.advanced(t, "r1", dsr.StatusComplete)
			token := o.link(t, "r1", &c.link)
			shown, err := o.engine.Downloads().Show(t.Context(), token)
			require.NoError(t, err)
			require.Equal(t, !c.opens, shown.Elsewhere)
			require.True(t, shown.Linked)
			require.Empty(t, place.expires)

			place.err = errors.New("down")
			if c.want > 0 {
				_, err := o.engine.Downloads().Open(t.Context(), token, &dsr.OpenOptions{Redirect: c.redirect})
				require.EqualError(t, err, "dsr: link to the package of request r1 at folder: down")
				place.expires, place.err = nil, nil
			}
			d, err := o.engine.Downloads().Open(t.Context(), token, &dsr.OpenOptions{Redirect: c.redirect})
			require.NoError(t, err)
			if c.want == 0 {
				require.Empty(t, d.URL)
				require.Empty(t, place.expires)
				require.NoError(t, d.Content.Close())
			} else {
				require.Nil(t, d.Content)
				require.Equal(t, address, d.URL)
				require.Equal(t, []time.Duration{c.want}, place.expires)
				for name, tell := range tellers() {
					for _, v := range around(*d) {
						require.NotContains(t, tell(v), "files.example", name)
					}
				}
			}
			_, err = o.engine.Downloads().Show(t.Context(), token)
			require.Equal(t, c.link.Once, errors.Is(err, dsr.ErrLinkUsed))
		})
	}
}

// A destination that can neither be read nor linked to, as they are in memory.
func TestNoLinkToADestinationThatGivesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	o.submitted(t, submission("access", "ada@example.com"))
	o.advanced(t, "r1", dsr.StatusComplete)
	_, _, err := o.engine.Downloads().Link(t.Context(), "r1", "", nil)
	require.EqualError(t, err, `dsr: link to a package of request r1: destination "folder" is neither a storage.Opener nor a storage.Linker`)
}

// closing is a destination whose files say whether they were closed.
type closing struct {
	*storage.Folder
	open int
	err  error
}

type closingFile struct {
	storage.File
	from *closing
}

func (c *closing) Open(ctx context.Context, name string) (storage.File, error) {
	if c.err != nil {
		return nil, c.err
	}
	f, err := c.Folder.Open(ctx, name)
	c.open++
	return &closingFile{f, c}, err
}

func (f *closingFile) Close() error {
	f.from.open--
	return f.File.Close()
}

// A package whose opening cannot be stored is closed and not handed out.
func TestOpeningThatIsNotStored(t *testing.T) {
	t.Parallel()
	dest := &closing{Folder: storage.NewFolder(t.TempDir(), nil)}
	p := &process{}
	w := shop(t, eraseShopYAML, eraseShopRows(), nil)
	config := w.config(p, policy(accessRule()))
	config.Destinations = map[string]dsr.Destination{"folder": {Storage: dest}}
	e := newEngine(t, config)
	submit(t, e, "email", "ada@example.com")
	_, err := e.Requests().Advance(t.Context(), "r1")
	require.NoError(t, err)
	token, _, err := e.Downloads().Link(t.Context(), "r1", "", &dsr.LinkOptions{Once: true})
	require.NoError(t, err)
	p.dead.Store(true)
	_, err = e.Downloads().Open(t.Context(), token, nil)
	require.ErrorIs(t, err, errKilled)
	require.Zero(t, dest.open)
	p.dead.Store(false)
	dest.err = fs.ErrPermission
	_, err = e.Downloads().Open(t.Context(), token, nil)
	require.EqualError(t, err, "dsr: open the package of request r1 at folder: permission denied")
	dest.err = nil
	d, err := e.Downloads().Open(t.Context(), token, nil)
	require.NoError(t, err)
	require.Equal(t, 1, dest.open)
	require.NoError(t, d.Content.Close())
}
