package smtp

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/godsr/dsr"
)

// identifier is what a notice's ID is made of, short enough for one line.
var identifier = regexp.MustCompile(`^[A-Za-z0-9._-]{1,255}$`)

// messageID marks the notice for one recipient: the same each time that it is
// sent, and another for everybody else, whose message is another one.
func (n *Notifier) messageID(notice dsr.Notice, to mailbox) string {
	return notice.ID + "." + digest(notice.ID, to.address) + "@" + n.opts.from.domain
}

// digest is short, and hides what it is made of as well as that can be guessed.
func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// render writes the message for one recipient. Rendered again it has the same
// bytes, apart from a signature.
func (n *Notifier) render(notice dsr.Notice, to mailbox) ([]byte, error) {
	text, html := strings.ToValidUTF8(notice.Text, "\ufffd"), strings.ToValidUTF8(notice.HTML, "\ufffd")
	m := gomail.NewMsg(gomail.WithEncoding(gomail.EncodingQP), gomail.WithCharset(gomail.CharsetUTF8),
		gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(digest("boundary", notice.ID, to.address, text, html)))
	for name, value := range n.opts.Headers {
		m.SetGenHeader(gomail.Header(name), value)
	}
	m.FromMailAddress(n.opts.from.full())
	m.ToMailAddress(to.full())
	if n.opts.replyTo != nil {
		m.ReplyToMailAddress(n.opts.replyTo.full())
	}
	m.SetGenHeader(gomail.HeaderSubject, encodeHeader(notice.Subject))
	m.SetMessageIDWithValue(n.messageID(notice, to))
	if !notice.At.IsZero() {
		m.SetDateWithValue(notice.At)
	}
	if identifier.MatchString(notice.RequestID) {
		// A message that was never sent, to which all of one request answer.
		m.SetGenHeader(gomail.HeaderReferences, "<request."+notice.RequestID+"@"+n.opts.from.domain+">")
	}
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, 5
	m.SetGenHeader("X-Auto-Response-Suppress", "All")  // Exchange's own way
	switch {
	case html == "":
		m.SetBodyString(gomail.TypeTextPlain, text)
	case text == "":
		m.SetBodyString(gomail.TypeTextHTML, html)
	default:
		m.SetBodyString(gomail.TypeTextPlain, text)
		m.AddAlternativeString(gomail.TypeTextHTML, html)
	}
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return nil, err
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\r\n")) {
		b.WriteString("\r\n") // as the server will see it, so that a signature holds
	}
	return b.Bytes(), nil
}

const (
	encodedStart, encodedEnd = "=?UTF-8?B?", "?="
	// maxEncoded is how many bytes an encoded word takes: it may be 75 long;
	// RFC 2047, 2.
	maxEncoded = 45
	// maxPlain is how long a word may be that is not encoded, so that lines
	// stay within 78; RFC 5322, 2.1.1.
	maxPlain = 60
)

// encodeHeader writes a text so that a reader finds exactly it: whatever could
// be taken for the end of the header, for an encoded word, or change when lines
// are folded, is encoded by RFC 2047.
func encodeHeader(text string) string {
	text = strings.ToValidUTF8(text, "\ufffd")
	if plain(text) {
		return text
	}
	var words []string
	for text != "" {
		end := min(maxEncoded, len(text))
		for end < len(text) && !utf8.RuneStart(text[end]) {
			end--
		}
		words = append(words, encodedStart+base64.StdEncoding.EncodeToString([]byte(text[:end]))+encodedEnd)
		text = text[end:]
	}
	return strings.Join(words, " ")
}

// plain reports whether a text can stand in a header as it is.
func plain(text string) bool {
	if strings.Contains(text, "=?") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return false
	}
	for word := range strings.SplitSeq(text, " ") {
		if word == "" && text != "" || len(word) > maxPlain {
			return false
		}
	}
	return true
}
