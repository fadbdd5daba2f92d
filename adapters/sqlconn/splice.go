package sqlconn

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNoParent = errors.New("the document lacks the parent of a key")

// leafOf returns what a document holds at a path; missing is nil. Reachable is
// false when not even the place exists where it could be put.
func leafOf(v any, path []any) (leaf any, reachable bool) {
	for _, step := range path {
		reachable = false
		switch step := step.(type) {
		case string:
			object, ok := v.(map[string]any)
			v, reachable = object[step], ok
		case int:
			list, ok := v.([]any)
			if !ok || step < 0 || step >= len(list) {
				v = nil
				continue
			}
			v, reachable = list[step], true
		default:
			v = nil
		}
	}
	return v, len(path) == 0 || reachable
}

// splice replaces the value at a path of a JSON text and leaves every other
// byte as it is. A missing last key is added; a key that stands twice is
// replaced twice.
func splice(text []byte, path []any, leaf []byte) ([]byte, error) {
	if len(path) == 0 {
		return leaf, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	open, err := d.Token()
	if err != nil {
		return nil, err
	}
	key, isKey := path[0].(string)
	index, isIndex := path[0].(int)
	if isKey && open != json.Delim('{') || isIndex && open != json.Delim('[') || !isKey && !isIndex {
		return nil, errNoParent
	}
	out := make([]byte, 0, len(text)+len(leaf)+len(key)+8)
	copied, members, found := 0, 0, false
	for ; d.More(); members++ {
		hit := isIndex && members == index
		if isKey {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			hit = name == key
		}
		var member json.RawMessage
		if err := d.Decode(&member); err != nil {
			return nil, err
		}
		if !hit {
			continue
		}
		replaced, err := splice(member, path[1:], leaf)
		if err != nil {
			return nil, err
		}
		end := int(d.InputOffset())
		out = append(append(out, text[copied:end-len(member)]...), replaced...)
		copied, found = end, true
	}
	if !found {
		if !isKey || len(path) > 1 {
			return nil, errNoParent
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		name, err := encodeJSON(key)
		if err != nil {
			return nil, err
		}
		end := int(d.InputOffset()) - 1
		out = append(out, text[:end]...)
		if members > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), leaf...)
		copied = end
	}
	return append(out, text[copied:]...), nil
}
