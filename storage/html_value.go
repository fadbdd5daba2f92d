package storage

import (
	"bytes"
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

// htmlRow shows one row: as HTML, and as the text that a search looks through,
// a field on each line. Every value tells its type in data-type.
type htmlRow struct {
	texts          *Texts
	html, text     []byte
	noHTML, noText bool // what is not wanted
	// full takes what there is of a row that is not small. It is called
	// whenever there are rowChunk bytes or a few more.
	full func() error
	err  error  // of full
	buf  []byte // of the piece that is looked at
}

// rowChunk is how many bytes of a row are held, as HTML and as text.
const rowChunk = pageSize

// start begins a row.
func (r *htmlRow) start() {
	r.html, r.text, r.noHTML, r.noText, r.err = r.html[:0], r.text[:0], false, false, nil
}

func (r *htmlRow) markup(s string) {
	if !r.noHTML {
		r.html = append(r.html, s...)
	}
}

// word adds one of the texts, without search.
func (r *htmlRow) word(s string) {
	if !r.noHTML {
		r.html = appendHTML(r.html, s)
	}
}

// data adds a piece of the data.
func (r *htmlRow) data(piece []byte) {
	if !r.noHTML {
		r.html = appendHTML(r.html, piece)
	}
	r.pass()
}

// line adds to what is searched.
func (r *htmlRow) line(piece []byte, end string) {
	if !r.noText {
		r.text = append(append(r.text, piece...), end...)
	}
	r.pass()
}

// pass hands over what is enough.
func (r *htmlRow) pass() {
	if r.err == nil && (len(r.html) >= rowChunk || len(r.text) >= rowChunk) {
		r.err = r.full()
	}
}

// object shows an object whose fields are declared below at, if it is not nil.
func (r *htmlRow) object(object []byte, at *htmlField, depth int) error {
	in, err := openScan(object, '{')
	if err != nil {
		return err
	}
	for empty := true; ; empty = false {
		name, value, err := in.member()
		switch {
		case err != nil:
			return err
		case value == nil && empty:
			r.none("object", r.texts.Without)
			return r.err
		case value == nil:
			r.markup(`</dl>`)
			return r.err
		case empty:
			r.markup(`<dl data-type="object">`)
		}
		r.markup(`<div>`)
		field, err := r.name(name, at)
		if err != nil {
			return err
		}
		r.markup(`<dd>`)
		end := ": "
		if value[0] == '{' || value[0] == '[' {
			end = "\n"
		}
		r.line(nil, end)
		if err := r.value(value, field, depth+1); err != nil {
			return err
		}
		r.markup("</dd></div>\n")
	}
}

// name shows the name of a field, which is given in its quotes, and returns
// what was declared of it.
func (r *htmlRow) name(name []byte, at *htmlField) (field *htmlField, err error) {
	if at != nil && len(at.children) > 0 && len(name) <= textPiece {
		var text []byte
		if text, r.buf, err = unquoted(name, r.buf); err != nil {
			return nil, err
		}
		if field = at.children[string(text)]; field != nil {
			if !r.noHTML {
				r.html = append(r.html, field.label...)
			}
			r.line(text, "")
			return field, nil
		}
	}
	if len(name) == len(`""`) {
		r.markup(`<dt><i data-blank>`)
		r.word(r.texts.Unnamed)
		r.markup(`</i></dt>`)
		return nil, nil
	}
	r.markup(`<dt><bdi>`)
	err = r.pieces(name, func(piece []byte) { r.data(piece); r.line(piece, "") })
	r.markup(`</bdi></dt>`)
	return nil, err
}

// array shows an array: its elements have the fields of the array.
func (r *htmlRow) array(array []byte, at *htmlField, depth int) error {
	in, err := openScan(array, '[')
	if err != nil {
		return err
	}
	for empty := true; ; empty = false {
		value, err := in.element()
		switch {
		case err != nil:
			return err
		case value == nil && empty:
			r.none("array", r.texts.Without)
			return r.err
		case value == nil:
			r.markup(`</ol>`)
			return r.err
		case empty:
			r.markup(`<ol data-type="array">`)
		}
		r.markup(`<li>`)
		if err := r.value(value, at, depth+1); err != nil {
			return err
		}
		r.markup("</li>\n")
	}
}

func (r *htmlRow) value(value []byte, at *htmlField, depth int) error {
	switch kind := value[0]; {
	case (kind == '{' || kind == '[') && depth > deepValue:
		r.markup(`<code data-type="json">`)
		r.plain(value)
		r.markup(`</code>`)
	case kind == '{':
		return r.object(value, at, depth)
	case kind == '[':
		return r.array(value, at, depth)
	case kind == '"':
		if err := r.string(value); err != nil {
			return err
		}
	case kind == 'n':
		r.none("null", r.texts.Null)
		r.line(nil, "\n")
	case kind == 't':
		r.boolean("true", r.texts.True)
	case kind == 'f':
		r.boolean("false", r.texts.False)
	default:
		r.markup(`<bdi dir="ltr" data-type="number">`)
		r.plain(value)
		r.markup(`</bdi>`)
	}
	return r.err
}

// string shows a text, which is given in its quotes. A long one is folded
// behind its beginning.
func (r *htmlRow) string(quoted []byte) error {
	var first []byte // whose buffer does not outlast the call that takes it
	var lines, characters, size int
	err := r.pieces(quoted, func(piece []byte) {
		if size == 0 {
			first = piece
			if len(quoted) > textPiece {
				first = bytes.Clone(beginning(piece, foldedText))
			}
		}
		size += len(piece)
		characters += utf8.RuneCount(piece)
		lines += bytes.Count(piece, []byte("\n"))
		r.line(piece, "")
	})
	r.line(nil, "\n")
	switch {
	case err != nil:
		return err
	case size == 0:
		r.none("text", r.texts.Blank)
		return nil
	case size <= longText && lines <= longLines:
		r.markup(`<bdi data-type="text">`)
		r.data(first)
		r.markup(`</bdi>`)
		return nil
	}
	r.markup(`<details><summary><bdi>`)
	r.data(beginning(first, foldedText))
	r.markup(`…</bdi> <small>`)
	r.word(fill(r.texts.Long, "{n}", r.texts.number(int64(characters))))
	r.markup(`</small></summary><bdi data-type="text">`)
	err = r.pieces(quoted, r.data)
	r.markup(`</bdi></details>`)
	return err
}

// plain shows a value as its JSON.
func (r *htmlRow) plain(value []byte) {
	for len(value) > 0 {
		n := min(textPiece, len(value))
		for n < len(value) && !utf8.RuneStart(value[n]) {
			n++
		}
		r.data(value[:n])
		r.line(value[:n], "")
		value = value[n:]
	}
	r.line(nil, "\n")
}

// none says in words that there is nothing to show.
func (r *htmlRow) none(kind, word string) {
	r.markup(`<i data-type="`)
	r.markup(kind)
	r.markup(`" data-blank>`)
	r.word(word)
	r.markup(`</i>`)
	r.pass()
}

func (r *htmlRow) boolean(value, word string) {
	r.markup(`<span data-type="boolean" data-value="`)
	r.markup(value)
	r.markup(`">`)
	r.word(word)
	r.markup(`</span>`)
	r.line([]byte(word), "\n")
}
