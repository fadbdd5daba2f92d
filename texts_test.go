package dsr_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

var updateNotices = flag.Bool("update", false, "write the texts of notices into testdata/notices")

// fullNotice is a notice of a kind as the engine fills it in, with all that it
// can hold.
func fullNotice(kind dsr.NoticeKind) *dsr.Notice {
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	n := &dsr.Notice{
		ID: "notice-7", Kind: kind, RequestID: "pri_8d2f", Policy: "everything", At: at, Deadline: at.AddDate(0, 1, 0),
		Actions: []graph.Action{graph.Access, graph.Erasure}, Message: "the form crm lacks:\n\temail\nthe limit of rounds was met", Reason: "It is unfounded.\n\nSee {{.Code}} & <b>us</b>.",
	}
	switch kind {
	case dsr.NoticeReceived:
		n.ExternalID = "shop-12"
	case dsr.NoticeVerify:
		n.Code, n.CodeExpires, n.Actions = "012345", at.Add(10*time.Minute), []graph.Action{graph.Access}
	case dsr.NoticeApproved:
		n.Actions = []graph.Action{graph.Erasure}
	case dsr.NoticeCanceled:
		n.Reason = ""
	case dsr.NoticeFinalize:
		n.Unconfirmed = []string{"paper:letters", "Cellar"}
	case dsr.NoticePackage, dsr.NoticeComplete:
		n.Packages = []string{"pri_8d2f-1.zip", "pri_8d2f-2.zip"}
		n.Links = []dsr.NoticeLink{
			{Rule: "hidden", URL: "https://shop.example/privacy/downloads/a-b_c?x=1&y=2", Expires: at.AddDate(0, 0, 5)},
			{Rule: "hidden", URL: "https://shop.example/privacy/downloads/second"},
		}
	case dsr.NoticeTask, dsr.NoticeReminder:
		n.Tasks = []dsr.TaskRef{{RequestID: "pri_8d2f", Task: "t1", Title: "Look through the archive", Due: at.AddDate(0, 0, 7)}}
	case dsr.NoticeDigest:
		n.RequestID, n.Policy = "", ""
		n.Tasks = []dsr.TaskRef{
			{RequestID: "pri_8d2f", Task: "t1", Title: "Look through the archive", Due: at.AddDate(0, 0, 7)},
			{RequestID: "pri_9a00", Task: "t2", Title: "Ask the warehouse"},
		}
	case dsr.NoticeErase:
		n.RequestID, n.Policy, n.Vendor = "", "", &dsr.NoticeVendor{Key: "mailer", Name: "Mailer Ltd", Address: "privacy@mailer.example"}
		n.People = []dsr.Identities{
			{"email": {"first@mail.example", "other@mail.example"}, "phone_number": {"+4915112345678"}},
			{"loyalty_card": {"12,3", "4\r\n- 5"}},
		}
	}
	return n
}

func newTexts(t *testing.T, opts *dsr.TextsOptions) *dsr.Texts {
	t.Helper()
	texts, err := dsr.NewTexts(opts)
	require.NoError(t, err)
	return texts
}

// golden compares a text with a file that was read by a person.
func golden(t *testing.T, text string, file ...string) {
	t.Helper()
	name := filepath.Join(append([]string{"testdata", "notices"}, file...)...)
	if *updateNotices {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "run go test . -run TestNotices -update, and read what changed")
}

// TestNoticesInEveryLanguage: there is a text for every kind.
func TestNoticesInEveryLanguage(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Name: "Shop", Contact: "privacy@shop.example"})
	for _, locale := range texts.Locales() {
		for _, kind := range dsr.NoticeKinds() {
			n := fullNotice(kind)
			n.Locale = locale
			require.NoError(t, texts.Render(n))
			golden(t, "Subject: "+n.Subject+"\n\n"+n.Text, locale, strings.ReplaceAll(string(kind), " ", "-")+".txt")
			require.Contains(t, n.HTML, `<html lang="`+locale+`" dir="ltr"`)
			require.NotContains(t, n.HTML, "<p style=\"margin: 0 0 1em\"></p>")
			for line := range strings.Lines(n.Text) {
				if !strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "- ") {
					require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(line)), 72, line)
				}
			}
		}
	}
}

// TestNoticesAsPages compares the pages that are made from the texts.
func TestNoticesAsPages(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Name: "Shop", Contact: "privacy@shop.example"})
	for _, kind := range []dsr.NoticeKind{dsr.NoticeVerify, dsr.NoticeDenied, dsr.NoticeComplete, dsr.NoticeErase} {
		n := fullNotice(kind)
		require.NoError(t, texts.Render(n))
		golden(t, n.HTML, "en", string(kind)+".html")
	}
}

// TestNoticesSayOnlyWhatIsKnown compares texts of notices that hold little.
func TestNoticesSayOnlyWhatIsKnown(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, nil)
	var all strings.Builder
	for _, kind := range dsr.NoticeKinds() {
		n := &dsr.Notice{ID: "notice-7", Kind: kind, RequestID: "pri_8d2f"}
		require.NoError(t, texts.Render(n))
		all.WriteString("Subject: " + n.Subject + "\n\n" + n.Text + "\n" + strings.Repeat("=", 72) + "\n")
	}
	golden(t, all.String(), "en", "bare.txt")
}

func TestTextsOfTheHost(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Files: fstest.MapFS{
		"en.tmpl":    {Data: []byte(`{{define "denied.subject"}}No{{end}}{{define "denied"}}Our words on {{.RequestID}}.{{end}}`)},
		"pt.tmpl":    {Data: []byte(`{{define "denied.subject"}}Não{{end}}{{define "denied"}}Não, até {{date .Deadline}}.{{end}}`)},
		"pt_BR.tmpl": {Data: []byte(`{{define "verify.subject"}}Código{{end}}{{define "verify"}}{{.Code}}{{end}}`)},
		"notes.txt":  {Data: []byte(`left alone`)},
	}})
	require.Equal(t, []string{"en", "pt", "pt-BR"}, func() (tags []string) {
		for _, tag := range texts.Locales() {
			if tag != "de" && tag != "fr" && tag != "es" {
				tags = append(tags, tag)
			}
		}
		return tags
	}())
	for _, c := range []struct {
		locale  string
		kind    dsr.NoticeKind
		subject string
		lang    string
	}{
		{"", dsr.NoticeDenied, "No", "en"},
		{"en-GB", dsr.NoticeDenied, "No", "en"},
		{"en-GB", dsr.NoticeVerify, "Please confirm your privacy request", "en"},
		{"pt-BR", dsr.NoticeVerify, "Código", "pt-BR"},
		{"PT_br", dsr.NoticeVerify, "Código", "pt-BR"},
		{"pt-BR", dsr.NoticeDenied, "Não", "pt"},
		{"pt-BR", dsr.NoticeReceived, "We have received your privacy request", "en"},
		{"pt", dsr.NoticeVerify, "Please confirm your privacy request", "en"},
		{"\"><b>", dsr.NoticeDenied, "No", "en"},
	} {
		n := fullNotice(c.kind)
		n.Locale = c.locale
		require.NoError(t, texts.Render(n), c.locale)
		require.Equal(t, c.subject, n.Subject, c.locale)
		require.Contains(t, n.HTML, `<html lang="`+c.lang+`" dir="ltr"`, c.locale)
	}
	n := fullNotice(dsr.NoticeDenied)
	n.Locale = "pt-PT"
	require.NoError(t, texts.Render(n))
	require.Equal(t, "Não, até 2026-04-01.\n", n.Text)
}
