package manual

import (
	"encoding/json"
	"fmt"
	"slices"
)

// MarshalJSON writes a leaf or a group, and of a condition that is both, which
// [Condition.Check] refuses, everything.
func (c Condition) MarshalJSON() ([]byte, error) {
	type leaf struct {
		Address  string   `json:"field_address"`
		Operator Operator `json:"operator"`
		Value    any      `json:"value"`
	}
	type group struct {
		Logical    Logical     `json:"logical_operator"`
		Conditions []Condition `json:"conditions"`
	}
	l, g := leaf{c.Address, c.Operator, c.Value}, group{c.Logical, c.Conditions}
	if g.Conditions == nil {
		g.Conditions = []Condition{}
	}
	switch {
	case !c.group():
		return json.Marshal(l)
	case !c.leaf():
		return json.Marshal(g)
	}
	return json.Marshal(struct {
		leaf
		group
	}{l, g})
}

// UnmarshalJSON reads a tree of [MaxLeaves] leaves at most. A key that no condition has, or has twice, and a
// value of another type than the key's are refused, all at once, as a
// [*FaultError]; what the tree says is left to [Condition.Check]. Numbers are
// kept as they are written.
func (c *Condition) UnmarshalJSON(body []byte) error {
	decoded, err := decodeJSON(body)
	if err != nil {
		return err
	}
	var r reader
	read := r.condition(decoded, nil)
	if r.ends > MaxLeaves {
		r.found = nil
		r.found.add("too_long", tooMany())
	}
	if err := r.found.err(); err != nil {
		return err
	}
	*c = read
	return nil
}

// reader reads a tree. It stops at what is too large, so that it neither keeps
// nor tells of more than that.
type reader struct {
	found faults
	ends  int // what holds no conditions: leaves, and what should be one
}

func (r *reader) condition(decoded any, loc []any) (c Condition) {
	found := &r.found
	defer func() {
		if len(c.Conditions) == 0 {
			r.ends++
		}
	}()
	if len(loc) > 2*MaxDepth {
		found.add("recursion", fmt.Sprintf("Conditions may be nested %d deep", MaxDepth), loc...)
		return c
	}
	object, ok := decoded.(map[string]any)
	if !ok {
		found.add("dict_type", "Input should be a valid dictionary", loc...)
		return c
	}
	text := func(v any, at []any) string {
		s, ok := v.(string)
		if !ok && v != nil {
			found.add("string_type", "Input should be a valid string", at...)
		}
		return s
	}
	for _, key := range sortedKeys(object) {
		v, at := object[key], append(slices.Clip(loc), key)
		switch key {
		case "field_address":
			c.Address = text(v, at)
		case "operator":
			c.Operator = Operator(text(v, at))
		case "value":
			c.Value = v
		case "logical_operator":
			c.Logical = Logical(text(v, at))
		case "conditions":
			list, ok := v.([]any)
			if !ok && v != nil {
				found.add("list_type", "Input should be a valid list", at...)
			}
			if ok {
				c.Conditions = []Condition{}
			}
			for i := 0; i < len(list) && r.ends <= MaxLeaves; i++ {
				c.Conditions = append(c.Conditions, r.condition(list[i], append(slices.Clip(at), i)))
			}
		default:
			found.add(typeExtra, "Extra inputs are not permitted", at...)
		}
	}
	return c
}
