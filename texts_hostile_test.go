package dsr_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// TestTextsRefuseFaults: every fault of every file is told at once.
func TestTextsRefuseFaults(t *testing.T) {
	t.Parallel()
	const kinds = `the kinds are "received", "verify", "approved", "denied", "extended", "canceled", "package", "complete", "input required", "task", "reminder", "digest", "finalization required", "failed", "erase"; parts of your own begin with _`
	for _, c := range []struct {
		name   string
		opts   dsr.TextsOptions
		faults []string
	}{
		{"options", dsr.TextsOptions{Name: "two\nlines", Contact: strings.Repeat("x", 201)}, []string{
			"Name must be one line of at most 100 characters, without control characters and spaces around it",
			"Contact must be one line of at most 200 characters, without control characters and spaces around it",
		}},
		{"no file", dsr.TextsOptions{Files: fstest.MapFS{"texts/de.tmpl": {}}}, []string{
			`Files has no file "<locale>.tmpl" in its top folder: fs.Sub gives one that is further down`,
		}},
		{"names of files", dsr.TextsOptions{Files: fstest.MapFS{"1.tmpl": {}, "pt-BR.tmpl": {}, "pt_br.tmpl": {}}}, []string{
			`1.tmpl: a file is called after a language by BCP 47, such as "de.tmpl" or "pt-BR.tmpl"`,
			"pt_br.tmpl: pt-BR.tmpl is of the same language; put all into one file",
		}},
		{"syntax, in every definition", dsr.TextsOptions{Files: fstest.MapFS{
			"de.tmpl": {Data: []byte("{{define \"denied\"}}\n{{.Reason{{end}}\n\n{{define \"verify\"}}{{nonsense .Code}}{{end}}")},
			"en.tmpl": {Data: []byte("{{define \"denied\"}}\n{{if .Reason}}")},
		}}, []string{
			`de.tmpl:2: bad character U+007B '{'`,
			`de.tmpl:4: function "nonsense" not defined`,
			`en.tmpl:2: unexpected EOF`,
		}},
		{"names", dsr.TextsOptions{Files: fstest.MapFS{
			"de.tmpl": {Data: []byte("Hello\n{{define \"denid\"}}x{{end}}\n{{define \"verify\"}}  {{end}}")},
			"pt.tmpl": {Data: []byte(`{{define "denied"}}Não{{end}}{{define "verify.html"}}x{{end}}`)},
		}}, []string{
			`de.tmpl:1:0: text stands outside of {{define "…"}}`,
			`de.tmpl:2:18: "denid" is no kind of notice, nor another template that is used: ` + kinds,
			`de.tmpl:3:19: "verify" is empty`,
			`pt.tmpl:1:54: "verify.html" stands alone: a kind needs both "verify" and "verify.subject"`,
			`pt.tmpl:1:19: "denied" stands alone: a kind needs both "denied" and "denied.subject"`,
		}},
		{"fields, also in branches", dsr.TextsOptions{Files: fstest.MapFS{
			"de.tmpl": {Data: []byte("{{define \"denied\"}}x{{if .Reason}}{{.Raeson}}{{end}}{{end}}\n{{define \"failed\"}}{{if not .Message}}{{.Messag}}{{end}}x{{end}}\n{{define \"erase\"}}{{template \"_mine\"}}{{end}}")},
			"en.tmpl": {Data: []byte("{{define \"label.email\"}}{{.Kind}}{{end}}{{define \"verify.html\"}}\n<a href={{.Code}} <b>{{end}}")},
			"it.tmpl": {Data: []byte("{{define \"months\"}}gennaio{{end}}{{define \"date\"}}{{.Month}}{{end}}")},
			"nl.tmpl": {Data: []byte("{{define \"date\"}}{{.Hour}}{{end}}{{define \"denied.subject\"}}\n\t{{end}}{{define \"verify.subject\"}}{{with .Code}}{{.}}{{end}}{{end}}{{define \"verify\"}}x{{end}}")},
			"pl.tmpl": {Data: []byte("{{define \"verify.subject\"}}{{with .Code}}{{.}}{{end}}{{end}}{{define \"verify\"}}x{{end}}")},
		}}, []string{
			`de.tmpl:1:36: executing "denied" at <.Raeson>: can't evaluate field Raeson in type dsr.NoticeText`,
			`de.tmpl:2:40: executing "failed" at <.Messag>: can't evaluate field Messag in type dsr.NoticeText`,
			`de.tmpl:3:29: executing "erase" at <{{template "_mine"}}>: template "_mine" not defined`,
			`en.tmpl:1:26: executing "label.email" at <.Kind>: nil data; no entry for key "Kind"`,
			`en.tmpl: verify.html: "<" in attribute name: " <b>"`,
			`it.tmpl:1:19: "months" has 1 words, not 12`,
			`nl.tmpl:1:60: "denied.subject" is empty`,
			`nl.tmpl:1:19: executing "date" at <.Hour>: can't evaluate field Hour in type dsr.dateText`,
			`pl.tmpl:1:27: "verify.subject" is empty for some notices`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := dsr.NewTexts(&c.opts)
			require.Error(t, err)
			head, list, _ := strings.Cut(err.Error(), "\n\t")
			require.Regexp(t, `^dsr: the texts of notices have \d fault\(s\):$`, head)
			require.Equal(t, c.faults, strings.Split(list, "\n\t"))
		})
	}
}

// TestBuiltInTextsFitEverySample: a host's harmless part has the built-in texts
// tried with all and with nothing that a notice can hold.
func TestBuiltInTextsFitEverySample(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{}
	for _, locale := range []string{"de", "en", "es", "fr"} {
		files[locale+".tmpl"] = &fstest.MapFile{Data: []byte(`{{define "_part"}}x{{end}}`)}
	}
	require.Equal(t, []string{"de", "en", "es", "fr"}, newTexts(t, &dsr.TextsOptions{Files: files}).Locales())
}

// hostileValues are such as a text might take for something else.
func hostileValues() map[string]string {
	return map[string]string{
		"script":   `<script>alert(1)</script><img src=x onerror=alert(1)>`,
		"template": `{{.Code}} {{define "x"}} {{`,
		"lines":    "first\r\nSubject: second\r\n\r\n- third\rfourth\u2028fifth",
		"controls": "a\x00b\x1b[31mc\x7fd\u009be",
		"order":    "\u202Egnp.exe\u202C \u2067right\u2069 \u200Fmark",
		"quotes":   `O'Hara "the" <b>`,
		"not utf8": "a\xffb",
		"long":     strings.Repeat("word ", 6400),
		"no space": strings.Repeat("x", 32000),
		"link":     "see https://evil.example/ and javascript:alert(1)",
		"indented": "  two\n    four\n\ttab",
	}
}

func TestTextsOfHostileValues(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Name: `O'Hara & "Sons"`, Contact: "<privacy@shop.example>"})
	for name, value := range hostileValues() {
		for _, kind := range dsr.NoticeKinds() {
			n := fullNotice(kind)
			n.Reason, n.Message = value, value
			if len(value) > 1000 {
				value = value[:1000] // names are never as long as reasons
			}
			n.ExternalID, n.RequestID, n.Policy, n.Assignee = value, value, value, value
			n.Code, n.CodeExpires, n.Packages = value, n.At, []string{value}
			n.Tasks = []dsr.TaskRef{{RequestID: value, Title: value, Due: n.At}}
			n.Vendor, n.People = &dsr.NoticeVendor{Name: value}, []dsr.Identities{{"email": {value}, value: {"x"}}}
			n.Links = []dsr.NoticeLink{{URL: value}}
			require.NoError(t, texts.Render(n), name)
			require.NotRegexp(t, `[\x00-\x1f\x7f-\x9f\x{202a}-\x{202e}\x{2066}-\x{2069}]`, n.Subject, name)
			require.LessOrEqual(t, utf8.RuneCountInString(n.Subject), 200, name)
			require.NotEmpty(t, n.Subject, name)
			require.NotRegexp(t, `[\x00-\x08\x0b-\x1f\x7f-\x9f\x{2028}]`, n.Text, name)
			require.True(t, utf8.ValidString(n.Text), name)
			require.NotRegexp(t, `<(script|img|b)\b|<[^>]* on\w+=|href`, n.HTML, name)
			require.NotContains(t, n.HTML, "ZgotmplZ", name)
		}
	}
}

// TestValuesStayWithinTheirLine: a value cannot make a line of its own, so it
// cannot pass for a task, a person or a sentence of the text.
func TestValuesStayWithinTheirLine(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, nil)
	const value = "one\r\n- two\n\n  three\u202E\x00 four"
	n := fullNotice(dsr.NoticeTask)
	n.Tasks, n.RequestID = []dsr.TaskRef{{RequestID: value, Title: value}}, value
	require.NoError(t, texts.Render(n))
	require.Contains(t, n.Text, "This task is yours:\n\n- one - two three four (request one - two three four)\n\nPlease")
	require.Contains(t, n.Text, "\nRequest number: one - two three four\n")
	require.Equal(t, "A task for privacy request one - two three four", n.Subject)
	n = fullNotice(dsr.NoticeErase)
	n.People = []dsr.Identities{{"email": {value, `a"b;c,d`, " x"}, "name": {"plain name"}, "a;b:c": {"1"}}, {}}
	require.NoError(t, texts.Render(n))
	require.Contains(t, n.Text, "\n\n- A b c: 1; "+
		`Email address: "one\r\n- two\n\n  three\u202e\x00 four", "a\"b;c,d", " x"; Name: plain name`+"\n\nPlease do so")
}

// TestReasonsStandVerbatim: what somebody said is set apart line by line, and
// nothing in it is read.
func TestReasonsStandVerbatim(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, nil)
	n := fullNotice(dsr.NoticeDenied)
	n.Reason = "No <b>{{.Code}}</b>.\r\n\r\n- not a  list\n  indented\nRequest number: forged\n"
	require.NoError(t, texts.Render(n))
	require.Contains(t, n.Text, "This is the reason:\n\n  No <b>{{.Code}}</b>.\n\n  - not a  list\n    indented\n  Request number: forged\n\nIf you do not agree")
	require.Contains(t, n.HTML, `white-space: pre-wrap">No &lt;b&gt;{{.Code}}&lt;/b&gt;.<br><br>- not a  list<br>  indented<br>Request number: forged</blockquote>`)
	n.Reason = strings.Repeat("long words ", 2900) + "end"
	require.NoError(t, texts.Render(n))
	require.Contains(t, n.Text, "\n  "+n.Reason+"\n")
	require.Contains(t, n.HTML, ">"+n.Reason+"</blockquote>")
}

// TestOnlyTheNoticesLinksAreLinks: an address becomes a link where it is one of
// the notice, and leads to the web.
func TestOnlyTheNoticesLinksAreLinks(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Contact: "https://shop.example/privacy", Files: fstest.MapFS{
		"it.tmpl": {Data: []byte(`{{define "complete.subject"}}x{{end}}{{define "complete"}}Links:{{range .Links}} ({{.URL}}).
{{end}}{{end}}`)},
	}})
	for _, c := range []struct{ url, locale, want string }{
		{"https://shop.example/d/1?a=1&b=2", "", `<a href="https://shop.example/d/1?a=1&amp;b=2">https://shop.example/d/1?a=1&amp;b=2</a>`},
		{"http://shop.example/d", "", `<a href="http://shop.example/d">http://shop.example/d</a>`},
		{"https://shop.example/d.", "", `<a href="https://shop.example/d.">https://shop.example/d.</a>`},
		{"https://shop.example/d", "it", `Links: (<a href="https://shop.example/first">https://shop.example/first</a>). (<a href="https://shop.example/d">https://shop.example/d</a>).</p>`},
		{"javascript:alert(1)", "", "<br>javascript:alert(1)"},
		{"javascript://shop.example/%0aalert(1)", "", "<br>javascript://shop.example/%0aalert(1)"},
		{"ftp://shop.example/d", "", "<br>ftp://shop.example/d"},
		{"data:text/html,x", "", "<br>data:text/html,x"},
		{"https:nowhere", "", "<br>https:nowhere"},
		{"/d/1", "", "<br>/d/1"},
	} {
		n := fullNotice(dsr.NoticeComplete)
		n.Locale, n.Links = c.locale, []dsr.NoticeLink{{URL: "https://shop.example/first"}, {URL: c.url}}
		require.NoError(t, texts.Render(n))
		require.Contains(t, n.HTML, `>https://shop.example/first</a>`)
		require.Contains(t, n.HTML, strings.TrimPrefix(c.want, "<br>"))
		want := 2
		if strings.HasPrefix(c.want, "<br>") {
			want = 1
		}
		require.Equal(t, want, strings.Count(n.HTML, "<a "), c.url)
	}
}

func TestCodesAreEmphasisedAndNeverInSubjects(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Files: fstest.MapFS{
		"it.tmpl": {Data: []byte(`{{define "verify.subject"}}Codice{{.Code}}{{.Reason}}{{range .Links}}{{.URL}}{{end}}{{with .Vendor}}{{.Name}}{{end}}{{.Assignee}}{{range .Persons}}{{.}}{{end}}{{.To}}{{end}}{{define "verify"}}{{.Code}}.{{end}}`)},
	}})
	for _, c := range []struct{ locale, subject string }{{"en", "Please confirm your privacy request"}, {"it", "Codice[redacted]"}} {
		n := fullNotice(dsr.NoticeVerify)
		n.Locale, n.To, n.Assignee = c.locale, dsr.Identities{"email": {"person@mail.example"}}, "person@mail.example"
		n.Links, n.People = []dsr.NoticeLink{{URL: "https://shop.example/d"}}, []dsr.Identities{n.To}
		require.NoError(t, texts.Render(n))
		require.Equal(t, c.subject, n.Subject)
		require.Contains(t, n.HTML, `letter-spacing: 0.15em">012345</strong>`)
		require.NotContains(t, n.HTML, "mail.example")
	}
}

// TestNoticePagesFetchNothing: a page that is shown tells nobody.
func TestNoticePagesFetchNothing(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, nil)
	for _, kind := range dsr.NoticeKinds() {
		n := fullNotice(kind)
		require.NoError(t, texts.Render(n))
		require.NotRegexp(t, `<(img|link|script|style|iframe|object|form|base)\b|url\(|src=|@import|http-equiv`, n.HTML, kind)
	}
}

func TestTextsFromRightToLeft(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Files: fstest.MapFS{
		"ar.tmpl": {Data: []byte(`{{define "verify.subject"}}رمز{{end}}{{define "verify"}}رمز

  {{.Code}}

{{.Dir}} {{.Lang}}{{end}}`)},
	}})
	n := fullNotice(dsr.NoticeVerify)
	n.Locale = "ar-EG"
	require.NoError(t, texts.Render(n))
	require.Equal(t, "رمز\n\n  012345\n\nrtl ar\n", n.Text)
	require.Contains(t, n.HTML, `<html lang="ar" dir="rtl"`)
	require.Contains(t, n.HTML, `<div lang="ar" dir="rtl"`)
	require.Contains(t, n.HTML, `<strong dir="ltr"`)
}

// TestPagesOfTheHost: a page of the host is escaped where it stands.
func TestPagesOfTheHost(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Name: "A & B", Files: fstest.MapFS{
		"en.tmpl": {Data: []byte(`{{define "denied.html"}}<title>{{.Subject}}</title><p title="{{.Reason}}">{{quote .Reason}}</p>{{template "_end" .}}{{date .Deadline}}{{time .Deadline}}{{end}}{{define "_end"}}<i>{{.Name}}</i>{{end}}`)},
	}})
	n := fullNotice(dsr.NoticeDenied)
	n.Reason, n.Deadline = `"><script>`, time.Date(2026, 5, 1, 0, 0, 0, 0, time.FixedZone("", 3600))
	require.NoError(t, texts.Render(n))
	require.Equal(t, `<title>A &amp; B: Our decision on your privacy request</title><p title="&#34;&gt;&lt;script&gt;">  &#34;&gt;&lt;script&gt;</p><i>A &amp; B</i>30 April 202630 April 2026, 23:00 UTC`, n.HTML)
	require.Contains(t, n.Text, "  \"><script>\n")
}

func TestRenderErrorsTellNothingPersonal(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, &dsr.TextsOptions{Files: fstest.MapFS{
		"en.tmpl": {Data: []byte(`{{define "verify"}}{{if eq (len .Code) 6}}x{{else}}{{index (slice .Assignee 3) 99}}{{end}}{{end}}{{define "denied"}}{{if lt (len .Reason) 10}}no{{end}}{{end}}`)},
	}})
	n := fullNotice(dsr.NoticeVerify)
	n.Code, n.Assignee = "9876543", "person@mail.example"
	require.EqualError(t, texts.Render(n),
		`dsr: render the notice {verify of request pri_8d2f}: en.tmpl:1:53: executing "verify" at <index (slice .Assignee 3) 99> cannot be carried out with what the notice holds`)
	require.Empty(t, n.Subject+n.Text+n.HTML)
	require.EqualError(t, texts.Render(&dsr.Notice{Kind: "signature", Locale: "de"}), `dsr: there is no text for notices of the kind "signature"`)
}

// TestTextsForMany renders from one Texts at once, and leaves what the notice
// holds as it was.
func TestTextsForMany(t *testing.T) {
	t.Parallel()
	texts := newTexts(t, nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, kind := range dsr.NoticeKinds() {
				n, want := uncleanNotice(kind), uncleanNotice(kind)
				if err := texts.Render(n); err != nil {
					t.Error(err)
					return
				}
				want.Subject, want.Text, want.HTML = n.Subject, n.Text, n.HTML
				if !equalNotices(n, want) {
					t.Errorf("rendering a notice of the kind %q changed it", kind)
				}
			}
		})
	}
	all.Wait()
}

// uncleanNotice holds what a text shows in another way.
func uncleanNotice(kind dsr.NoticeKind) *dsr.Notice {
	n := fullNotice(kind)
	n.Tasks, n.Packages = []dsr.TaskRef{{Title: "a\tb"}}, []string{"a\tb"}
	n.Links, n.Vendor = []dsr.NoticeLink{{URL: "a\tb"}}, &dsr.NoticeVendor{Name: "a\tb"}
	return n
}

// equalNotices compares also what a notice does not print.
func equalNotices(a, b *dsr.Notice) bool {
	return reflect.DeepEqual(a, b)
}
