package fides

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr/graph"
)

// Scripts get an object, change something, and send all of it back. What the
// server itself said of it may come back, by keys that the body knows as
// read-only; nothing else may.

// absent is what Fides has and is not carried out here: null in answers, and
// nothing but null is taken.
type absent struct{}

// Schema implements [huma.SchemaProvider].
func (absent) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: "null"} }

// MarshalJSON implements [json.Marshaler].
func (absent) MarshalJSON() ([]byte, error) { return []byte("null"), nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (*absent) UnmarshalJSON([]byte) error { return nil }

// takeBack makes a body know those keys of a view that it does not take, as
// read-only, also further in.
func (d *Door) takeBack(body, view *huma.Schema) {
	body, view = d.whole(body), d.whole(view)
	switch {
	case body == view:
	case body.Type == huma.TypeArray && view.Type == huma.TypeArray:
		d.takeBack(body.Items, view.Items)
	case body.Type == huma.TypeArray: // several of them
		d.takeBack(body.Items, view)
	case body.Properties != nil:
		for name, shown := range view.Properties {
			if own := body.Properties[name]; own == nil {
				body.Properties[name] = d.readOnly(shown)
			} else if !own.ReadOnly {
				d.takeBack(own, shown)
			}
		}
	}
}

// whole is a schema without references, and without the null that it may be.
func (d *Door) whole(s *huma.Schema) *huma.Schema {
	s = d.deref(s)
	for _, alternative := range s.AnyOf {
		if s := d.deref(alternative); s.Type == huma.TypeObject || s.Type == huma.TypeArray {
			return s
		}
	}
	return s
}

// readOnly takes any value of the same kind: a text for an object most likely is
// meant for another key.
func (d *Door) readOnly(shown *huma.Schema) *huma.Schema {
	shown = d.whole(shown)
	s := &huma.Schema{Type: shown.Type, ReadOnly: true, MaxItems: shown.MaxItems, Description: "As it was answered; it changes nothing."}
	switch s.Nullable = true; s.Type {
	case huma.TypeArray:
		s.Items = &huma.Schema{}
	case huma.TypeObject:
		s.AdditionalProperties = &huma.Schema{}
	case "null":
		s.Nullable, s.Description = false, "Not carried out here."
	case "":
		s.Nullable = false // it is anything already
	}
	return s
}

// selfFault refuses an object that says to be another one than that of the path.
func (rt *route) selfFault(tree any, inPath func(name string) string) []fault {
	key, name := rt.self[0], rt.self[1]
	object, _ := tree.(map[string]any)
	if said := object[key]; key == "" || said == nil || said == inPath(name) {
		return nil
	}
	return []fault{valueFault("it is told only, and the path names another one", "body", key)}
}

// echo are the parts of an object that came in, to be told again if it fails, and
// for those that are read-only: a handler does not use them, but what contradicts
// what there is is refused, as the caller wants a change that there would not be.
type echo map[string]json.RawMessage

func echoOf(text []byte) (e echo) {
	if json.Unmarshal(text, &e) != nil {
		return nil
	}
	return e
}

// decodeKeeping decodes an object of a body, and keeps its parts. Bodies call it
// in their UnmarshalJSON, with themselves as a type that has none.
func decodeKeeping[T any](text []byte, into *T) (told echo, _ error) {
	if err := json.Unmarshal(text, into); err != nil {
		return nil, err
	}
	return echoOf(text), nil
}

// has reports whether a key was given, and not as null.
func (e echo) has(name string) bool {
	value, ok := e[name]
	return ok && string(value) != "null"
}

// differs reports whether a key was given with an object of another key than
// that.
func (e echo) differs(name, key string) bool {
	if !e.has(name) {
		return false
	}
	var object map[string]json.RawMessage
	var said string
	return json.Unmarshal(e[name], &object) != nil || json.Unmarshal(object["key"], &said) != nil || said != key
}

// number is a whole number that was given.
func (e echo) number(name string) (n int64, ok bool) {
	return n, e.has(name) && json.Unmarshal(e[name], &n) == nil
}

// unsettled reports whether a key is told that changes by itself: what was read
// a while ago contradicts nothing.
func unsettled(name string) bool { return name == "created_at" || name == "updated_at" }

// contradictions refuses what was given of a view and is none of the body, but is
// otherwise than every of those views, such as those before and after a change:
// nothing would be done about it. Elsewhere says of keys where they are changed.
func (e echo) contradictions(body any, elsewhere map[string]string, views ...any) ([]fault, error) {
	own, err := partsOf(body)
	if err != nil {
		return nil, err
	}
	shown := make([]map[string]any, len(views))
	for i := range views {
		if shown[i], err = partsOf(views[i]); err != nil {
			return nil, err
		}
	}
	var faults []fault
	for _, name := range slices.Sorted(maps.Keys(e)) {
		var said any
		if _, settable := own[name]; settable || !e.has(name) || unsettled(name) {
			continue
		}
		if unmarshalNumbers(e[name], &said) == nil && slices.ContainsFunc(shown, func(view map[string]any) bool { return same(view[name], said) }) {
			continue
		}
		what := "it is told only, and it is something else"
		if at := elsewhere[name]; at != "" {
			what = "it is told only: " + at
		}
		faults = append(faults, valueFault(what, "body", name))
	}
	return faults, nil
}

// partsOf are the parts of an object as it is answered.
func partsOf(v any) (parts map[string]any, err error) {
	text, err := json.Marshal(v)
	if err == nil {
		err = unmarshalNumbers(text, &parts)
	}
	return parts, err
}

// same reports whether two values of JSON are equal, however their numbers are
// written.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && decimalOf(a) == decimalOf(b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, same)
	}
	return a == b
}

// lists reports whether a key was given with targets of these categories, or not
// at all.
func (e echo) lists(name string, want []graph.Category) bool {
	var said []struct {
		Category graph.Category `json:"data_category"`
	}
	switch {
	case !e.has(name):
		return true
	case json.Unmarshal(e[name], &said) != nil || len(said) != len(want):
		return false
	}
	missing := slices.Clone(want)
	for _, target := range said {
		at := slices.Index(missing, target.Category)
		if at < 0 {
			return false
		}
		missing = slices.Delete(missing, at, at+1)
	}
	return true
}
