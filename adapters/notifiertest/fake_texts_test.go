package notifiertest_test

import (
	"crypto/sha256"
	"fmt"
	"html"
	"mime"
	"regexp"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/notifiertest"
)

// recipients is whom a notice is sent to.
func (f *fake) recipients(n dsr.Notice) ([]string, error) {
	var to []string
	switch n.Kind.Audience() {
	case dsr.ToSubject:
		to = n.To["email"]
		switch {
		case f.fault == "writes to the first address" && len(to) > 1:
			to = to[:1]
		case f.fault == "calls as well" && len(to) > 1:
			to = append(to[:len(to):len(to)], n.To["phone_number"]...)
		case f.fault == "writes to some twice" && len(to) > 1:
			to = append(to[:len(to):len(to)], to[0])
		}
	case dsr.ToOperators:
		to = operators
		if f.fault == "writes to one operator" {
			to = to[:1]
		}
	case dsr.ToAssignee:
		to = []string{n.Assignee}
		if f.fault == "writes to operators of tasks" {
			to = operators
		}
	case dsr.ToVendor:
		if n.Vendor != nil {
			to = []string{n.Vendor.Address}
		}
		if f.fault == "copies operators" {
			to = append(to, operators...)
		}
	}
	usable := len(to) > 0
	for _, address := range to {
		usable = usable && (strings.Contains(address, "@") || address == "+49 30 canary7q" && f.fault == "calls as well")
	}
	switch {
	case usable:
		return to, nil
	case f.fault == "writes to operators instead":
		return operators, nil
	case f.fault == "waits for an address":
		return nil, fmt.Errorf("fake: no recipient")
	case f.fault == "drops what is for nobody":
		f.fault = "drops everything"
		return nil, nil
	case f.fault == "quotes the address":
		return nil, fmt.Errorf("%w: %q", dsr.ErrRejected, to)
	}
	return nil, fmt.Errorf("%w: no recipient", dsr.ErrRejected)
}

// render is a notice as it arrives.
func (f *fake) render(n dsr.Notice, to []string) notifiertest.Received {
	r := notifiertest.Received{ID: f.mark(n), Kind: n.Kind, To: to, Subject: n.Subject, Text: n.Text, HTML: n.HTML}
	all := func(change func(string) string) {
		r.Subject, r.Text, r.HTML = change(r.Subject), change(r.Text), change(r.HTML)
	}
	each := func(change func(line string) string) {
		all(func(text string) string {
			lines := strings.Split(text, "\n")
			for i, line := range lines {
				lines[i] = change(line)
			}
			return strings.Join(lines, "\n")
		})
	}
	switch f.fault {
	case "calls reminders tasks":
		if n.Kind == dsr.NoticeReminder {
			r.Kind = dsr.NoticeTask
		}
	case "has subjects of its own":
		if n.Kind != dsr.NoticeReceived && strings.HasPrefix(n.Subject, "About") {
			r.Subject = "Your request"
		}
	case "has no HTML":
		if n.Kind == dsr.NoticeApproved {
			r.HTML = ""
		}
	case "has HTML alone":
		if n.HTML != "" && n.Kind != dsr.NoticeReceived {
			r.Text = ""
		}
	case "has HTML of its own":
		if n.HTML == "" && n.Kind == dsr.NoticeVerify && n.Text != "bare" {
			r.HTML = "<pre>" + n.Text + "</pre>"
		}
	case "cuts lines":
		each(func(line string) string { return line[:min(998, len(line))] })
	case "breaks lines":
		r.Text = regexp.MustCompile(`[^\n]{998}`).ReplaceAllString(r.Text, "$0\n")
	case "ends at a dot":
		r.Text, _, _ = strings.Cut(r.Text, "\n.\n")
	case "takes dots away":
		each(func(line string) string { return strings.TrimPrefix(line, "..") })
	case "trims lines":
		each(func(line string) string { return strings.TrimRight(line, " \t") })
	case "trims the text":
		r.Text = strings.TrimSpace(r.Text)
	case "joins blanks":
		r.Subject = strings.Join(strings.Fields(r.Subject), " ")
	case "makes paragraphs":
		all(func(text string) string { return strings.ReplaceAll(text, "\r\n", "\n\n") })
	case "escapes From":
		all(func(text string) string { return strings.ReplaceAll(text, "\nFrom ", "\n>From ") })
	case "reads encoded words":
		r.Subject, _ = (&mime.WordDecoder{}).DecodeHeader(r.Subject)
	case "unescapes HTML":
		all(html.UnescapeString)
	case "escapes HTML":
		r.Text = strings.ReplaceAll(r.Text, "<", "&lt;")
	case "is made for Europe":
		all(func(text string) string {
			return strings.Map(func(r rune) rune {
				if r > 0xFFFF {
					return '?'
				}
				return r
			}, text)
		})
	case "knows what is meant":
		all(func(text string) string { return strings.ReplaceAll(text, "e\u0301", "é") })
	case "cuts at NUL":
		r.Text, _, _ = strings.Cut(r.Text, "\x00")
	case "cuts the subject at NUL":
		r.Subject, _, _ = strings.Cut(r.Subject, "\x00")
	case "drops control characters":
		r.Text = strings.ReplaceAll(r.Text, "\x7f", "")
	case "drops byte order marks":
		r.Text = strings.TrimPrefix(r.Text, "\ufeff")
	case "cuts the subject":
		r.Subject, _, _ = strings.Cut(r.Subject, "\n")
	case "takes headers from the subject":
		if _, bcc, ok := strings.Cut(r.Subject, "Bcc: "); ok {
			r.To = append(r.To[:len(r.To):len(r.To)], strings.Fields(bcc)[0])
		}
	}
	return r
}

// mark is what the other side tells notices apart by.
func (f *fake) mark(n dsr.Notice) string {
	switch f.fault {
	case "marks by the text":
		return fmt.Sprintf("%s.%x", n.ID, sha256.Sum256([]byte(n.Text)))
	case "marks by the request":
		return n.RequestID
	case "marks in lower case":
		return strings.ToLower(n.ID)
	case "marks are short":
		return n.ID[:min(len(n.ID), 60)]
	case "finds marks by their parts":
		for _, r := range f.received {
			if strings.Contains(r.ID, n.ID) {
				return r.ID
			}
		}
	case "marks anew what was lost":
		return fmt.Sprintf("%s.%d", n.ID, f.lost)
	}
	return n.ID
}
