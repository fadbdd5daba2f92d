package redact

import "sync/atomic"

// Registry is the set of patterns in use. It can be used from many goroutines.
type Registry struct {
	options Options
	current atomic.Pointer[Patterns]
}

// NewRegistry returns one with a first set of patterns, which may be none. Every
// set is matched by the same options, nil for the defaults. The error is that
// of [Compile].
func NewRegistry(opts *Options, patterns ...string) (*Registry, error) {
	r := &Registry{options: opts.withDefaults()}
	if err := r.Replace(patterns); err != nil {
		return nil, err
	}
	return r, nil
}

// Replace puts a whole set in the place of the one in use, or leaves that as it
// is with the error of [Compile]. Packages whose writing has begun keep theirs.
func (r *Registry) Replace(patterns []string) error {
	p, err := Compile(patterns, &r.options)
	if err != nil {
		return err
	}
	r.current.Store(p)
	return nil
}

// Compile is [Compile] with the registry's options, for a set that is not put
// in use. A nil registry has the defaults.
func (r *Registry) Compile(patterns []string) (*Patterns, error) {
	if r == nil {
		return Compile(patterns, nil)
	}
	return Compile(patterns, &r.options)
}

// Patterns returns the set in use. A nil registry has none.
func (r *Registry) Patterns() *Patterns {
	if r == nil {
		return nil
	}
	return r.current.Load()
}
