package redact

import (
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// matcher matches the names of one package, within its budget. It is used from
// one goroutine.
type matcher struct {
	patterns *Patterns
	left     time.Duration
}

func (p *Patterns) matcher() *matcher {
	if !p.Any() {
		return nil
	}
	return &matcher{patterns: p, left: p.options.Budget}
}

// hides reports whether a name is to be replaced. What the budget decides is not
// remembered: the next package may have the time.
func (m *matcher) hides(name string) bool {
	if m == nil {
		return false
	}
	if len(name) > MaxNameLength && utf8.RuneCountInString(name) > MaxNameLength {
		return true
	}
	p := m.patterns
	if hidden, ok := p.memory.get(name); ok {
		return hidden
	}
	if m.left <= 0 {
		return true
	}
	start := p.options.Clock()
	hidden := p.match(name, func() bool { return p.options.Clock().Sub(start) >= m.left })
	m.left -= p.options.Clock().Sub(start)
	if m.left > 0 || !hidden {
		p.memory.put(name, hidden)
	}
	return hidden
}

// match reports whether a pattern matches the name, or the time is over before
// that is known.
func (p *Patterns) match(name string, over func() bool) bool {
	if !utf8.ValidString(name) {
		name = string([]rune(name))
	}
	folded, tried := fold(name), false
	for _, one := range p.all {
		if !one.mayMatch(folded) {
			continue
		}
		if tried && over() || one.match(name) {
			return true
		}
		tried = true
	}
	return false
}

// memory remembers which names are replaced. What was not asked for lately is
// forgotten.
type memory struct {
	mu       sync.RWMutex
	now, old map[string]bool
	size     int // of now, in bytes
}

const (
	memorySize = 4 << 20 // bytes of each of the two maps
	entrySize  = 64      // bytes that a name takes beside its own
)

func (m *memory) get(name string) (hidden, ok bool) {
	m.mu.RLock()
	hidden, ok = m.now[name]
	if ok {
		m.mu.RUnlock()
		return hidden, true
	}
	hidden, ok = m.old[name]
	m.mu.RUnlock()
	if ok {
		m.put(name, hidden)
	}
	return hidden, ok
}

func (m *memory) put(name string, hidden bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.now[name]; ok {
		return
	}
	if m.now == nil || m.size+len(name)+entrySize > memorySize {
		m.old, m.now, m.size = m.now, map[string]bool{}, 0
	}
	m.now[strings.Clone(name)] = hidden
	m.size += len(name) + entrySize
}
