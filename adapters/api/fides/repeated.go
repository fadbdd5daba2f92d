package fides

import (
	"bytes"
	"encoding/json"

	"github.com/godsr/dsr/internal/surrogate"
)

// ambiguous tells the first thing in JSON that readers disagree on: a key that
// its object has twice, of which one would be lost silently, or half a surrogate
// pair, which would be replaced, so that different texts become equal. The text
// must be valid; it is gone through once, and only keys are kept.
func ambiguous(text []byte) *fault {
	type level struct {
		keys map[string]bool // nil in a list
		key  string          // whose value is next; of objects
		want bool            // a key is next; of objects
		at   int             // the position; of lists
	}
	var inside []level
	loc := func(levels []level, more ...any) []any {
		place := []any{"body"}
		for _, l := range levels {
			if l.keys == nil {
				place = append(place, l.at)
				continue
			}
			place = append(place, l.key)
		}
		return append(place, more...)
	}
	for i := 0; i < len(text); i++ {
		switch b := text[i]; b {
		case '{':
			inside = append(inside, level{keys: map[string]bool{}, want: true})
		case '[':
			inside = append(inside, level{})
		case '}', ']':
			inside = inside[:len(inside)-1]
		case ',':
			top := &inside[len(inside)-1]
			top.want = top.keys != nil
			top.at++
		case '"':
			end := stringEnd(text, i)
			top, lone := len(inside)-1, surrogate.Lone(text[i:end])
			isKey := top >= 0 && inside[top].want
			switch {
			case lone && isKey:
				return &fault{"string_unicode", loc(inside[:top]), "A key cannot hold half of a surrogate pair"}
			case lone:
				return &fault{"string_unicode", loc(inside), "A text cannot hold half of a surrogate pair"}
			case isKey:
				key := keyOf(text[i:end])
				if inside[top].keys[key] {
					return &fault{"duplicate_key", loc(inside[:top], key), "A key may be given once only"}
				}
				inside[top].keys[key], inside[top].key, inside[top].want = true, key, false
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd is where the string that begins there is over.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// keyOf reads a string, in which anything may be escaped.
func keyOf(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var key string
	if json.Unmarshal(quoted, &key) != nil {
		return string(quoted)
	}
	return key
}
