package storage_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

func TestHTMLLanguages(t *testing.T) {
	t.Parallel()
	own := map[string]storage.Texts{
		"pt":    {Title: "Os seus dados", Null: "vazio"},
		"PT_br": {Title: "Seus dados"},
		"de":    {Title: "Deine Daten"},
		"ar":    {Title: "بياناتك"},
		"fr":    {Identities: map[string]string{"loyalty_card": "Carte"}},
	}
	for locale, want := range map[string]struct{ html, title, null string }{
		"":           {`<html lang="en">`, "The data held about you", "empty"},
		"en-GB":      {`<html lang="en-GB">`, "The data held about you", "empty"},
		"tlh":        {`<html lang="en">`, "The data held about you", "empty"},
		"de":         {`<html lang="de">`, "Deine Daten", "leer"},
		"de-AT-1996": {`<html lang="de-AT-1996">`, "Deine Daten", "leer"},
		"fr_CA":      {`<html lang="fr-CA">`, "Les données conservées à votre sujet", "vide"},
		"es":         {`<html lang="es">`, "Los datos guardados sobre usted", "vacío"},
		"pt-BR":      {`<html lang="pt-BR">`, "Seus dados", "vazio"},
		"pt-PT":      {`<html lang="pt-PT">`, "Os seus dados", "vazio"},
		"ar-EG":      {`<html lang="ar-EG" dir="rtl">`, "بياناتك", "empty"},
		"ar-Latn":    {`<html lang="ar-Latn">`, "بياناتك", "empty"},
		"he":         {`<html lang="en">`, "The data held about you", "empty"}, // without texts in it
	} {
		about := htmlAbout
		about.Locale = locale
		files := htmlTo(t, storage.HTML{Texts: own}, &about, func(w storage.Writer) { rowsOf(t, w, named("a:b"), `{"n":null}`) })
		for _, page := range []string{"index.html", "data/a/b/page-1.html"} {
			require.Contains(t, files[page], want.html, locale)
		}
		require.Contains(t, files["index.html"], "<h1><bdi>"+want.title+"</bdi></h1>", locale)
		require.Contains(t, files["data/a/b/page-1.html"], `<i data-type="null" data-blank>`+want.null+`</i>`, locale)
		if locale == "fr_CA" {
			require.Contains(t, files["index.html"], "<bdi>Carte</bdi>")
			require.Contains(t, files["index.html"], "<bdi>Adresse e-mail</bdi>")
			require.Contains(t, files["index.html"], "4 mars 2026, 09:05 UTC")
		}
	}
}

// Every built-in language says everything, with the same words in braces.
func TestHTMLLanguagesComplete(t *testing.T) {
	t.Parallel()
	built := storage.BuiltInTexts()
	require.Len(t, built, 4)
	braces := func(s string) (words []string) {
		for _, part := range strings.Split(s, "{")[1:] {
			word, _, _ := strings.Cut(part, "}")
			words = append(words, word)
		}
		return words
	}
	english := reflect.ValueOf(built["en"])
	for lang, texts := range built {
		v := reflect.ValueOf(texts)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			require.False(t, v.Field(i).IsZero(), "%s: %s", lang, name)
			if v.Field(i).Kind() == reflect.String {
				require.ElementsMatch(t, braces(english.Field(i).String()), braces(v.Field(i).String()), "%s: %s", lang, name)
			}
		}
		require.NotContains(t, texts.Months, "", lang)
		require.Len(t, texts.Identities, len(built["en"].Identities), lang)
	}
}
