package dsr

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/redact/mask"
)

// masking gathers the changes of one field in one row.
type masking struct {
	journal *journal
	step    *step
	field   graph.EraseField
	set     []Change
	changed bool
}

// value follows the rest of the path through a value and masks what it leads
// to. Arrays of scalars are one value: they are written whole, so that an
// element added meanwhile is noticed. Where the path goes on into an object
// but the value is none, nothing can be masked, and leaving it would leave
// what was to be erased: that is an error. A missing or null parent is not.
func (m *masking) value(v any, belongs *part, rest []string, at []any) error {
	strategy, err := m.journal.strategy(m.field.Masking)
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case map[string]any:
		if len(rest) > 0 {
			return m.value(v[rest[0]], belongs.key(rest[0]), rest[1:], with(at, rest[0]))
		}
		if strategy.Effect().Null && belongs.all && m.takesNull(at) {
			return m.change(at, v, nil)
		}
		for _, key := range sortedKeys(v) {
			if err := m.value(v[key], belongs.key(key), nil, with(at, key)); err != nil {
				return err
			}
		}
		return nil
	case []any:
		if len(rest) == 0 && !holdsObjects(v) {
			return m.array(strategy, v, belongs, at)
		}
		for i, e := range v {
			if sub := belongs.element(i); sub != nil {
				if err := m.value(e, sub, rest, with(at, i)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if len(rest) > 0 {
		if v == nil || v == "" || strategy.Effect().Keeps {
			return nil // the parent is missing: there is nothing to mask
		}
		return m.astray(v, at)
	}
	masked, err := m.mask(strategy, v)
	if err != nil {
		return err
	}
	return m.change(at, v, masked)
}

// astray tells of a value where the path needs an object, by its kind only.
func (m *masking) astray(v any, at []any) error {
	var parent graph.Path
	for _, name := range at {
		if name, ok := name.(string); ok {
			parent = append(parent, name)
		}
	}
	return fmt.Errorf("a row holds %s in %s, where an object with this field was expected, so that it cannot be masked; correct the row, target the whole of %s, or delete the rows (masking_strategy_override: {strategy: delete} on the collection)",
		kindOf(v), parent, parent)
}

// kindOf names the kind of a scalar.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "text"
	case bool:
		return "a boolean"
	case int64, float64, json.Number:
		return "a number"
	case []byte:
		return "bytes"
	case time.Time:
		return "a time"
	}
	return "a plain value"
}

// takesNull reports whether null can be written there. Of an object in a column
// that takes none, everything inside is masked.
func (m *masking) takesNull(at []any) bool {
	if len(at) > 1 {
		return true
	}
	column, ok := m.step.schema.Column(m.field.Path.Column())
	return ok && column.Nullable
}

func with(at []any, next any) []any { return append(slices.Clip(at), next) }

func sortedKeys(v map[string]any) []string {
	keys := make([]string, 0, len(v))
	for key := range v {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func holdsObjects(list []any) bool {
	return slices.ContainsFunc(list, func(e any) bool {
		switch e := e.(type) {
		case map[string]any:
			return true
		case []any:
			return holdsObjects(e)
		}
		return false
	})
}

// array masks the elements of an array of scalars that are the data subject's.
func (m *masking) array(strategy mask.Strategy, list []any, belongs *part, at []any) error {
	out, err := m.elements(strategy, list, belongs)
	if err != nil {
		return err
	}
	return m.change(at, list, out)
}

func (m *masking) elements(strategy mask.Strategy, list []any, belongs *part) ([]any, error) {
	out := slices.Clone(list)
	for i, e := range list {
		sub := belongs.element(i)
		if sub == nil {
			continue
		}
		var err error
		if inner, ok := e.([]any); ok {
			out[i], err = m.elements(strategy, inner, sub)
		} else {
			out[i], err = m.mask(strategy, e)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mask masks one scalar; null stays null.
func (m *masking) mask(strategy mask.Strategy, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	masked, err := strategy.Mask(v)
	if err != nil {
		return nil, err
	}
	text, ok := masked.(string)
	if !ok || !strategy.Effect().Text {
		return masked, nil
	}
	if m.field.Length > 0 {
		text = mask.Truncate(text, m.field.Length)
	}
	if len(m.field.Path) == 1 {
		column, _ := m.step.schema.Column(m.field.Path.Column())
		if column.Length > 0 && utf8.RuneCountInString(text) > column.Length {
			return nil, fmt.Errorf("%s gives %d characters, but the column takes %d; set length: %d on the field",
				m.field.Masking.Strategy, utf8.RuneCountInString(text), column.Length, column.Length)
		}
	}
	return text, nil
}

func (m *masking) change(at []any, old, masked any) error {
	m.set = append(m.set, Change{Path: at, Old: old, New: masked})
	m.changed = m.changed || !value.Equal(old, masked)
	return nil
}
