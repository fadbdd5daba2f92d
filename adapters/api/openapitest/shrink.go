package openapitest

import (
	"context"
	"slices"
)

const maxShrinks = 120 // requests sent to make one failing request smaller

// size is what shrinking makes less.
func (a *attempt) size() int {
	n := len(a.target("")) + 10*len(a.arguments)
	if a.bodied {
		n += 10 + len(a.body())
	}
	if a.gzipped {
		n += 5
	}
	if a.chunked {
		n += 5
	}
	return n
}

// smaller lists requests with less in them.
func (a *attempt) smaller() []*attempt {
	var list []*attempt
	try := func(change func(*attempt)) {
		b := a.clone()
		change(b)
		if b.size() < a.size() {
			list = append(list, b)
		}
	}
	try(func(b *attempt) { b.bodied = false })
	try(func(b *attempt) { b.tail = "" })
	try(func(b *attempt) { b.gzipped = false })
	try(func(b *attempt) { b.chunked = false })
	for i, arg := range a.arguments {
		if arg.in != "path" {
			try(func(b *attempt) { b.arguments = slices.Delete(b.arguments, i, i+1) })
		}
		for j, value := range arg.values {
			for _, less := range shorter(value) {
				try(func(b *attempt) {
					b.arguments[i].values = slices.Clone(arg.values)
					b.arguments[i].values[j] = less
				})
			}
			if len(arg.values) > 1 {
				try(func(b *attempt) { b.arguments[i].values = slices.Delete(slices.Clone(arg.values), j, j+1) })
			}
		}
	}
	if a.raw != nil {
		try(func(b *attempt) { b.raw = nil })
		for parts := 2; parts <= 16; parts *= 2 {
			for part := range parts {
				from, to := part*len(a.raw)/parts, (part+1)*len(a.raw)/parts
				try(func(b *attempt) { b.raw = slices.Concat([]byte{}, a.raw[:from], a.raw[to:]) })
			}
		}
		return list
	}
	for i, s := range slots(&a.tree) {
		change := func(to any) { try(func(b *attempt) { slots(&b.tree)[i].set(to) }) }
		if s.drop != nil {
			try(func(b *attempt) { slots(&b.tree)[i].drop() })
		}
		switch v := s.value.(type) {
		case map[string]any:
			change(map[string]any{})
		case []any:
			change([]any{})
			if len(v) > 2 {
				change(v[:len(v)/2])
				change(v[len(v)/2:])
			}
		case string:
			for _, less := range shorter(v) {
				change(less)
			}
		}
		if len(list) > 2*maxShrinks {
			break
		}
	}
	return list
}

// shorter are texts to try in place of one.
func shorter(text string) []string {
	runes := []rune(text)
	n := len(runes)
	if n < 2 || string(runes) != text { // what is no UTF-8 stays as it is
		return nil
	}
	return []string{string(runes[:1]), string(runes[n-1:]), string(runes[:n/2]), string(runes[n/2:])}
}

// shrink looks for a smaller request that breaks the same rule.
func (r *runner) shrink(ctx context.Context, a *attempt, got answer, f finding) (smallest *attempt, its answer, same finding) {
	if f.rule == RuleSilence { // each try would take as long again
		return a, got, f
	}
	left := maxShrinks
	for progress := true; progress; {
		progress = false
		for _, b := range a.smaller() {
			if left == 0 || ctx.Err() != nil {
				return a, got, f
			}
			left--
			answered, err := r.send(ctx, b)
			if err != nil {
				continue
			}
			again := r.config.check(b, answered, r.doc.astray(b))
			if i := slices.IndexFunc(again, func(g finding) bool { return g.key == f.key }); i >= 0 {
				a, got, f, progress = b, answered, again[i], true
				break
			}
		}
	}
	return a, got, f
}
