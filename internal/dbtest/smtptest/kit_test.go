package smtptest_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
	"github.com/godsr/dsr/internal/dbtest"
)

// ada is the data subject. No error and no header but To may hold "ada7".
const ada = "ada7@example.com"

// received is a message as a reader sees it.
type received struct {
	dbtest.SMTPMessage
	header              mail.Header
	subject, text, html string
}

// read parses a message as mail programs do.
func read(m dbtest.SMTPMessage) (received, error) {
	r := received{SMTPMessage: m}
	message, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		return r, err
	}
	r.header = message.Header
	if r.subject, err = new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject")); err != nil {
		return r, err
	}
	return r, r.add(message.Header.Get("Content-Type"), message.Header.Get("Content-Transfer-Encoding"), message.Body)
}

// add reads a part and the parts in it.
func (r *received) add(contentType, encoding string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return err
	}
	if kind == "multipart/alternative" {
		for parts := multipart.NewReader(body, params["boundary"]); ; {
			part, err := parts.NextRawPart()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			if err := r.add(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part); err != nil {
				return err
			}
		}
	}
	if params["charset"] != "UTF-8" || encoding != "quoted-printable" {
		return fmt.Errorf("charset %q, encoding %q", params["charset"], encoding)
	}
	content, err := io.ReadAll(quotedprintable.NewReader(body))
	switch kind {
	case "text/plain":
		r.text += string(content)
	case "text/html":
		r.html += string(content)
	default:
		return fmt.Errorf("a part of type %q", kind)
	}
	return err
}

// all reads what a server took.
func all(t *testing.T, s *dbtest.SMTPServer) []received {
	t.Helper()
	messages := []received{}
	for _, m := range s.Messages() {
		r, err := read(m)
		require.NoError(t, err, string(m.Data))
		messages = append(messages, r)
	}
	return messages
}

// options are those of a notifier that talks to a server, which may be slow.
func options(s *dbtest.SMTPServer) *smtp.Options {
	return &smtp.Options{
		Host: s.Host(), Port: s.Port(), TLSConfig: s.TLSConfig(), Hello: "client.example.com",
		From:      mail.Address{Name: "Privacy desk", Address: "privacy@example.com"},
		Operators: []string{"desk@example.com", "night.desk@example.com"},
		Timeout:   5 * time.Minute,
	}
}

// start starts a server and a notifier that talks to it.
func start(t *testing.T, server *dbtest.SMTPOptions, change func(o *smtp.Options)) (*dbtest.SMTPServer, *smtp.Notifier) {
	t.Helper()
	s := dbtest.SMTP(t, server)
	o := options(s)
	if change != nil {
		change(o)
	}
	n, err := smtp.New(o)
	require.NoError(t, err)
	return s, n
}

// notice is one to data subjects.
func notice(to ...string) dsr.Notice {
	return dsr.Notice{
		ID: "n-1.received", Kind: dsr.NoticeReceived, RequestID: "pri_17", At: time.Date(2024, 2, 29, 12, 30, 15, 0, time.UTC),
		Subject: "Your request", Text: "We have it.\n", HTML: "<p>We have it.</p>\n", To: dsr.Identities{"email": to},
	}
}

// recipientsOf are those that messages were sent to.
func recipientsOf(messages []received) []string {
	to := []string{}
	for _, m := range messages {
		to = append(to, m.To)
	}
	return to
}
