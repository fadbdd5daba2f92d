package notifiertest

import (
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// canary is part of everything in a sample that is personal or secret.
const canary = "canary7q"

// address is where somebody is reached; it holds the canary.
func address(name string) string { return name + "." + canary + "@example.com" }

// sample is a notice of a kind, with everything that such a one has.
func sample(kind dsr.NoticeKind, id string) dsr.Notice {
	at := time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC)
	n := dsr.Notice{
		ID: id, Kind: kind, RequestID: "request-1", ExternalID: "case 1", Policy: "access",
		Actions: []graph.Action{graph.Access, graph.Erasure}, At: at, Deadline: at.AddDate(0, 0, 30), Locale: "de",
		Subject: "About " + string(kind) + " " + canary,
		Text:    "Notice " + id + " of " + canary + ":\n\n  " + string(kind) + "\n",
		HTML:    "<p>Notice <b>" + id + "</b> of " + canary + "</p>\n",
	}
	task := dsr.TaskRef{RequestID: "request-1", Task: "crm", Title: "Look into the CRM", Due: at.AddDate(0, 0, 7)}
	switch kind.Audience() {
	case dsr.ToSubject:
		n.To = dsr.Identities{"email": {address("ada")}, "phone_number": {"+49 30 " + canary}}
	case dsr.ToAssignee:
		n.Assignee = address("clerk")
		n.Tasks = []dsr.TaskRef{task}
	case dsr.ToVendor:
		n.RequestID, n.ExternalID = "", ""
		n.Vendor = &dsr.NoticeVendor{Key: "mailer", Name: "Mailer " + canary, Address: address("vendor")}
		n.People = []dsr.Identities{{"email": {address("ada")}}, {"email": {address("bob")}}}
	}
	switch kind {
	case dsr.NoticeVerify:
		n.Code, n.CodeExpires = canary+"-123456", at.Add(time.Hour)
	case dsr.NoticeDenied, dsr.NoticeExtended:
		n.Reason = "because of " + canary
	case dsr.NoticePackage, dsr.NoticeComplete:
		n.Packages = []string{"request-1.zip"}
		n.Links = []dsr.NoticeLink{{Rule: "access", URL: "https://dsr.example.com/d/" + canary + "?sig=" + canary, Expires: at.AddDate(0, 0, 5)}}
	case dsr.NoticeInput, dsr.NoticeFailed:
		n.Message = "the form \"crm\" has no submission"
	case dsr.NoticeDigest:
		n.RequestID, n.ExternalID = "", ""
	}
	return n
}

// hostile is a text that a careless notifier changes, or reads for something
// else.
type hostile struct{ name, subject, text, html string }

// longLine is longer than a line of a mail may be; RFC 5322, 2.1.1.
var longLine = strings.Repeat("longer than 998 bytes; ", 87)[:2000]

func hostileSamples() []hostile {
	return []hostile{
		{"scripts", "Grüße · Здравствуйте · 您好 · नमस्ते · สวัสดี",
			"Grüße, Здравствуйте, Γειά, 您好, こんにちは, नमस्ते, สวัสดี, ẹ n lẹ\n", "<p>Grüße, Здравствуйте, 您好, नमस्ते</p>"},
		{"emoji", "Fertig ✅ 👩🏽‍💻 🇪🇺", "👩🏽‍💻 built it 🎉\n🇪🇺\n", "<p>👩🏽‍💻&#x1F389;🎉</p>"},
		{"right to left", "טופס الطلب", "الطلب رقم 12 (abc) اكتمل.\n\u202bהבקשה הושלמה\u202c\n\u2067x\u2069\u200f\n", "<p dir=\"rtl\">الطلب رقم 12</p>"},
		{"not normalized", "cafe\u0301 \u212b", "cafe\u0301 café \u212b Å ﬁ\u00a0½\n", "<p>cafe\u0301</p>"},
		{"long lines", strings.Repeat("a long subject, größer ", 20),
			longLine + "\n" + strings.Repeat("x", 2000) + "\n" + strings.Repeat("ü", 2000) + "\nend\n", "<p>" + strings.Repeat("x", 2000) + "</p><p>" + longLine + "</p>"},
		{"many lines", "many lines", strings.Repeat("a line\n", 5000), strings.Repeat("<br>\n", 5000)},
		{"dots", ".", "above\n.\n..\n.a\nbelow\n.\nend", "<p>\n.\n..\n</p>\n."},
		{"blanks", "two  blanks\tand a tab", "trailing blanks  \ntrailing tab\t\n  leading\n\t\n \n\n\nend ", "<pre>  a  \n\tb \n</pre> "},
		{"line ends", "line ends", "a\r\nb\nc\r\n\r\nd\n\ne\rf\r\n", "<p>a\r\nb\nc</p>\r\n"},
		{"lines of mailboxes", "From me", "From here on\n>From there\n\nFrom: nobody\n", "<p>\nFrom here on\n</p>"},
		{"header in the subject", "a\r\nBcc: " + address("eve") + "\r\n\r\nbody\nX-More: 1\rX-Other: 2", "text", "<p>html</p>"},
		{"header in the text", "headers", "Subject: another\r\nBcc: " + address("eve") + "\r\n\r\nbody\n", "<p>html</p>"},
		{"already encoded", "=?utf-8?q?=41?= %41 &#65; \\u0041", "=41=\n=?utf-8?b?QQ==?=\n%0D%0A &#65; \\u0041 \\n\n", "<p>&amp;lt; =3D =\n %41</p>"},
		{"templates", "{{.Subject}} ${x} %s %d", "{{ .Code }} {% x %} ${HOME} $(id) `id` %s %!d(MISSING)\n", "<p>{{ .Code }} %s</p>"},
		{"quotes", `"quoted", 'so' <a@example.com>; \ (c)`, "{\"a\": \"b\\\"\"}\n'; DROP TABLE x; --\n<b>&amp;</b>\n", `<script>alert("x")</script><!-- --><p title='a"b'>]]></p>`},
		{"separators", "a\u2028b\u0085c", "\ufeffa\u2028b\u2029c\u0085d\u00a0e\u200b\n", "<p>a\u2028b</p>"},
		{"boundaries", "boundaries", "--\n--boundary\n--boundary--\n-- \nsignature\n.\r\nQUIT\r\nDATA\r\n", "<p>\n--boundary--\n</p>"},
		{"no HTML", "no HTML", "text alone\n", ""},
	}
}
