package openapitest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// slot is one place of a tree where something can be changed.
type slot struct {
	value any
	set   func(any)
	drop  func() // nil at the root
}

// slots lists the places of a tree, the root first.
func slots(root *any) []slot {
	found := []slot{{value: *root, set: func(v any) { *root = v }}}
	for i := 0; i < len(found) && len(found) < 2000; i++ {
		outer := found[i]
		switch v := outer.value.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				found = append(found, slot{value: v[key], set: func(n any) { v[key] = n }, drop: func() { delete(v, key) }})
			}
		case []any:
			for j := range v {
				found = append(found, slot{
					value: v[j], set: func(n any) { v[j] = n },
					drop: func() { outer.set(slices.Delete(slices.Clone(v), j, j+1)) },
				})
			}
		}
	}
	return found
}

// mutate breaks a valid request in one place, seldom in two.
func (m *maker) mutate(a *attempt) {
	for {
		switch n := m.IntN(10); {
		case a.bodied && a.raw == nil && n < 4:
			m.mutateTree(a)
		case a.bodied && a.raw == nil && n < 6:
			m.mutateText(a)
		case a.bodied && n < 7:
			m.mutateTransport(a)
		default:
			m.mutateArguments(a)
		}
		if !m.chance(15) {
			return
		}
	}
}

func (m *maker) mutateTree(a *attempt) {
	places := slots(&a.tree)
	s := pick(m.Rand, places)
	if len(places) > 1 && m.chance(80) {
		s = pick(m.Rand, places[1:])
	}
	note := func(what string) { a.broken = append(a.broken, "body: "+what) }
	switch m.IntN(10) {
	case 0, 1:
		if s.drop != nil {
			s.drop()
			note("something is missing")
			return
		}
		fallthrough
	case 2:
		s.set(nil)
		note("null")
	case 3:
		s.set(pick(m.Rand, []any{true, json.Number("7"), "text", []any{}, map[string]any{}, []any{nil}, map[string]any{"a": "b"}}))
		note("another type")
	case 4:
		list := numbers()
		s.set(json.Number(list[m.deal(a.op.ID+" number", len(list))]))
		note("a strange number")
	case 5:
		if members, ok := s.value.(map[string]any); ok {
			members[pick(m.Rand, []string{"extra", "__proto__", "constructor", "", "$schema", "id", "ID", "\x00", strings.Repeat("k", 300)})] = m.value(true, "", 3)
			note("an extra key")
			return
		}
		fallthrough
	case 6, 7:
		s.set(m.hostileText(a.op, "body"))
		note("a hostile text")
	case 8:
		if list, ok := s.value.([]any); ok {
			for range 300 {
				list = append(list, m.value(true, "", softDepth))
			}
			s.set(list)
			note("a long list")
			return
		}
		s.set(strings.Repeat("long ", 4000))
		note("a long text")
	case 9:
		deep := s.value
		for range 60 {
			if m.chance(50) {
				deep = []any{deep}
			} else {
				deep = map[string]any{"a": deep}
			}
		}
		s.set(deep)
		note("deep nesting")
	}
}

// outside are whole numbers just beyond the bounds of a schema.
func (m *maker) outside(raw any) []string {
	var list []string
	schema := m.schema(raw, 0)
	for keyword, by := range map[string]int64{"minimum": -1, "exclusiveMinimum": 0, "maximum": 1, "exclusiveMaximum": 0} {
		if limit, ok := schema[keyword].(json.Number); ok {
			if n, err := limit.Int64(); err == nil {
				list = append(list, strconv.FormatInt(n+by, 10))
			}
		}
	}
	slices.Sort(list)
	return list
}

// mutateText breaks the body as a text.
func (m *maker) mutateText(a *attempt) {
	text := a.body()
	note := func(what string, broken []byte) {
		a.broken, a.raw = append(a.broken, "body: "+what), broken
		if a.raw == nil {
			a.raw = []byte{}
		}
	}
	put := func(insert string) []byte {
		at := m.IntN(len(text) + 1)
		if i := bytes.IndexByte(text[at:], '"'); i >= 0 {
			at += i + 1
		}
		return slices.Concat(text[:at], []byte(insert), text[at:])
	}
	switch m.IntN(13) {
	case 0:
		note("empty", nil)
	case 1:
		note("truncated", text[:m.IntN(len(text)+1)])
	case 2:
		note("invalid UTF-8", put("\xff\xc3\x28"))
	case 3:
		note("a byte order mark", append([]byte("\ufeff"), text...))
	case 4:
		if members, ok := a.tree.(map[string]any); ok && len(members) > 0 {
			key := pick(m.Rand, slices.Sorted(maps.Keys(members)))
			twice := slices.Concat([]byte("{"), encode(key), []byte(":"), encode(pick(m.Rand, []any{nil, "twice", json.Number("2")})), []byte(","), text[1:])
			note("a key twice", twice)
			return
		}
		fallthrough
	case 5:
		open, end := "[", "]"
		if m.chance(50) {
			open, end = `{"a":`, "}"
		}
		n := pick(m.Rand, []int{100, 1000, 9999, 10001, 30000})
		note("very deep nesting", []byte(strings.Repeat(open, n)+"1"+strings.Repeat(end, n)))
	case 6:
		note("no JSON", []byte(pick(m.Rand, []string{"NaN", "Infinity", "-", "undefined", "{", "nul", "'a'", "{a:1}", "[1,]", `{"a":1,}`, "// c\n{}", "<a/>", "01", "\x00", `"\x"`, `"` + "\n" + `"`})))
	case 7:
		note("something follows", append(slices.Clone(text), pick(m.Rand, []string{"x", "{}", "\x00", ",", "]", "\n{}"})...))
	case 8:
		note("half a surrogate pair", put(`\ud800`))
	case 9:
		var wide []byte
		for _, unit := range utf16.Encode([]rune("\ufeff" + string(text))) {
			wide = append(wide, byte(unit>>8), byte(unit))
		}
		note("UTF-16", wide)
	case 10:
		note("another JSON value", []byte(pick(m.Rand, []string{"null", "true", "0", `""`, "[]", "{}", "[null]", "[[]]", "[{}]"})))
	case 11:
		note("a control character", put("\x01"))
	case 12:
		changed := slices.Clone(text)
		for range 1 + m.IntN(3) {
			if len(changed) > 0 {
				changed[m.IntN(len(changed))] = byte(m.IntN(256))
			}
		}
		note("some bytes changed", changed)
	}
}

// mutateTransport leaves the body alone and changes how it is sent.
func (m *maker) mutateTransport(a *attempt) {
	note := func(what string) { a.broken = append(a.broken, what) }
	switch m.IntN(4) {
	case 0:
		a.gzipped = true
		note("a compressed body")
	case 1:
		a.chunked = true
		note("a body of unknown length")
	case 2:
		a.media = ""
		note("no content type")
	case 3:
		a.media = pick(m.Rand, []string{
			"text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
			"application/json; charset=utf-16", "application/json; charset", "APPLICATION/JSON", "application/cbor", "json", "/", ";", "*/*", "application/octet-stream", "application/json, text/plain",
		})
		note("content type " + a.media)
	}
}

// mutateArguments breaks parameters.
func (m *maker) mutateArguments(a *attempt) {
	note := func(what string) { a.broken = append(a.broken, what) }
	if len(a.op.params) > 0 && m.chance(65) {
		p := &a.op.params[m.IntN(len(a.op.params))]
		i := slices.IndexFunc(a.arguments, func(arg argument) bool { return arg.described == p })
		if i < 0 {
			i = len(a.arguments)
			a.arguments = append(a.arguments, argument{name: p.name, in: p.in, values: m.parameter(a.op, p), described: p})
		}
		arg := a.arguments[i]
		what := arg.in + " parameter " + arg.name + ": "
		switch n := m.IntN(6); {
		case n == 0 && arg.in != "path":
			a.arguments = slices.Delete(a.arguments, i, i+1)
			note(what + "missing")
		case n == 1 && arg.in == "query":
			arg.values = append(slices.Clone(arg.values), m.word())
			a.arguments[i] = arg
			note(what + "repeated")
		case n <= 2 || n == 3 && m.chance(50):
			list := append(m.outside(p.schema), numbers()...)
			a.arguments[i].values = []string{list[m.deal(a.op.ID+" number "+arg.name, len(list))]}
			note(what + "a strange number")
		default:
			a.arguments[i].values = []string{m.hostileText(a.op, "argument "+arg.name)}
			note(what + "a hostile text")
		}
		return
	}
	switch m.IntN(4) {
	case 0:
		a.tail = pick(m.Rand, []string{"%zz", "%", "a;b", "=", "&&", "=&=", "%00=%00", "a=%ff", "a[]=1&a[0]=2&a[b]=3", strings.Repeat("a=1&", 2000) + "a=1", "a=" + strings.Repeat("b", 6000)})
		note("a malformed query")
	case 1:
		name := pick(m.Rand, []string{"page", "size", "limit", "offset", "cursor", "sort", "order_by", "q"})
		a.arguments = append(a.arguments, argument{name: name, in: "query", values: []string{pick(m.Rand, []string{"0", "-1", "1.5", "NaN", "999999999999", "9223372036854775808", "", "a", "1e9", "!!!="})}})
		note("bad pagination")
	default:
		a.arguments = append(a.arguments, argument{name: pick(m.Rand, append(slices.Clip(m.hostile), "unknown", "unknown")), in: "query", values: []string{pick(m.Rand, m.hostile)}})
		note("an unknown query parameter")
	}
}
