package openapitest

import (
	"cmp"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
)

const (
	poolSize  = 40  // values kept by name, the newest
	poolBytes = 200 // of the longest value kept
)

// pool holds values by the names under which later requests may want them:
// "id" in an answer of /users is an "id" and a "userid".
type pool struct {
	known  map[string][]string
	seen   map[string][]string
	secret []string
}

func newPool(known map[string][]string) *pool {
	p := &pool{known: map[string][]string{}, seen: map[string][]string{}}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		p.known[plain(name)] = append(p.known[plain(name)], known[name]...)
		for _, value := range known[name] {
			p.guard(name, value)
		}
	}
	return p
}

// plain drops from a name what differs between styles of writing it.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// draw gives a value under the first name that has any.
func (p *pool) draw(r *rand.Rand, names ...string) (string, bool) {
	for _, name := range names {
		known, seen := p.known[name], p.seen[name]
		switch {
		case len(known) > 0 && (len(seen) == 0 || r.IntN(2) == 0):
			return pick(r, known), true
		case len(seen) > 0 && r.IntN(3) == 0:
			return seen[len(seen)-1], true
		case len(seen) > 0:
			return pick(r, seen), true
		}
	}
	return "", false
}

func (p *pool) add(name, value string) {
	if name == "" || value == "" || len(value) > poolBytes {
		return
	}
	list := p.seen[name]
	if i := slices.Index(list, value); i >= 0 {
		list = slices.Delete(list, i, i+1)
	} else if len(list) == poolSize {
		list = slices.Delete(list, 0, 1)
	}
	p.seen[name] = append(list, value)
}

// keep adds a value found under a name, in something called noun.
func (p *pool) keep(noun, name, value string) {
	p.add(plain(name), value)
	if noun != "" {
		p.add(noun+plain(name), value)
	}
	if isUUID(value) {
		p.add("format:uuid", value)
	}
}

// guard remembers a value that reports must not show.
func (p *pool) guard(name, value string) {
	name = plain(name)
	if len(value) < 8 || slices.Contains(p.secret, value) {
		return
	}
	for _, part := range []string{"secret", "token", "password", "authorization", "apikey"} {
		if strings.Contains(name, part) {
			p.secret = append(p.secret, value)
			return
		}
	}
}

// guardAnswer remembers what is secret in a JSON value.
func (p *pool) guardAnswer(name string, value any) {
	switch v := value.(type) {
	case string:
		p.guard(name, v)
	case []any:
		for _, item := range v {
			p.guardAnswer(name, item)
		}
	case map[string]any:
		for key, item := range v {
			p.guardAnswer(key, item)
		}
	}
}

// guardHeader remembers the values of a caller's headers, and the words in
// them: a token after "Bearer".
func (p *pool) guardHeader(c Caller) {
	for _, values := range c.Header {
		for _, value := range values {
			for _, text := range append(strings.Fields(value), value) {
				p.guard("secret", text)
			}
		}
	}
}

// hide takes every secret out of a text.
func (p *pool) hide(text string) string {
	secrets := slices.SortedFunc(slices.Values(p.secret), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(b), len(a)), strings.Compare(a, b))
	})
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "[hidden]")
	}
	return text
}

// harvest keeps every scalar of a JSON value that stands for a thing called
// noun.
func (p *pool) harvest(noun, name string, value any) {
	switch v := value.(type) {
	case string:
		p.keep(noun, name, v)
	case json.Number:
		p.keep(noun, name, v.String())
	case []any:
		for _, item := range v[:min(len(v), poolSize)] {
			p.harvest(noun, singular(name), item)
		}
	case map[string]any:
		// A wrapper such as "items" says nothing of what it holds.
		wrappers := []string{"", "item", "data", "result", "succeeded", "record", "entry", "content", "body"}
		if word := singular(plain(name)); !slices.Contains(wrappers, word) {
			noun = word
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			p.harvest(noun, key, v[key])
		}
	}
}

func isUUID(text string) bool {
	return len(text) == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-'
}

// nounBefore is what a path's last fixed part before a placeholder stands for:
// "user" for {id} of /users/{id}/posts. With no placeholder named, it is that
// of the whole path.
func nounBefore(path, placeholder string) string {
	noun := ""
	for part := range strings.SplitSeq(path, "/") {
		if placeholder != "" && strings.Contains(part, "{"+placeholder+"}") {
			break
		}
		if part != "" && !strings.Contains(part, "{") {
			noun = singular(plain(part))
		}
	}
	return noun
}
