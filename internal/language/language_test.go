package language_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/language"
)

func TestParent(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]string{"zh-Hant-TW": "zh-Hant", "zh-Hant": "zh", "zh": "", "": ""} {
		require.Equal(t, want, language.Parent(tag), tag)
	}
}

func TestRightToLeft(t *testing.T) {
	t.Parallel()
	for tag, want := range map[string]bool{
		"ar": true, "ar-EG": true, "HE": true, "ur-Latn": false, "az-Arab-IR": true, "az": false, "de-1901": false, "en": false, "": false,
	} {
		require.Equal(t, want, language.RightToLeft(tag), tag)
	}
}
