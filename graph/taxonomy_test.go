package graph_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestTaxonomyDefault(t *testing.T) {
	t.Parallel()
	taxonomy := graph.DefaultTaxonomy()
	all := taxonomy.All()
	require.Len(t, all, 178)
	require.True(t, slices.IsSorted(all))
	for _, c := range all {
		require.True(t, taxonomy.Has(c))
		if parent, ok := taxonomy.Parent(c); ok {
			require.True(t, taxonomy.Has(parent), c)
			require.True(t, c.Within(parent), c)
		}
		if next, ok := taxonomy.ReplacedBy(c); ok {
			require.True(t, taxonomy.Has(next), c)
			require.NotEqual(t, c, next)
		}
	}
	require.False(t, taxonomy.Has(""))
	require.False(t, taxonomy.Has("user.contact.phone"))
}

func TestTaxonomyRelations(t *testing.T) {
	t.Parallel()
	taxonomy := graph.DefaultTaxonomy()
	for _, tc := range []struct{ category, parent, next graph.Category }{
		{"user", "", ""},
		{"user.name", "user", ""},
		{"user.contact.address.city", "user.contact.address", ""},
		{"user.provided.identifiable.contact", "user.provided.identifiable", "user.contact"},
		{"user.provided.identifiable.contact.email", "user.provided.identifiable.contact", "user.contact.email"},
		{"user.provided.identifiable.workplace", "user.provided.identifiable", "user.workplace"},
		{"user.derived.identifiable.gender", "user.derived.identifiable", "user.gender"},
		{"user.gender", "user", ""},
		{"no.such", "", ""},
	} {
		parent, ok := taxonomy.Parent(tc.category)
		require.Equal(t, tc.parent, parent, tc.category)
		require.Equal(t, tc.parent != "", ok, tc.category)
		next, ok := taxonomy.ReplacedBy(tc.category)
		require.Equal(t, tc.next, next, tc.category)
		require.Equal(t, tc.next != "", ok, tc.category)
	}
}

func TestTaxonomyNearest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ category, want graph.Category }{
		{"user.contact.phone", "user.contact.phone_number"},
		{"user.nam", "user.name"},
		{"user.contact.emial", "user.contact.email"},
		{"user.contacts.email", "user.contact.email"},
		{"User.Name", "user.name"},
		{"user.demographic.sex", "user.demographic.sexual_orientation"},
		{"user.favourite_colour", ""},
		{"invoices", ""},
		{"", ""},
	} {
		got, ok := graph.DefaultTaxonomy().Nearest(tc.category)
		require.Equal(t, tc.want, got, tc.category)
		require.Equal(t, tc.want != "", ok, tc.category)
	}
}

func TestTaxonomyWith(t *testing.T) {
	t.Parallel()
	taxonomy := graph.DefaultTaxonomy()
	own, err := taxonomy.With("shop.loyalty.tier", "shop.loyalty", "shop", "user.name.nick-name_<2>", "user.name")
	require.NoError(t, err)
	require.Len(t, own.All(), len(taxonomy.All())+4)
	require.True(t, own.Has("shop.loyalty.tier"))
	require.False(t, taxonomy.Has("shop"), "the taxonomy it comes from stays as it is")

	next, ok := own.ReplacedBy("account.payment")
	require.True(t, ok)
	require.Equal(t, graph.Category("user.financial.payment_information"), next)

	_, err = taxonomy.With("user.shoe size", "user.name", "garden.gnome", "user..x", "", "garden2")
	require.EqualError(t, err, `dsr: 4 faults:
	error: user.shoe size: not a data category: want letters, digits and _ < > - in segments joined by dots
	error: user..x: not a data category: want letters, digits and _ < > - in segments joined by dots
	error: not a data category: want letters, digits and _ < > - in segments joined by dots
	error: garden.gnome: the parent garden is not a data category: add it as well`)
}
