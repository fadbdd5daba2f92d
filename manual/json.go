package manual

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/surrogate"
)

// decodeJSON reads one JSON value whose numbers stay as they are written, and
// tells what is wrong with it: text that is no JSON, an object that gives a key
// twice, which decoders read differently, half a surrogate pair, which they
// replace.
func decodeJSON(body []byte) (any, error) {
	var found faults
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		found.add("missing", "Field required")
		return nil, found.err()
	case !utf8.Valid(body) || !json.Valid(body):
		found.add("json_invalid", "JSON decode error")
		return nil, found.err()
	case repeatsKey(body):
		found.add("duplicate_key", "A key may be given once only")
		return nil, found.err()
	case surrogate.Lone(body):
		found.add("string_unicode", "A text cannot hold half of a surrogate pair")
		return nil, found.err()
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		found.add("json_invalid", "JSON decode error")
		return nil, found.err()
	}
	return v, nil
}

// repeatsKey reports whether an object in a valid JSON text gives a key twice.
func repeatsKey(body []byte) bool {
	// open are the objects and lists around a token; a list has no keys.
	type level struct {
		keys  map[string]bool
		value bool // of the key that came last
	}
	var open []level
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return false
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			open = open[:len(open)-1]
			continue
		}
		if n := len(open); n > 0 && open[n-1].keys != nil {
			top := &open[n-1]
			if key, ok := token.(string); ok && !top.value {
				if top.keys[key] {
					return true
				}
				top.keys[key], top.value = true, true
				continue
			}
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{keys: make(map[string]bool)})
		case json.Delim('['):
			open = append(open, level{})
		}
	}
}
