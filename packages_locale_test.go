package dsr_test

import (
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

// telling is a format that keeps what it was told, in the place of writing it.
type telling struct {
	storage.JSON
	mu          sync.Mutex
	about       *storage.About
	collections map[string]*storage.Collection
}

func (f *telling) Tabular() bool { return true }

func (f *telling) NewWriter(w io.Writer, about *storage.About) (storage.Writer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.about, f.collections = about, map[string]*storage.Collection{}
	out, err := f.JSON.NewWriter(w, about)
	return &tellingWriter{out, f}, err
}

type tellingWriter struct {
	storage.Writer
	format *telling
}

func (w *tellingWriter) Collection(c *storage.Collection) error {
	w.format.collections[c.Key()] = c
	return w.Writer.Collection(c)
}

// columns are the categories of each column, by name.
func (f *telling) columns(key string) map[string][]string {
	found := map[string][]string{}
	for _, column := range f.collections[key].Columns {
		found[column.Path[0]] = column.Categories
	}
	return found
}

// told runs a request of Ada's in a language, and returns what its package was
// told.
func told(t *testing.T, locale string, change func(*dsr.Config)) *telling {
	t.Helper()
	f := &telling{}
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) {
		destined(func(d *dsr.Destination) { d.Format = f })(c)
		if change != nil {
			change(c)
		}
	})
	s := submission("access", "ada@example.com", "ada@work.example.com")
	s.Locale, s.RequestedAt = locale, begin.Add(-time.Hour)
	o.submitted(t, s)
	o.advanced(t, "r1", dsr.StatusComplete)
	return f
}

// What a package is told reaches it in the language of the data subject.
func TestLocaleReachesThePackage(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]struct {
		columns map[string][]string
		all     []string
	}{
		"de": {
			map[string][]string{"id": {"Kunden- oder Benutzernummer"}, "email": {"E-Mail-Adresse"}, "name": {"Name"}},
			[]string{"E-Mail-Adresse", "Kunden- oder Benutzernummer", "Name"},
		},
		"de-AT": {
			map[string][]string{"id": {"Kunden- oder Benutzernummer"}, "email": {"E-Mail-Adresse"}, "name": {"Name"}},
			[]string{"E-Mail-Adresse", "Kunden- oder Benutzernummer", "Name"},
		},
		"fr-CA": {
			map[string][]string{"id": {"Numéro de client ou d’utilisateur"}, "email": {"Adresse e-mail"}, "name": {"Nom complet"}},
			[]string{"Adresse e-mail", "Nom complet", "Numéro de client ou d’utilisateur"},
		},
		"": {
			map[string][]string{"id": {"Customer or user number"}, "email": {"E-mail address"}, "name": {"Name"}},
			[]string{"Customer or user number", "E-mail address", "Name"},
		},
	} {
		f := told(t, locale, nil)
		require.Equal(t, want.columns, f.columns("shop:customers"), locale)
		require.Equal(t, want.all, f.collections["shop:customers"].Categories, locale)
		require.Equal(t, []string{"shop:customers", "shop:orders", "shop:visits"}, slices.Sorted(maps.Keys(f.collections)))
		require.Equal(t, &storage.About{
			RequestID: "r1", RequestedAt: begin.Add(-time.Hour), Created: begin, Locale: locale,
			Identities: []storage.Identity{{Kind: "email", Values: []string{"ada@example.com", "ada@work.example.com"}}},
		}, f.about)
	}
}

// A host's own words take the place of those that are built in.
func TestOwnLabelsReachThePackage(t *testing.T) {
	t.Parallel()
	f := told(t, "de", func(c *dsr.Config) {
		taxonomy, err := graph.DefaultTaxonomy().WithLabels("de", map[graph.Category]string{"user.unique_id": "Kundennummer", "user.content": "Notizen"})
		require.NoError(t, err)
		c.Taxonomy = taxonomy
	})
	require.Equal(t, []string{"Kundennummer"}, f.columns("shop:customers")["id"])
	require.Equal(t, []string{"E-Mail-Adresse"}, f.columns("shop:customers")["email"])
	require.Equal(t, map[string][]string{"buyer": {"E-Mail-Adresse"}, "note": {"Notizen"}}, f.columns("shop:orders"))
}

func TestLocaleThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	for _, locale := range []string{"german!", "d", "de_AT", "de-", "1234"} {
		s := submission("access", "ada@example.com")
		s.Locale = locale
		_, err := o.Submit(t.Context(), s)
		require.EqualError(t, err, "dsr: error: submission: its locale is no language tag by BCP 47, such as de or pt-BR")
	}
	require.Zero(t, o.commits.Load())
}
