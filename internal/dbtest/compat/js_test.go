//go:build compat

package compat_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parseInserts reads the shell commands db.<name>.insert([…]) and passes over
// all others.
func parseInserts(src string) (map[string][]any, error) {
	s := &scanner{src: src}
	collections := map[string][]any{}
	for {
		s.space()
		if s.at == len(s.src) {
			return collections, s.err
		}
		s.expect("db.")
		name := s.word()
		insert := s.skip(".insert(")
		if !insert {
			s.expect("(")
		}
		list, isList := s.value().([]any)
		s.expect(")")
		s.skip(";")
		if insert && isList {
			collections[name] = append(collections[name], list...)
		}
		if s.err != nil {
			return nil, s.err
		}
	}
}

// scanner reads the literals of JavaScript that the Mongo shell is fed with.
// The first fault stays, and nothing is read after it.
type scanner struct {
	src string
	at  int
	err error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		line := 1 + strings.Count(s.src[:s.at], "\n")
		s.err = fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
	}
	s.at = len(s.src)
}

// space passes over blanks and comments.
func (s *scanner) space() {
	for s.at < len(s.src) {
		rest := s.src[s.at:]
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			s.at++
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexByte(rest+"\n", '\n')
			s.at += min(end, len(rest))
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest, "*/")
			if end < 0 {
				s.fail("a comment does not end")
				return
			}
			s.at += end + 2
		default:
			return
		}
	}
}

// skip takes a text when it comes next.
func (s *scanner) skip(text string) bool {
	s.space()
	if !strings.HasPrefix(s.src[s.at:], text) {
		return false
	}
	s.at += len(text)
	return true
}

func (s *scanner) expect(text string) {
	if !s.skip(text) {
		s.fail("want %q", text)
	}
}

// word takes a name.
func (s *scanner) word() string {
	s.space()
	start := s.at
	for s.at < len(s.src) {
		c := s.src[s.at]
		if c != '_' && c != '$' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		s.at++
	}
	if s.at == start {
		s.fail("want a name")
		return ""
	}
	return s.src[start:s.at]
}

func (s *scanner) value() any {
	s.space()
	if s.at == len(s.src) {
		s.fail("want a value")
		return nil
	}
	switch c := s.src[s.at]; {
	case c == '"' || c == '\'':
		return s.text()
	case c == '{':
		return s.object()
	case c == '[':
		return s.array()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.named()
}

func (s *scanner) text() string {
	quote := s.src[s.at]
	s.at++
	start := s.at
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case quote:
			s.at++
			return s.src[start : s.at-1]
		case '\\', '\n':
			s.fail("a text goes over a line or has an escape")
		}
		s.at++
	}
	s.fail("a text does not end")
	return ""
}

func (s *scanner) number() any {
	start := s.at
	for s.at < len(s.src) && strings.ContainsRune("+-.0123456789eE", rune(s.src[s.at])) {
		s.at++
	}
	text := s.src[start:s.at]
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.fail("%q is no number", text)
	}
	return f
}

func (s *scanner) object() map[string]any {
	s.expect("{")
	object := map[string]any{}
	for !s.skip("}") && s.err == nil {
		var key string
		if s.space(); s.at < len(s.src) && strings.ContainsRune(`"'`, rune(s.src[s.at])) {
			key = s.text()
		} else {
			key = s.word()
		}
		s.expect(":")
		object[key] = s.value()
		if !s.skip(",") {
			s.expect("}")
			break
		}
	}
	return object
}

func (s *scanner) array() []any {
	s.expect("[")
	list := []any{}
	for !s.skip("]") && s.err == nil {
		list = append(list, s.value())
		if !s.skip(",") {
			s.expect("]")
			break
		}
	}
	return list
}

// named reads a constant, or one of the shell's constructors.
func (s *scanner) named() any {
	name := s.word()
	switch name {
	case "true":
		return true
	case "false":
		return false
	case "null", "undefined":
		return nil
	case "new":
		name = s.word()
	}
	s.expect("(")
	argument := s.value()
	s.expect(")")
	text, isText := argument.(string)
	switch {
	case name == "NumberInt" || name == "NumberLong":
		return argument
	case isText && (name == "UUID" || name == "ObjectId"):
		return text
	case isText && (name == "ISODate" || name == "Date"):
		for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
			if at, err := time.Parse(layout, text); err == nil {
				return at.UTC()
			}
		}
	}
	s.fail("%s of %v is not understood", name, argument)
	return nil
}

func TestShellScripts(t *testing.T) {
	t.Parallel()
	got, err := parseInserts(`
db.createUser({user: "u", roles: [{role: 'r'}]});
db.a.insert([ // a comment
	{_id: ObjectId("507f191e810c19729de860ea"), "n": NumberInt(7), $k: -1.5, on: true, off: false, no: null,},
	{"d": new ISODate("1988-01-10"), "t": Date("2021-01-02 03:04:05"), "u": new UUID('3b241101-e2bb-4255-8caf-4136c566a962')},
	/* another */
])
db.a.insert([{list: [[1], [],], sub: {}}]);
`)
	require.NoError(t, err)
	require.Equal(t, map[string][]any{"a": {
		map[string]any{"_id": "507f191e810c19729de860ea", "n": int64(7), "$k": -1.5, "on": true, "off": false, "no": nil},
		map[string]any{"d": time.Date(1988, 1, 10, 0, 0, 0, 0, time.UTC), "t": time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC), "u": "3b241101-e2bb-4255-8caf-4136c566a962"},
		map[string]any{"list": []any{[]any{int64(1)}, []any{}}, "sub": map[string]any{}},
	}}, got)

	for src, want := range map[string]string{
		"db.a.insert([{a: 1}\n":       `line 2: want "]"`,
		"db.a.insert([{a 1}])":        `line 1: want ":"`,
		`db.a.insert([{a: "1}])`:      "line 1: a text does not end",
		"db.a.insert([\nBogus(1)])":   "line 2: Bogus of 1 is not understood",
		"db.a.insert([Date('soon')])": "line 1: Date of soon is not understood",
		"db.a.insert([1-2])":          `line 1: "1-2" is no number`,
		"/* open":                     "line 1: a comment does not end",
		"print(1)":                    `line 1: want "db."`,
	} {
		_, err := parseInserts(src)
		require.EqualError(t, err, want, src)
	}
}
