package graph

import (
	"math"
	"strings"

	"go.yaml.in/yaml/v3"
)

// member is one pair of a mapping.
type member struct {
	key   string
	at    *yaml.Node // the key
	value *yaml.Node
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// found names what stands in the place of something else.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "nothing"
	case "!!str":
		return "text"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!timestamp":
		return "a date"
	default:
		return "a value tagged " + tag
	}
}

// mapping returns the pairs of a node that must be a mapping.
func (d *decoder) mapping(n *yaml.Node, subject, what string) ([]member, bool) {
	if n.Kind != yaml.MappingNode {
		d.errorf(n, subject, "%s must be a mapping, found %s", what, found(n))
		return nil, false
	}
	var members []member
	for i := 0; i+1 < len(n.Content); i += 2 {
		members = append(members, member{key: n.Content[i].Value, at: n.Content[i], value: n.Content[i+1]})
	}
	return members, true
}

// list returns the items of a member that must be a list; none for null.
func (d *decoder) list(m member, subject string) []*yaml.Node {
	if isNull(m.value) {
		return nil
	}
	if m.value.Kind != yaml.SequenceNode {
		d.errorf(m.value, subject, "%s must be a list, found %s", m.key, found(m.value))
		return nil
	}
	return m.value.Content
}

// text returns a scalar that must be text; "" for null.
func (d *decoder) text(m member, subject string) string {
	if isNull(m.value) {
		return ""
	}
	if m.value.Kind != yaml.ScalarNode || m.value.ShortTag() != "!!str" {
		hint := ""
		if m.value.Kind == yaml.ScalarNode && strings.HasPrefix(m.value.ShortTag(), "!!") {
			hint = ": put it in quotes"
		}
		d.errorf(m.value, subject, "%s must be text, found %s%s", m.key, found(m.value), hint)
		return ""
	}
	return m.value.Value
}

// texts returns a list of texts with the place of each.
func (d *decoder) texts(m member, subject string) []member {
	var out []member
	for _, item := range d.list(m, subject) {
		if item.Kind == yaml.ScalarNode && (isNull(item) || item.Value == "") {
			d.errorf(item, subject, "an item of %s is empty", m.key)
			continue
		}
		element := member{key: "an item of " + m.key, at: item, value: item}
		if element.key = d.text(element, subject); element.key != "" {
			out = append(out, element)
		}
	}
	return out
}

// flag returns a boolean, also in the words of YAML 1.1; false for null.
func (d *decoder) flag(m member, subject string) bool {
	if m.value.Kind == yaml.ScalarNode {
		switch strings.ToLower(m.value.Value) {
		case "true", "yes", "on":
			return true
		case "false", "no", "off":
			return false
		}
	}
	if !isNull(m.value) {
		d.errorf(m.value, subject, "%s must be true or false, found %s", m.key, found(m.value))
	}
	return false
}

// plain returns a free-form node as nil, bool, int64, float64, string, []any or
// map[string]any. What JSON cannot hold stays the text it was written as.
func plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			object[n.Content[i].Value] = plain(n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = plain(item)
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return b
		}
	case "!!int":
		var i int64
		if n.Decode(&i) == nil {
			return i
		}
	case "!!float":
		var f float64
		if n.Decode(&f) == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			return f
		}
	}
	return n.Value
}
