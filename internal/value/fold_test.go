package value_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/value"
)

func TestFoldAgreesWithEqualFoldButForASCII(t *testing.T) {
	t.Parallel()
	texts := []string{"", "ÄNNA@x", "änna@x", "anna@x", "straße", "STRASSE", "STRAẞE", "ı", "i", "I", "İ", "K", "k", "\u212a",
		"ſ", "s", "Σ", "σ", "ς", "x ", "x", "\xff", "数据"}
	for _, a := range texts {
		for _, b := range texts {
			equal := strings.EqualFold(a, b) && (a == b || !strings.ContainsAny(a+b, "\u017f\u212a"))
			require.Equal(t, equal, value.Fold(a) == value.Fold(b), "%q and %q", a, b)
		}
	}
	for r := range unicode.MaxRune {
		next := unicode.SimpleFold(r)
		if (r < 0x80) != (next < 0x80) {
			continue
		}
		a, b := string(r), string(next)
		if value.Fold(a) != value.Fold(b) {
			require.Failf(t, "letters that differ in case only differ", "%q and %q", a, b)
		}
	}
}
