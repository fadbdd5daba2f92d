package smtptest_test

import (
	"context"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, func(o *smtp.Options) {
		o.From.Name = "Datenschutz Größe"
		o.ReplyTo = mail.Address{Address: "answers@example.com"}
		o.Headers = map[string]string{"X-Desk": "Büro 1"}
	})
	require.NoError(t, n.Notify(t.Context(), notice(ada)))
	got := all(t, server)
	require.Len(t, got, 1)
	require.Equal(t, "privacy@example.com", got[0].From)
	require.Equal(t, ada, got[0].To)
	require.True(t, got[0].TLS)
	require.False(t, got[0].UTF8)
	require.Equal(t, "Your request", got[0].subject)
	require.Equal(t, "We have it.\r\n", got[0].text)
	require.Equal(t, "<p>We have it.</p>\r\n", got[0].html)

	header := got[0].header
	contentType := header.Get("Content-Type")
	id := header.Get("Message-Id")
	require.Regexp(t, `^<n-1\.received\.[0-9a-f]{24}@example\.com>$`, id)
	require.Regexp(t, `^multipart/alternative; boundary=[0-9a-f]{24}$`, contentType)
	require.Equal(t, mail.Header{
		"From":                     {"=?utf-8?q?Datenschutz_Gr=C3=B6=C3=9Fe?= <privacy@example.com>"},
		"To":                       {"<" + ada + ">"},
		"Reply-To":                 {"<answers@example.com>"},
		"Subject":                  {"Your request"},
		"Message-Id":               {id},
		"References":               {"<request.pri_17@example.com>"},
		"Date":                     {"Thu, 29 Feb 2024 12:30:15 +0000"},
		"Auto-Submitted":           {"auto-generated"},
		"X-Auto-Response-Suppress": {"All"},
		"X-Desk":                   {"=?UTF-8?q?B=C3=BCro_1?="},
		"Mime-Version":             {"1.0"},
		"Content-Type":             {contentType},
	}, header)

	// The same notice is the same message, byte by byte; those of one request
	// are one thread.
	require.NoError(t, n.Notify(t.Context(), notice(ada)))
	later := notice(ada)
	later.ID = "n-2"
	require.NoError(t, n.Notify(t.Context(), later))
	got = all(t, server)
	require.Equal(t, string(got[0].Data), string(got[1].Data))
	require.Equal(t, got[0].header["References"], got[2].header["References"])
	require.NotEqual(t, id, got[2].header.Get("Message-Id"))
}

func TestMessageOfOnePart(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	digest := dsr.Notice{ID: "a", Kind: dsr.NoticeDigest, Assignee: ada, Subject: "Digest", Text: "no end"}
	require.NoError(t, n.Notify(t.Context(), digest))
	digest.ID, digest.Text, digest.HTML = "b", "", "<p>alone</p>"
	require.NoError(t, n.Notify(t.Context(), digest))
	got := all(t, server)
	require.Equal(t, "text/plain; charset=UTF-8", got[0].header.Get("Content-Type"))
	require.Equal(t, "no end\r\n", got[0].text)
	require.NotContains(t, got[0].header, "References")
	date, err := got[0].header.Date()
	require.NoError(t, err)
	require.False(t, date.IsZero())
	require.Equal(t, "text/html; charset=UTF-8", got[1].header.Get("Content-Type"))
	require.Equal(t, "<p>alone</p>\r\n", got[1].html)
}

func TestLinesOnTheWire(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	long := notice(ada)
	long.Subject = strings.Repeat("x", 3000) + "\r\nBcc: eve@example.com\r\n"
	long.Text = strings.Repeat("y", 3000) + "\n.\n..\nBcc: eve@example.com\n\xff\x00\n"
	require.NoError(t, n.Notify(t.Context(), long))
	got := all(t, server)
	require.Len(t, got, 1)
	require.Equal(t, long.Subject, got[0].subject)
	require.NotContains(t, got[0].header, "Bcc")
	require.Equal(t, strings.Repeat("y", 3000)+"\r\n.\r\n..\r\nBcc: eve@example.com\r\n\ufffd\x00\r\n", got[0].text)
	for line := range strings.Lines(string(got[0].Data)) {
		require.LessOrEqual(t, len(line), 80, line)
		require.True(t, strings.HasSuffix(line, "\r\n"))
		require.NotContains(t, strings.TrimSuffix(line, "\r\n"), "\r")
	}
}

// Lines are folded at blanks, none of which may be lost or added.
func TestLongSubjects(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	subjects := []string{"", " ", " a", "a ", "=?UTF-8?B?QQ==?=", strings.Repeat("ü", 300)}
	for width := range 12 {
		subjects = append(subjects, strings.Repeat(strings.Repeat("w", width)+"  ", 30)+"end", strings.Repeat(strings.Repeat("w", width+1)+" ", 30)+"end")
	}
	for i, subject := range subjects {
		one := notice(ada)
		one.ID, one.Subject = fmt.Sprintf("n-%d", i), subject
		require.NoError(t, n.Notify(t.Context(), one))
	}
	for i, m := range all(t, server) {
		require.Equal(t, subjects[i], m.subject)
	}
}

func TestNothingPersonalInHeaders(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, func(o *smtp.Options) {
		o.Subjects = func(_ context.Context, _ dsr.Notice) ([]string, error) { return []string{"someone@example.com"}, nil }
	})
	for i, kind := range dsr.NoticeKinds() {
		err := n.Notify(t.Context(), dsr.Notice{
			ID: "n-" + string(rune('a'+i)), Kind: kind, RequestID: "pri_1", ExternalID: "case 7", Subject: "About it", Text: ada,
			To: dsr.Identities{"email": {ada}, "phone_number": {"ada7"}}, Code: "ada7", Reason: "ada7", Assignee: "clerk@example.com",
			Vendor: &dsr.NoticeVendor{Name: "ada7", Address: "vendor@example.com"}, People: []dsr.Identities{{"email": {ada}}},
			Links: []dsr.NoticeLink{{URL: "https://example.com/ada7"}}, At: time.Unix(0, 0),
		})
		require.NoError(t, err)
	}
	got := all(t, server)
	require.NotEmpty(t, got)
	for _, m := range got {
		head, body, found := strings.Cut(string(m.Data), "\r\n\r\n")
		require.True(t, found)
		require.NotContains(t, head, "ada7")
		require.Contains(t, body, "ada7")
	}
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(o *smtp.Options)
		notice dsr.Notice
		want   []string
	}{
		"each address of the subject once": {nil, notice(ada, "second@example.com", " "+ada+" "), []string{ada, "second@example.com"}},
		"the host's addresses of a subject": {func(o *smtp.Options) {
			o.Subjects = func(_ context.Context, n dsr.Notice) ([]string, error) {
				return []string{n.To["account"][0] + "@example.org"}, nil
			}
		}, dsr.Notice{Kind: dsr.NoticeVerify, To: dsr.Identities{"account": {"u1"}}}, []string{"u1@example.org"}},
		"operators":   {nil, dsr.Notice{Kind: dsr.NoticeFailed}, []string{"desk@example.com", "night.desk@example.com"}},
		"an assignee": {nil, dsr.Notice{Kind: dsr.NoticeTask, Assignee: "clerk@example.com"}, []string{"clerk@example.com"}},
		"a group": {func(o *smtp.Options) {
			o.Assignees = func(_ context.Context, group string) ([]string, error) {
				return []string{group + "1@example.com", group + "2@example.com"}, nil
			}
		}, dsr.Notice{Kind: dsr.NoticeDigest, Assignee: "crm"}, []string{"crm1@example.com", "crm2@example.com"}},
		"a vendor":               {nil, dsr.Notice{Kind: dsr.NoticeErase, Vendor: &dsr.NoticeVendor{Address: "erase@vendor.example"}}, []string{"erase@vendor.example"}},
		"a domain in any script": {nil, notice("ada@bücher.example"), []string{"ada@xn--bcher-kva.example"}},
		"a quoted address":       {nil, notice(`"ada b"@example.com`), []string{"ada b@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, n := start(t, nil, c.change)
			c.notice.ID = "n"
			require.NoError(t, n.Notify(t.Context(), c.notice))
			got := all(t, server)
			require.Equal(t, c.want, recipientsOf(got))
			for i, m := range got {
				to, err := m.header.AddressList("To")
				require.NoError(t, err)
				require.Equal(t, []*mail.Address{{Address: c.want[i]}}, to)
			}
		})
	}
}

func TestInternationalAddress(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	require.NoError(t, n.Notify(t.Context(), notice("jürgen@bücher.example")))
	got := all(t, server)
	require.Equal(t, []string{"jürgen@xn--bcher-kva.example"}, recipientsOf(got))
	require.True(t, got[0].UTF8)
	require.Equal(t, "<jürgen@xn--bcher-kva.example>", got[0].header.Get("To"))

	server, n = start(t, &dbtest.SMTPOptions{NoUTF8: true}, nil)
	err := n.Notify(t.Context(), notice("jürgen@bücher.example", ada))
	require.ErrorIs(t, err, dsr.ErrRejected)
	require.ErrorContains(t, err, "RCPT: the server takes no address that is not ASCII before the @; 1 of 2 recipients have the notice")
	require.Equal(t, []string{ada}, recipientsOf(all(t, server)))
}
