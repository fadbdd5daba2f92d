package graph

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Taxonomy is the set of data categories that datasets and policies may name.
// It is immutable; its methods may be called from many goroutines at once.
type Taxonomy struct {
	// replacedBy holds every category; the value is empty unless the
	// taxonomy that a legacy key comes from names its successor.
	replacedBy map[Category]Category
	sorted     []Category // all of them
	labels     labels
}

// categoriesCSV lists key, taxonomy generation and successor. See NOTICE for
// where the keys come from.
//
//go:embed categories.csv
var categoriesCSV string

var defaultTaxonomy = sync.OnceValue(func() *Taxonomy {
	t := &Taxonomy{replacedBy: make(map[Category]Category), labels: builtInLabels()}
	_, rows, _ := strings.Cut(categoriesCSV, "\n")
	for row := range strings.Lines(rows) {
		column := strings.Split(strings.TrimSpace(row), ",")
		t.replacedBy[Category(column[0])] = Category(column[2])
	}
	t.sorted = slices.Sorted(maps.Keys(t.replacedBy))
	return t
})

// DefaultTaxonomy returns the data categories of Fideslang: the current ones,
// and those of its generations 1.0 and 1.2, which older datasets still use.
func DefaultTaxonomy() *Taxonomy { return defaultTaxonomy() }

// With returns a taxonomy that also holds the given categories, such as a
// company's own. A key consists of segments of letters, digits and _ < > -
// joined by dots, and all but its last segment must be a category too, already
// known or among the given. A known key is accepted and changes nothing. The
// error is a [*FaultError] that names every key at fault.
func (t *Taxonomy) With(keys ...Category) (*Taxonomy, error) {
	merged := &Taxonomy{replacedBy: maps.Clone(t.replacedBy), labels: t.labels}
	var diags Diagnostics
	fault := func(key Category, message string) {
		diags = append(diags, Diagnostic{Severity: Error, Subject: string(key), Message: message})
	}
	for _, key := range keys {
		switch {
		case !validCategory(key):
			fault(key, "not a data category: want letters, digits and _ < > - in segments joined by dots")
		case !merged.Has(key):
			merged.replacedBy[key] = ""
		}
	}
	for _, key := range keys {
		if parent, ok := key.parent(); ok && merged.Has(key) && !merged.Has(parent) {
			fault(key, "the parent "+string(parent)+" is not a data category: add it as well")
		}
	}
	if err := diags.Err(); err != nil {
		return nil, err
	}
	merged.sorted = slices.Sorted(maps.Keys(merged.replacedBy))
	return merged, nil
}

// Has reports whether the category is in the taxonomy.
func (t *Taxonomy) Has(c Category) bool {
	_, ok := t.replacedBy[c]
	return ok
}

// Parent returns the category one segment above c; false for a root, and for a
// category that is not in the taxonomy.
func (t *Taxonomy) Parent(c Category) (Category, bool) {
	if !t.Has(c) {
		return "", false
	}
	return c.parent()
}

// ReplacedBy returns the category that took the place of a legacy one, one
// generation on: it may itself be a legacy key. It is false for current
// categories and for legacy ones without a successor.
func (t *Taxonomy) ReplacedBy(c Category) (Category, bool) {
	next := t.replacedBy[c]
	return next, next != ""
}

// All returns every category, sorted.
func (t *Taxonomy) All() []Category { return slices.Clone(t.sorted) }

// Nearest returns the category that was probably meant by one that is not in
// the taxonomy: the shortest one that goes on where c ends, else the one that
// differs in the fewest letters. It is false when nothing comes near.
func (t *Taxonomy) Nearest(c Category) (Category, bool) {
	const longest = 200 // the distance takes quadratic time
	if c == "" || len(c) > longest {
		return "", false
	}
	var best Category
	for _, key := range t.sorted {
		if strings.HasPrefix(string(key), string(c)) && (best == "" || len(key) < len(best)) {
			best = key
		}
	}
	if best != "" {
		return best, true
	}
	near, folded := len(c)/4+1, strings.ToLower(string(c))
	for _, key := range t.sorted {
		if len(key)-len(c) >= near || len(c)-len(key) >= near {
			continue
		}
		if d := distance(folded, string(key), near); d < near {
			best, near = key, d
		}
	}
	return best, best != ""
}

// parent cuts the last segment off.
func (c Category) parent() (Category, bool) {
	i := strings.LastIndexByte(string(c), '.')
	if i < 0 {
		return "", false
	}
	return c[:i], true
}

func validCategory(c Category) bool {
	return validKey(string(c)) && !slices.Contains(strings.Split(string(c), "."), "")
}

// validKey reports whether s can be the key of a dataset or a category.
func validKey(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !letter && !strings.ContainsRune("_.<>-", r)
	})
}

// distance counts the bytes to insert, delete or replace to turn a into b. It
// stops where they are as many as far.
func distance(a, b string, far int) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for a != "" && b != "" && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least >= far {
			return far
		}
	}
	return row[len(b)]
}
