package download

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Text is a page's.
type Text struct {
	// Title is its heading, Body a paragraph below.
	Title, Body string
}

// Texts are those of all pages in one language. What is empty is in English.
type Texts struct {
	// Confirm asks before a one-time link is used up, and Button does it.
	Confirm Text
	Button  string
	// File, Size and Until stand before what the package is called, how
	// large it is, and when the link expires.
	File, Size, Until string

	// Expired, Used, Gone and Unknown say why a link does not work, and
	// what to do: it is too old; it worked once; the package was removed;
	// there is no such link.
	Expired, Used, Gone, Unknown Text
	// NotReady says that the request is still worked on, Busy that too many
	// ask at once, Failed that something went wrong here.
	NotReady, Busy, Failed Text

	// Contact stands before Options.Contact.
	Contact string
	// RightToLeft is the direction in which the language is written.
	RightToLeft bool
}

// English returns the texts that are built in.
func English() Texts {
	return Texts{
		Confirm: Text{"Download your data", "This link works once. When you press the button, the download begins and the link is used up. Save the file in a place that only you can get to: it holds personal data."},
		Button:  "Download",
		File:    "File", Size: "Size", Until: "The link expires",
		Expired:  Text{"This link has expired", "Download links work for a limited time, to keep your data safe. Ask us for a new link: answer the message that brought you here, or contact us."},
		Used:     Text{"This link was used already", "It works once, to keep your data safe. If the download broke off, or if it was not you who used the link, contact us: you can have a new one."},
		Gone:     Text{"This file is no longer there", "We keep the file with your data for a limited time only, and it has been removed. You can make a new request for your data."},
		Unknown:  Text{"There is no such link", "Part of the address may be missing. Open the link from our message again, or copy the whole of it into the address bar. If that does not help, ask us for a new link."},
		NotReady: Text{"Your data is not ready yet", "Your request is still being worked on. Try the link again later."},
		Busy:     Text{"Please try again in a moment", "Too many downloads are asked for just now. Your link still works."},
		Failed:   Text{"Something went wrong", "That is our fault, not yours. Try again in a few minutes; if it goes wrong again, contact us."},
		Contact:  "Contact:",
	}
}

// or fills what is empty.
func (t Texts) or(d Texts) Texts {
	text := func(a, b Text) Text { return Text{cmp.Or(a.Title, b.Title), cmp.Or(a.Body, b.Body)} }
	return Texts{
		Confirm: text(t.Confirm, d.Confirm), Button: cmp.Or(t.Button, d.Button),
		File: cmp.Or(t.File, d.File), Size: cmp.Or(t.Size, d.Size), Until: cmp.Or(t.Until, d.Until),
		Expired: text(t.Expired, d.Expired), Used: text(t.Used, d.Used), Gone: text(t.Gone, d.Gone), Unknown: text(t.Unknown, d.Unknown),
		NotReady: text(t.NotReady, d.NotReady), Busy: text(t.Busy, d.Busy), Failed: text(t.Failed, d.Failed),
		Contact: cmp.Or(t.Contact, d.Contact), RightToLeft: t.RightToLeft,
	}
}

// fallback is the language that is built in.
const fallback = "en"

// maxAccept bounds how many languages of a browser are looked at.
const maxAccept = 20

// preferred picks one of the languages by the header Accept-Language: of those
// that the reader takes, the most wanted one that is there, be it as the language
// without its region.
func preferred(accept string, there map[string]Texts) string {
	type wish struct {
		tag     string
		quality float64
	}
	var wishes []wish
	for part := range strings.SplitSeq(accept, ",") {
		tag, params, _ := strings.Cut(part, ";")
		w := wish{strings.ToLower(strings.TrimSpace(tag)), 1}
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if w.quality, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if w.tag != "" && w.quality > 0 {
			wishes = append(wishes, w)
		}
		if len(wishes) == maxAccept {
			break
		}
	}
	slices.SortStableFunc(wishes, func(a, b wish) int { return cmp.Compare(b.quality, a.quality) })
	for _, w := range wishes {
		for tag := w.tag; tag != ""; {
			if _, ok := there[tag]; ok {
				return tag
			}
			tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
		}
	}
	return fallback
}
