package smtp

import (
	"maps"
	"slices"
	"sync"
)

// maxPartial is how many notices are remembered that only some recipients have.
const maxPartial = 1000

// partial remembers who has a notice that comes again for the sake of others,
// so that one address that fails for days does not flood the rest. What it
// forgets costs a second message under the same Message-ID. It keeps digests,
// no addresses.
type partial struct {
	mu   sync.Mutex
	have map[string][]string // digests of recipients by notice
}

func (p *partial) has(notice, address string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.have[notice], digest(notice, address))
}

func (p *partial) add(notice, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.have == nil {
		p.have = map[string][]string{}
	}
	if _, known := p.have[notice]; !known && len(p.have) >= maxPartial {
		for other := range maps.Keys(p.have) {
			delete(p.have, other)
			break
		}
	}
	p.have[notice] = append(p.have[notice], digest(notice, address))
}

func (p *partial) count(notice string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.have[notice])
}

func (p *partial) forget(notice string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.have, notice)
}
