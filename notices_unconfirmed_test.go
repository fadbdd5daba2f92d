package dsr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// TestNoticesOfWhatIsNotConfirmed: no language says that all was erased where
// people did not confirm it, or vendors were only asked.
func TestNoticesOfWhatIsNotConfirmed(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Name: "Shop", Contact: "privacy@shop.example"})
	for _, locale := range texts.Locales() {
		n := fullNotice(dsr.NoticeComplete)
		n.Locale, n.Packages, n.Links, n.Actions = locale, nil, nil, []graph.Action{graph.Erasure}
		n.Unconfirmed, n.Asked = []string{"paper:letters", "Cellar"}, []string{"Mailer\r\nLtd", "Ads"}
		require.NoError(t, texts.Render(n))
		golden(t, "Subject: "+n.Subject+"\n\n"+n.Text, locale, "complete-unconfirmed.txt")
	}
}
