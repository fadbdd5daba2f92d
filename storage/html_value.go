package storage

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// longText is how many bytes of text are folded behind their beginning,
	// longLines how many lines, and foldedText is how many characters of
	// that are shown.
	longText   = 600
	longLines  = 14
	foldedText = 140
	// deepValue is the depth below which a value is shown as JSON:
	// browsers flatten what is nested a few hundred elements deep.
	deepValue = 48
)

// htmlField is a declared field: its label, and the fields inside.
type htmlField struct {
	label    []byte
	children map[string]*htmlField
}

// htmlFields are the declared fields of a collection, below one without a name.
func htmlFields(columns []Column, t *Texts) *htmlField {
	root := &htmlField{}
	for _, column := range columns {
		at := root
		for i, name := range column.Path {
			child := at.children[name]
			if child == nil {
				child = &htmlField{}
				if at.children == nil {
					at.children = map[string]*htmlField{}
				}
				at.children[name] = child
			}
			if last := i == len(column.Path)-1; last || child.label == nil {
				var categories []string
				if last {
					categories = column.Categories
				}
				child.label = appendLabel(nil, name, categories, t)
			}
			at = child
		}
	}
	return root
}

func (f *htmlField) child(name string) *htmlField {
	if f == nil {
		return nil
	}
	return f.children[name]
}

func appendLabel(dst []byte, name string, categories []string, t *Texts) []byte {
	if name == "" {
		dst = append(append(append(dst, `<dt><i data-blank>`...), appendHTML(nil, t.Unnamed)...), `</i>`...)
	} else {
		dst = append(appendHTML(append(dst, `<dt><bdi>`...), name), `</bdi>`...)
	}
	if len(categories) > 0 {
		dst = append(appendHTML(append(dst, ` <small>`...), strings.Join(categories, ", ")), `</small>`...)
	}
	return append(dst, `</dt>`...)
}

// htmlRow shows one row: as HTML, and as the text that a search looks through,
// a field on each line. Every value tells its type in data-type.
type htmlRow struct {
	texts *Texts
	html  []byte
	text  []byte
}

func (r *htmlRow) markup(s string) { r.html = append(r.html, s...) }

// object shows an object whose fields are declared below at, if it is not nil.
func (r *htmlRow) object(object []byte, at *htmlField, depth int) error {
	empty := true
	err := members(object, func(name string, value []byte) error {
		if empty {
			r.markup(`<dl data-type="object">`)
			empty = false
		}
		field := at.child(name)
		r.markup(`<div>`)
		if field != nil {
			r.html = append(r.html, field.label...)
		} else {
			r.html = appendLabel(r.html, name, nil, r.texts)
		}
		r.markup(`<dd>`)
		r.text = append(r.text, name...)
		if len(value) > 0 && (value[0] == '{' || value[0] == '[') {
			r.text = append(r.text, '\n')
		} else {
			r.text = append(r.text, ": "...)
		}
		err := r.value(value, field, depth+1)
		r.markup("</dd></div>\n")
		return err
	})
	if empty {
		r.none("object", r.texts.Without)
	} else {
		r.markup(`</dl>`)
	}
	return err
}

// array shows an array: its elements have the fields of the array.
func (r *htmlRow) array(array []byte, at *htmlField, depth int) error {
	empty := true
	err := elements(array, func(value []byte) error {
		if empty {
			r.markup(`<ol data-type="array">`)
			empty = false
		}
		r.markup(`<li>`)
		err := r.value(value, at, depth+1)
		r.markup("</li>\n")
		return err
	})
	if empty {
		r.none("array", r.texts.Without)
	} else {
		r.markup(`</ol>`)
	}
	return err
}

func (r *htmlRow) value(value []byte, at *htmlField, depth int) error {
	kind := byte(0)
	if len(value) > 0 {
		kind = value[0]
	}
	switch {
	case (kind == '{' || kind == '[') && depth > deepValue:
		r.markup(`<code data-type="json">`)
		r.html = appendHTML(r.html, string(value))
		r.markup(`</code>`)
		r.line(string(value))
	case kind == '{':
		return r.object(value, at, depth)
	case kind == '[':
		return r.array(value, at, depth)
	case kind == '"':
		s, err := unquote(value)
		if err != nil {
			return err
		}
		r.string(s)
	case kind == 'n':
		r.none("null", r.texts.Null)
		r.line("")
	case kind == 't':
		r.markup(`<span data-type="boolean" data-value="true">`)
		r.word(r.texts.True)
	case kind == 'f':
		r.markup(`<span data-type="boolean" data-value="false">`)
		r.word(r.texts.False)
	default:
		r.markup(`<bdi dir="ltr" data-type="number">`)
		r.html = appendHTML(r.html, string(value))
		r.markup(`</bdi>`)
		r.line(string(value))
	}
	return nil
}

// string shows a text. A long one is folded behind its beginning.
func (r *htmlRow) string(s string) {
	r.line(s)
	switch {
	case s == "":
		r.none("text", r.texts.Blank)
		return
	case len(s) <= longText && strings.Count(s, "\n") <= longLines:
		r.markup(`<bdi data-type="text">`)
		r.html = appendHTML(r.html, s)
		r.markup(`</bdi>`)
		return
	}
	r.markup(`<details><summary><bdi>`)
	r.html = appendHTML(r.html, beginning(s, foldedText))
	r.markup(`…</bdi> <small>`)
	r.html = appendHTML(r.html, fill(r.texts.Long, "{n}", r.texts.number(int64(utf8.RuneCountInString(s)))))
	r.markup(`</small></summary><bdi data-type="text">`)
	r.html = appendHTML(r.html, s)
	r.markup(`</bdi></details>`)
}

// none says in words that there is nothing to show.
func (r *htmlRow) none(kind, word string) {
	r.markup(`<i data-type="` + kind + `" data-blank>`)
	r.html = appendHTML(r.html, word)
	r.markup(`</i>`)
}

// word ends a boolean.
func (r *htmlRow) word(word string) {
	r.html = appendHTML(r.html, word)
	r.markup(`</span>`)
	r.line(word)
}

// line adds to what is searched.
func (r *htmlRow) line(s string) { r.text = append(append(r.text, s...), '\n') }

// beginning is a text's first characters.
func beginning(s string, characters int) string {
	for i := range s {
		if characters == 0 {
			return s[:i]
		}
		characters--
	}
	return s
}

// appendHTML adds text, escaped for an element and for a quoted attribute's
// value that holds no such character as is shown by its number: those that
// cannot be seen, and those that change the order of others. Their elements
// name them in data-char, so that the text can be read back exactly.
func appendHTML(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		if plainBytes[s[i]] {
			i++
			continue
		}
		c, size := rune(s[i]), 1
		if c >= utf8.RuneSelf {
			c, size = utf8.DecodeRuneInString(s[i:])
		}
		var as string
		switch {
		case c == '<':
			as = "&lt;"
		case c == '>':
			as = "&gt;"
		case c == '&':
			as = "&amp;"
		case c == '"':
			as = "&#34;"
		case c == '\'':
			as = "&#39;"
		case c == utf8.RuneError && size == 1:
			as = "\uFFFD"
		case c == '\r' && strings.HasPrefix(s[i+1:], "\n"):
			as = `<b data-char="000D"></b>` // a line's end, as Windows writes it
		case unseen(c):
			as = fmt.Sprintf(`<b data-char="%04X">U+%04[1]X</b>`, c)
		default:
			i += size
			continue
		}
		dst = append(append(dst, s[from:i]...), as...)
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// plainBytes are those that stay as they are in HTML and in scripts.
var plainBytes = func() (plain [256]bool) {
	for c := byte(' '); c < 0x7F; c++ {
		plain[c] = !strings.ContainsRune(`<>&"'\`, rune(c))
	}
	return plain
}()

// unseen reports whether a character cannot be seen, or changes the order of
// others. Those that languages need are not among them.
func unseen(c rune) bool {
	switch {
	case c < ' ':
		return c != '\t' && c != '\n'
	case c < 0x7F:
		return false
	}
	return c <= 0x9F || // DEL and C1
		c == 0x180E || c == 0x200B || c == 0xFEFF || // of no width
		c >= 0x2028 && c <= 0x202E || // line ends; embeddings and overrides
		c >= 0x2060 && c <= 0x206F || // isolates and others
		c >= 0xFFF9 && c <= 0xFFFB // annotations
}

// visible replaces what cannot be seen, where no element can show it.
func visible(s string) string {
	return strings.Map(func(c rune) rune {
		if unseen(c) {
			return utf8.RuneError
		}
		return c
	}, s)
}
