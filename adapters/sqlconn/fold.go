package sqlconn

import (
	"strconv"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/value"
)

// sieve decides on this side which inputs of a criterion that folds letter case
// a row matches: databases fold too few letters (SQLite A to Z only), or ignore
// more than case (accents, trailing blanks). What the database asks of a row is
// wider.
type sieve struct {
	// at are the positions of the compared columns among those that are
	// read, keys how their values stand for what they equal.
	at   []int
	keys []func(v any) (string, bool)
	// inputs are the indexes of the values by their key.
	inputs map[string][]int
	// wide says that some input holds letters beyond ASCII, which the
	// database may fold differently: every row that holds such letters is
	// looked at.
	wide bool
}

// newSieve reads the compared columns along.
func (r *reading) newSieve(in []listColumn) *sieve {
	f := &sieve{inputs: map[string][]int{}}
	for _, lc := range in {
		f.at = append(f.at, r.position(lc.column))
		f.keys = append(f.keys, r.foldedKey(lc))
	}
	return f
}

// foldedKey is how a value reads in its column, without letter case.
func (r *reading) foldedKey(in listColumn) func(v any) (string, bool) {
	if len(in.path) > 0 {
		return func(v any) (key string, ok bool) {
			scalars(v, in.path, func(leaf any) { key, ok = documentKey(leaf, true) })
			return key, ok
		}
	}
	c := in.column
	return func(v any) (string, bool) {
		encoded, ok := r.dialect.encode(c, v)
		if !ok {
			return "", false
		}
		text, isText := encoded.(string)
		if !isText {
			json, err := encodeJSON(encoded)
			return string(json), err == nil
		}
		if c.padded {
			text = strings.TrimRight(text, " ")
		}
		if in.fold {
			text = value.Fold(text)
		}
		return text, true
	}
}

// key joins the keys of the parts of a tuple.
func (f *sieve) key(part func(i int) any) (string, bool) {
	if len(f.keys) == 1 {
		return f.keys[0](part(0))
	}
	var b []byte
	for i, key := range f.keys {
		text, ok := key(part(i))
		if !ok {
			return "", false
		}
		b = strconv.AppendQuote(b, text)
	}
	return string(b), true
}

// add files an input.
func (f *sieve) add(index int, tuple []any) {
	if key, ok := f.key(func(i int) any { return tuple[i] }); ok {
		f.inputs[key] = append(f.inputs[key], index)
	}
	for _, v := range tuple {
		if text, ok := v.(string); ok {
			f.wide = f.wide || beyondASCII(text)
		}
	}
}

// sift adds the inputs that the current row matches.
func (s *scan) sift(sel *selector) {
	key, ok := sel.sieve.key(func(i int) any { return s.values[sel.sieve.at[i]] })
	if !ok {
		return
	}
	for _, i := range sel.sieve.inputs[key] {
		s.via = append(s.via, dsr.Match{Criterion: sel.criterion, Value: i})
	}
}

func beyondASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return true
		}
	}
	return false
}
