package graph_test

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

var languages = []string{"en", "de", "fr", "es"}

// current are the categories that are no legacy ones.
func current(t *testing.T) []graph.Category {
	t.Helper()
	file, err := os.Open("categories.csv")
	require.NoError(t, err)
	defer file.Close()
	var all []graph.Category
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if column := strings.Split(lines.Text(), ","); column[1] == "current" {
			all = append(all, graph.Category(column[0]))
		}
	}
	require.Len(t, all, 85)
	return all
}

// Every category has a label of its own in every language that is built in:
// short, of one line, in sentence case, and no key.
func TestLabelsOfEveryCategory(t *testing.T) {
	t.Parallel()
	taxonomy := graph.DefaultTaxonomy()
	for _, language := range languages {
		for _, c := range taxonomy.All() {
			label := taxonomy.Label(c, language)
			require.NotContains(t, label, "_", "%s in %s", c, language)
			require.NotContains(t, label, ".", "%s in %s", c, language)
			require.NotContains(t, label, "'", "%s in %s: want the typographic apostrophe", c, language)
			require.Equal(t, strings.TrimSpace(label), label)
			require.LessOrEqual(t, utf8.RuneCountInString(label), 40, "%s in %s", c, language)
			first, _ := utf8.DecodeRuneInString(label)
			require.True(t, unicode.IsUpper(first), "%s in %s", c, language)
		}
		taken := map[string]graph.Category{}
		for _, c := range current(t) {
			label := taxonomy.Label(c, language)
			require.Empty(t, taken[label], "%s and %s are both %q in %s", taken[label], c, label, language)
			taken[label] = c
		}
	}
}

// The table has a row for each category that has no successor, with a label in
// each language, and none besides: nothing falls back to English or to a key.
func TestLabelTable(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("labels.csv")
	require.NoError(t, err)
	require.NotContains(t, string(file), "\r")
	rows := strings.Split(strings.TrimSuffix(string(file), "\n"), "\n")
	require.Equal(t, "key,"+strings.Join(languages, ","), rows[0])
	taxonomy := graph.DefaultTaxonomy()
	var keys, want []graph.Category
	for _, row := range rows[1:] {
		column := strings.Split(row, ",")
		require.Len(t, column, 1+len(languages), row)
		require.NotContains(t, column, "", row)
		keys = append(keys, graph.Category(column[0]))
		for i, language := range languages {
			require.Equal(t, column[i+1], taxonomy.Label(graph.Category(column[0]), language))
		}
	}
	for _, c := range taxonomy.All() {
		if _, ok := taxonomy.ReplacedBy(c); !ok {
			want = append(want, c)
		}
	}
	require.Equal(t, want, keys)
}

func TestLabelFallsBack(t *testing.T) {
	t.Parallel()
	taxonomy, err := graph.DefaultTaxonomy().With("shop", "shop.loyalty_tier", "shop.<weird>-key_", "shop.__")
	require.NoError(t, err)
	for _, tc := range []struct {
		category graph.Category
		locale   string
		want     string
	}{
		{"user.contact.email", "", "E-mail address"},
		{"user.contact.email", "en", "E-mail address"},
		{"user.contact.email", "en-US", "E-mail address"},
		{"user.contact.email", "de", "E-Mail-Adresse"},
		{"user.contact.email", "DE", "E-Mail-Adresse"},
		{"user.contact.email", "de-AT", "E-Mail-Adresse"},
		{"user.contact.email", "de-Latn-AT-1996", "E-Mail-Adresse"},
		{"user.contact.email", "fr-CA", "Adresse e-mail"},
		{"user.contact.email", "es-419", "Correo electrónico"},
		{"user.contact.email", "ja", "E-mail address"},
		{"user.contact.email", "den", "E-mail address"},
		{"user.contact.email", "-", "E-mail address"},
		{"user.provided.identifiable.contact.email", "de", "E-Mail-Adresse"},
		{"user.derived.identifiable.user_sensor", "de", "Sensordaten"},
		{"account.payment", "fr", "Informations de paiement"},
		{"shop.loyalty_tier", "de", "Loyalty tier"},
		{"shop.<weird>-key_", "", "Weird key"},
		{"shop.__", "", "shop.__"},
		{"no.such_category", "fr", "Such category"},
		{"", "de", ""},
	} {
		require.Equal(t, tc.want, taxonomy.Label(tc.category, tc.locale), "%s in %q", tc.category, tc.locale)
	}
	require.Equal(t, "Email", (&graph.Taxonomy{}).Label("user.contact.email", "de"))
}

func TestLabelsOfTheHost(t *testing.T) {
	t.Parallel()
	plain, err := graph.DefaultTaxonomy().With("shop", "shop.loyalty_tier")
	require.NoError(t, err)
	german, err := plain.WithLabels("de", map[graph.Category]string{"shop.loyalty_tier": " Treuestufe ", "user.contact.email": "Mailadresse"})
	require.NoError(t, err)
	both, err := german.WithLabels("pt-BR", map[graph.Category]string{"user.contact.email": "E-mail", "user.name": "Nome"})
	require.NoError(t, err)
	all, err := both.WithLabels("EN", map[graph.Category]string{"shop.loyalty_tier": "Loyalty level"})
	require.NoError(t, err)
	all, err = all.With("shop.size")
	require.NoError(t, err)
	for _, tc := range []struct {
		taxonomy *graph.Taxonomy
		category graph.Category
		locale   string
		want     string
	}{
		{german, "shop.loyalty_tier", "de-CH", "Treuestufe"},
		{german, "shop.loyalty_tier", "fr", "Loyalty tier"},
		{german, "user.contact.email", "de", "Mailadresse"},
		{german, "user.provided.identifiable.contact.email", "de", "Mailadresse"},
		{german, "user.name", "de", "Name"},
		{plain, "user.contact.email", "de", "E-Mail-Adresse"},
		{german, "user.name", "pt-BR", "Name"},
		{both, "user.name", "pt-br", "Nome"},
		{both, "user.name", "pt", "Name"},
		{all, "shop.loyalty_tier", "fr", "Loyalty level"},
		{all, "shop.loyalty_tier", "de", "Treuestufe"},
		{all, "user.contact.email", "pt-BR", "E-mail"},
		{graph.DefaultTaxonomy(), "user.contact.email", "de", "E-Mail-Adresse"},
	} {
		require.Equal(t, tc.want, tc.taxonomy.Label(tc.category, tc.locale), "%s in %q", tc.category, tc.locale)
	}

	words := map[graph.Category]string{"user.name": "Nom"}
	own, err := plain.WithLabels("ca", words)
	require.NoError(t, err)
	words["user.name"] = "changed"
	require.Equal(t, "Nom", own.Label("user.name", "ca"), "the caller's map is not kept")

	_, err = plain.WithLabels("d", map[graph.Category]string{
		"garden.gnome": "Zwerg", "user": " ", "user.name": "two\nlines", "user.contact": strings.Repeat("ß", 101), "user.contact.url": strings.Repeat("ß", 100), "shop": "\xff",
	})
	require.EqualError(t, err, `dsr: 6 faults:
	error: locale: not a language by BCP 47, such as de or pt-BR
	error: garden.gnome: not a data category of this taxonomy: add it with Taxonomy.With before its label
	error: shop: the label is not one line of valid UTF-8 text
	error: user: the label is blank
	error: user.contact: the label has more than 100 characters
	error: user.name: the label is not one line of valid UTF-8 text`)
	for _, locale := range []string{"", "-", "de-", "de_AT", "9a", "abcdefghi", "de-ä"} {
		_, err := plain.WithLabels(locale, nil)
		require.EqualError(t, err, "dsr: error: locale: not a language by BCP 47, such as de or pt-BR", locale)
	}
}
