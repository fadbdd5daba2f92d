package manual

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/internal/value"
)

// UnknownError says that conditions look at addresses of which nothing can be
// known where they are asked.
type UnknownError struct {
	// Addresses in the order of the conditions, each once.
	Addresses []string
}

// Error names the addresses.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("manual: conditions look at what is not known here: %s", strings.Join(e.Addresses, ", "))
}

// Holds reports whether the tree holds. get returns the values of an address,
// none for what is absent; an address that it does not know is not absent, but
// refused with an [*UnknownError] that names all of them. The tree is checked
// first.
func (c *Condition) Holds(get func(address string) (values []any, known bool)) (bool, error) {
	unmet, err := c.Unmet(get)
	return err == nil && len(unmet) == 0, err
}

// Unmet returns the leaves for which the tree does not hold, each as its
// address and operator, without values; none if it holds. It fails as
// [Condition.Holds] does.
func (c *Condition) Unmet(get func(address string) (values []any, known bool)) ([]string, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	var unknown []string
	held := make(map[string][]any)
	for _, address := range c.Addresses() {
		values, known := get(address)
		if !known {
			unknown = append(unknown, address)
		}
		held[address] = make([]any, len(values))
		for i, v := range values {
			normal, err := value.Normalize(v)
			if err != nil {
				return nil, fmt.Errorf("manual: comparing %s: %w", address, err)
			}
			held[address][i] = normal
		}
	}
	if len(unknown) > 0 {
		return nil, &UnknownError{Addresses: unknown}
	}
	return c.unmet(held), nil
}

func (c *Condition) unmet(held map[string][]any) []string {
	if !c.group() {
		if c.Operator.holds(held[c.Address], c.Value) {
			return nil
		}
		return []string{c.String()}
	}
	var all []string
	for i := range c.Conditions {
		unmet := c.Conditions[i].unmet(held)
		if len(unmet) == 0 && c.Logical == Or {
			return nil
		}
		all = append(all, unmet...)
	}
	return all
}

// holds compares the values of an address with what the condition wants, which
// was checked to be normal.
func (o Operator) holds(values []any, wanted any) bool {
	wanted, _ = value.Normalize(wanted)
	switch o {
	case Neq:
		return !Eq.holds(values, wanted)
	case NotExists:
		return !Exists.holds(values, wanted)
	case NotInList, ListDisjoint:
		return !ListContains.holds(values, wanted)
	case ListContains, ListIntersects, ListSubset, ListSuperset:
		return o.holdsList(values, wanted)
	}
	if len(values) == 0 {
		values = []any{nil}
	}
	return slices.ContainsFunc(values, func(v any) bool { return o.holdsOne(v, wanted) })
}

func (o Operator) holdsOne(v, wanted any) bool {
	switch o {
	case Eq:
		return equal(v, wanted)
	case Exists:
		return v != nil
	case Lt, Lte, Gt, Gte:
		order, ok := compare(v, wanted)
		return ok && (order < 0 && o == Lt || order <= 0 && o == Lte || order > 0 && o == Gt || order >= 0 && o == Gte)
	}
	text, ok := v.(string)
	part, isText := wanted.(string)
	if !ok || !isText {
		return false
	}
	switch o {
	case StartsWith:
		return strings.HasPrefix(text, part)
	case EndsWith:
		return strings.HasSuffix(text, part)
	}
	return strings.Contains(text, part)
}

func (o Operator) holdsList(values []any, wanted any) bool {
	there := slices.ContainsFunc(values, func(v any) bool { return v != nil })
	elements := elementsOf(values...)
	wants := elementsOf(wanted)
	in := func(list []any) func(any) bool {
		return func(e any) bool { return slices.ContainsFunc(list, func(f any) bool { return equal(e, f) }) }
	}
	missing := func(of, list []any) bool {
		return slices.ContainsFunc(of, func(e any) bool { return !in(list)(e) })
	}
	switch o {
	case ListSubset:
		return there && !missing(elements, wants)
	case ListSuperset:
		return there && !missing(wants, elements)
	}
	return slices.ContainsFunc(elements, in(wants))
}

// elementsOf lists what the values are, lists among them by their elements.
func elementsOf(values ...any) []any {
	var elements []any
	for _, v := range values {
		switch v := v.(type) {
		case nil:
		case []any:
			elements = append(elements, v...)
		default:
			elements = append(elements, v)
		}
	}
	return elements
}

func equal(a, b any) bool {
	order, ok := compare(a, b)
	return ok && order == 0 || value.Equal(a, b)
}

// compare orders numbers and points in time.
func compare(a, b any) (int, bool) {
	if x, ok := timeOf(a); ok {
		if y, ok := timeOf(b); ok {
			return x.Compare(y), true
		}
		return 0, false
	}
	return value.Compare(a, b)
}

func timeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		if len(v) < len(time.DateOnly) || v[4] != '-' {
			break // most texts are none, and parsing costs
		}
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, true
			}
		}
	}
	return time.Time{}, false
}
