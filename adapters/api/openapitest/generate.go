package openapitest

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	softDepth = 5  // below it only what is required is made
	hardDepth = 24 // below it nothing is made
)

// maker makes values that a schema should admit. Keywords that say what must
// not be, and dependencies between members, are left to the check of the whole.
type maker struct {
	*rand.Rand
	doc  *document
	pool *pool
	op   *operation // that values are made for
	noun string     // of it, for names such as "key" in its body

	hostile []string
	letters []rune // that hostile texts are made of
	decks   map[string][]int
}

// deal gives a number below n, each once before one comes again, so that
// nothing is left to luck for long. Each use has a deck of its own.
func (m *maker) deal(use string, n int) int {
	deck := m.decks[use]
	if len(deck) == 0 {
		deck = m.Perm(n)
	}
	m.decks[use] = deck[1:]
	return deck[0]
}

// hostileText deals a text that has broken programs; use says for what.
func (m *maker) hostileText(op *operation, use string) string {
	return m.hostile[m.deal(op.ID+" "+use, len(m.hostile))]
}

func newMaker(seed uint64, doc *document, p *pool) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 0)), doc: doc, pool: p, hostile: hostile(), decks: map[string][]int{}}
	for _, text := range m.hostile {
		if utf8.ValidString(text) {
			m.letters = append(m.letters, []rune(text)...)
		}
	}
	slices.Sort(m.letters)
	m.letters = slices.Compact(m.letters)
	return m
}

// chance is true p times of a hundred.
func (m *maker) chance(p int) bool { return m.IntN(100) < p }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// schema is a schema with its references and allOf merged into it.
func (m *maker) schema(raw any, depth int) map[string]any {
	node := object(raw)
	ref, refers := node["$ref"].(string)
	all, _ := node["allOf"].([]any)
	if !refers && len(all) == 0 || depth > hardDepth {
		return node
	}
	merged := maps.Clone(node)
	delete(merged, "$ref")
	delete(merged, "allOf")
	if refers {
		target, _ := m.doc.at(ref)
		merged = merge(m.schema(target, depth+1), merged)
	}
	for _, part := range all {
		merged = merge(merged, m.schema(part, depth+1))
	}
	return merged
}

// merge puts b over a; properties and required ones are united.
func merge(a, b map[string]any) map[string]any {
	merged := maps.Clone(a)
	if merged == nil {
		merged = map[string]any{}
	}
	for keyword, value := range b {
		switch keyword {
		case "properties":
			both := maps.Clone(object(a[keyword]))
			if both == nil {
				both = map[string]any{}
			}
			maps.Copy(both, object(value))
			merged[keyword] = both
		case "required":
			before, _ := a[keyword].([]any)
			more, _ := value.([]any)
			merged[keyword] = slices.Concat(before, more)
		default:
			merged[keyword] = value
		}
	}
	return merged
}

// value makes a value for a schema. The name is that of the member or the
// parameter it is for.
func (m *maker) value(raw any, name string, depth int) any {
	if depth > hardDepth {
		return nil
	}
	schema := m.schema(raw, 0)
	if constant, ok := schema["const"]; ok {
		return constant
	}
	if options, ok := schema["enum"].([]any); ok && len(options) > 0 {
		return pick(m.Rand, options)
	}
	for _, keyword := range []string{"oneOf", "anyOf"} {
		if branches, ok := schema[keyword].([]any); ok && len(branches) > 0 {
			rest := maps.Clone(schema)
			delete(rest, keyword)
			delete(rest, "discriminator")
			branch := pick(m.Rand, branches)
			if depth > softDepth {
				branch = branches[len(branches)-1] // where null stands by custom
			}
			return m.value(merge(rest, m.schema(branch, 0)), name, depth+1)
		}
	}
	if m.chance(15) {
		examples, _ := schema["examples"].([]any)
		for _, keyword := range []string{"example", "default"} {
			if example, ok := schema[keyword]; ok {
				examples = append(slices.Clip(examples), example)
			}
		}
		if len(examples) > 0 {
			return pick(m.Rand, examples)
		}
	}
	kind := m.kind(schema, depth)
	if kind == "string" || kind == "integer" {
		if found, ok := m.pooled(schema, kind, name); ok {
			return found
		}
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		return m.chance(50)
	case "integer", "number":
		return m.number(schema, kind == "integer")
	case "string":
		return m.text(schema, name)
	case "array":
		return m.array(schema, name, depth)
	default:
		return m.members(schema, depth)
	}
}

// kind picks one of the types of a schema, guessing where it names none.
func (m *maker) kind(schema map[string]any, depth int) string {
	switch named := schema["type"].(type) {
	case string:
		return named
	case []any:
		if len(named) > 0 {
			if depth > softDepth && slices.Contains(named, any("null")) {
				return "null"
			}
			kind, _ := pick(m.Rand, named).(string)
			// Null is one type of several, but a rare value.
			if kind == "null" && m.chance(50) {
				kind, _ = named[0].(string)
			}
			return kind
		}
	}
	for _, hint := range []struct{ keyword, kind string }{
		{"properties", "object"}, {"additionalProperties", "object"}, {"required", "object"}, {"items", "array"},
		{"minLength", "string"}, {"maxLength", "string"}, {"pattern", "string"}, {"format", "string"},
		{"minimum", "number"}, {"maximum", "number"},
	} {
		if _, ok := schema[hint.keyword]; ok {
			return hint.kind
		}
	}
	if depth > softDepth {
		return "null"
	}
	return pick(m.Rand, []string{"string", "integer", "boolean", "null", "object", "array", "number"})
}

// pooled gives a value seen before under the name.
func (m *maker) pooled(schema map[string]any, kind, name string) (any, bool) {
	// What is named like a reference mostly is one.
	share := 15
	for _, end := range []string{"id", "key", "ref", "slug", "code", "token"} {
		if strings.HasSuffix(plain(singular(name)), end) {
			share = 60
		}
	}
	if known := m.pool.known[plain(name)]; len(known) > 0 {
		share = 75
	}
	if name == "" || !m.chance(share) {
		return nil, false
	}
	found, ok := m.pool.draw(m.Rand, m.names(name, schema)...)
	if !ok {
		return nil, false
	}
	if kind == "string" {
		return found, true
	}
	if !integerText(found) {
		return nil, false
	}
	return json.Number(found), true
}

// names are what the pool may know a member of a body by.
func (m *maker) names(name string, schema map[string]any) []string {
	names := []string{plain(name), m.noun + plain(name)}
	if format, _ := schema["format"].(string); format == "uuid" {
		names = append(names, "format:uuid")
	}
	return names
}

func (m *maker) array(schema map[string]any, name string, depth int) any {
	least, most := bound(schema, "minItems", 0), bound(schema, "maxItems", -1)
	n := least
	if depth <= softDepth {
		n += m.IntN(4)
		if m.chance(3) {
			n += m.IntN(60)
		}
	}
	if most >= 0 {
		n = min(n, most)
	}
	list := make([]any, 0, min(n, 1000))
	seen := map[string]bool{}
	unique, _ := schema["uniqueItems"].(bool)
	prefix, _ := schema["prefixItems"].([]any)
	for i := range min(n, 1000) {
		items, ok := schema["items"]
		if i < len(prefix) {
			items = prefix[i]
		} else if ok && items == false {
			break
		}
		for range 10 {
			item := m.value(items, singular(name), depth+1)
			text := string(encode(item))
			if unique && seen[text] {
				continue
			}
			seen[text] = true
			list = append(list, item)
			break
		}
	}
	return list
}

func (m *maker) members(schema map[string]any, depth int) any {
	made := map[string]any{}
	properties := object(schema["properties"])
	var required []string
	list, _ := schema["required"].([]any)
	for _, raw := range list {
		if name, ok := raw.(string); ok {
			required = append(required, name)
		}
	}
	// How many of the optional members are made differs from one to the next.
	share := pick(m.Rand, []int{0, 30, 60, 100})
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if readOnly, _ := m.schema(properties[name], 0)["readOnly"].(bool); readOnly { // never required of a request
			if depth <= softDepth && m.chance(share/5) {
				made[name] = m.value(properties[name], name, depth+1)
			}
			continue
		}
		if slices.Contains(required, name) || depth <= softDepth && m.chance(share) {
			made[name] = m.value(properties[name], name, depth+1)
		}
	}
	more, extra := schema["additionalProperties"]
	for _, name := range required {
		if _, ok := properties[name]; !ok {
			made[name] = m.value(more, name, depth+1)
		}
	}
	extra = extra && more != false
	least := bound(schema, "minProperties", 0)
	n := 0
	if extra && depth <= softDepth {
		n = m.IntN(3)
	}
	for range 2 * (n + least) {
		if more == false || n <= 0 && len(made) >= least {
			break
		}
		n--
		name := m.word()
		if names := object(schema["propertyNames"]); names != nil {
			name, _ = m.value(names, "", depth+1).(string)
		}
		if _, ok := made[name]; !ok {
			made[name] = m.value(more, name, depth+1)
		}
	}
	if most := bound(schema, "maxProperties", -1); most >= 0 {
		for _, name := range slices.Sorted(maps.Keys(made)) {
			if len(made) > most && !slices.Contains(required, name) {
				delete(made, name)
			}
		}
	}
	return made
}

// bound is a whole number that a keyword gives.
func bound(schema map[string]any, keyword string, otherwise int) int {
	if number, ok := schema[keyword].(json.Number); ok {
		if f, err := number.Float64(); err == nil && f >= 0 && f < 1e9 {
			return int(f)
		}
	}
	return otherwise
}

// singular turns the name of a list into that of one of its items.
func singular(name string) string {
	switch {
	case strings.HasSuffix(name, "ies"):
		return strings.TrimSuffix(name, "ies") + "y"
	case strings.HasSuffix(name, "ss"):
		return name
	default:
		return strings.TrimSuffix(name, "s")
	}
}

// encode writes a made value. What was made can always be written.
func encode(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return []byte("null")
	}
	return text
}
