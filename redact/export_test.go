package redact

import "time"

// Engines compiles one pattern for both engines; linear is nil if package
// regexp cannot express it. That which backtracks fails after the time given.
func Engines(text string, search bool, limit time.Duration) (linear func(string) bool, back func(string) (bool, error), err error) {
	p, err := compile(text, search)
	if err != nil {
		return nil, nil, err
	}
	re := p.back
	if p.linear != nil {
		set := &Patterns{all: []*pattern{p}}
		linear = func(name string) bool { return set.match(name, func() bool { return false }) }
		if re, err = compileBack(text, search); err != nil {
			return linear, nil, err
		}
	}
	re.MatchTimeout = limit
	return linear, re.MatchString, nil
}

// Hides asks a package for names, one after another.
func (p *Patterns) Hides(names ...string) []bool {
	m := p.matcher()
	var hidden []bool
	for _, name := range names {
		hidden = append(hidden, m.hides(name))
	}
	return hidden
}

// Remembered is how many names are remembered, and what they are taken to need.
func (p *Patterns) Remembered() (names, size int) {
	m := p.memory
	return len(m.now) + len(m.old), m.size
}
