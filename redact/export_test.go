package redact

import "time"

// Engines compiles one pattern: as it is used, and for backtracking alone, which
// fails after the time given. It reports whether package regexp can express it.
func Engines(text string, search bool, limit time.Duration) (used func(string) bool, back func(string) (bool, error), linear bool, err error) {
	left := maxSize
	p, err := compile(text, search, &left)
	if err != nil {
		return nil, nil, false, err
	}
	set := &Patterns{all: []*pattern{p}}
	used = func(name string) bool { return set.match(name, func() bool { return false }) }
	linear = p.back == nil
	left = maxSize
	re, _, err := compileBack(text, search, &left)
	if err != nil {
		return nil, nil, linear, err
	}
	re.MatchTimeout = limit
	if !linear {
		p.back.MatchTimeout = time.Hour
	}
	return used, re.MatchString, linear, nil
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
