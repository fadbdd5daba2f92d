package manual

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/value"
)

// Operator compares the values of an address with the value of a condition.
type Operator string

// The operators. What an address holds is nothing, one value, or several, as
// where a person has several rows. An operator holds if it does for any of
// them; neq, not_exists, not_in_list and list_disjoint are the exact opposites
// of eq, exists, list_contains and list_intersects, and so hold only if they do
// for all. Nothing counts as null.
//
// Numbers compare by their exact values, whatever their types. Points in time
// compare as such, where a text is one if it is written by RFC 3339, as
// "2024-02-29T12:00:00Z", or, for UTC, without a zone or as a date. All else is
// equal only to the same value of the same type, letter case included, and has
// no order.
//
// The operators on lists take all values of an address as one list: a value
// that is a list gives its elements, and null gives none.
//
// Fides differs: there true equals 1, only numbers have an order, an address
// holds one value, and the operators on two lists hold for nothing else, not
// even list_disjoint for null.
const (
	// Eq: the value equals. Its opposite is Neq.
	Eq  Operator = "eq"
	Neq Operator = "neq"
	// Lt, Lte, Gt and Gte take a number or a point in time.
	Lt  Operator = "lt"
	Lte Operator = "lte"
	Gt  Operator = "gt"
	Gte Operator = "gte"
	// Exists: the value is not null. Neither it nor its opposite NotExists
	// takes a value.
	Exists    Operator = "exists"
	NotExists Operator = "not_exists"
	// ListContains: an element equals the condition's value or, where that
	// is a list, one of its elements. Its opposite is NotInList.
	ListContains Operator = "list_contains"
	NotInList    Operator = "not_in_list"
	// ListIntersects: an element is also in the condition's list. Its
	// opposite is ListDisjoint.
	ListIntersects Operator = "list_intersects"
	ListDisjoint   Operator = "list_disjoint"
	// ListSubset: there is a list, and all its elements are in the
	// condition's.
	ListSubset Operator = "list_subset"
	// ListSuperset: there is a list, and all elements of the condition's
	// are in it.
	ListSuperset Operator = "list_superset"
	// StartsWith, EndsWith and Contains look at text.
	StartsWith Operator = "starts_with"
	EndsWith   Operator = "ends_with"
	Contains   Operator = "contains"
)

// Operators returns all operators.
func Operators() []Operator {
	return []Operator{
		Eq, Neq, Lt, Lte, Gt, Gte, Exists, NotExists, ListContains, NotInList,
		ListIntersects, ListDisjoint, ListSubset, ListSuperset, StartsWith, EndsWith, Contains,
	}
}

// Logical joins the conditions of a group.
type Logical string

// The ways to join.
const (
	And Logical = "and"
	Or  Logical = "or"
)

// Limits on trees, which are evaluated for every request.
const (
	// MaxDepth is how deep conditions may be nested.
	MaxDepth = 20
	// MaxLeaves is how many leaves a tree may have.
	MaxLeaves = 100
	// MaxValues is how many values the lists of a tree may have in all.
	MaxValues = 1000
	// MaxAddress is how long the address of a leaf may be, in characters.
	MaxAddress = 500
)

// Condition is a tree of conditions. A leaf has an address and an operator, a
// group has a logical operator and at least one condition. It is bounded by
// [MaxDepth], [MaxLeaves], [MaxValues] and [MaxAddress]. Its JSON is that of Fides: {"field_address", "operator", "value"} and {"logical_operator",
// "conditions"}.
type Condition struct {
	// Address names what is compared, such as "dataset:collection:field" or
	// "privacy_request.location".
	Address  string
	Operator Operator
	// Value is a text, a number, a bool, a [time.Time], or a list of them;
	// nil is null.
	Value any

	Logical    Logical
	Conditions []Condition
}

func (c *Condition) leaf() bool  { return c.Address != "" || c.Operator != "" || c.Value != nil }
func (c *Condition) group() bool { return c.Logical != "" || c.Conditions != nil }

// Addresses returns the addresses of all leaves, each once, in their order.
func (c *Condition) Addresses() []string {
	var addresses []string
	seen := map[string]bool{}
	c.leaves(func(leaf *Condition) {
		if !seen[leaf.Address] {
			seen[leaf.Address] = true
			addresses = append(addresses, leaf.Address)
		}
	})
	return addresses
}

func (c *Condition) leaves(visit func(*Condition)) {
	if !c.group() {
		visit(c)
	}
	for i := range c.Conditions {
		c.Conditions[i].leaves(visit)
	}
}

// Check tells all that is wrong with the tree at once, as a [*FaultError]; of one
// with too many leaves or values only that.
func (c *Condition) Check() error {
	var found faults
	leaves, values := 0, 0
	c.leaves(func(leaf *Condition) {
		if leaves++; leaves > MaxLeaves {
			return
		}
		if v, err := value.Normalize(leaf.Value); err == nil {
			list, _ := v.([]any)
			values += len(list)
		}
	})
	switch {
	case leaves > MaxLeaves:
		found.add("too_long", tooMany())
	case values > MaxValues:
		found.add("too_long", fmt.Sprintf("The lists of conditions may have %d values in all", MaxValues))
	default:
		c.check(&found, nil)
	}
	return found.err()
}

func tooMany() string { return fmt.Sprintf("Conditions may have %d comparisons in all", MaxLeaves) }

func (c *Condition) check(found *faults, loc []any) {
	at := func(key string) []any { return append(slices.Clip(loc), key) }
	switch {
	case len(loc) > 2*MaxDepth:
		found.add("recursion", fmt.Sprintf("Conditions may be nested %d deep", MaxDepth), loc...)
		return
	case !c.group():
		c.checkLeaf(found, at)
		return
	case c.leaf():
		found.add("value_error", "A condition is either a comparison or a group: remove one of both", loc...)
	}
	if c.Logical != And && c.Logical != Or {
		found.add("enum", "Input should be 'and' or 'or'", at("logical_operator")...)
	}
	if len(c.Conditions) == 0 {
		found.add("value_error", "conditions list cannot be empty", at("conditions")...)
	}
	for i := range c.Conditions {
		c.Conditions[i].check(found, append(at("conditions"), i))
	}
}

func (c *Condition) checkLeaf(found *faults, at func(string) []any) {
	switch {
	case strings.TrimSpace(c.Address) == "":
		found.add("missing", "Field required", at("field_address")...)
	case utf8.RuneCountInString(c.Address) > MaxAddress:
		found.add("string_too_long", fmt.Sprintf("String should have at most %d characters", MaxAddress), at("field_address")...)
	}
	if !slices.Contains(Operators(), c.Operator) {
		found.add("enum", fmt.Sprintf("Input should be one of %s", Operators()), at("operator")...)
		return
	}
	v, err := value.Normalize(c.Value)
	if err != nil {
		found.add("value_error", "Input should be a text, a number, a bool, a time, or a list of them", at("value")...)
		return
	}
	if want := c.Operator.wants(v); want != "" {
		found.add("value_error", fmt.Sprintf("%s compares with %s", c.Operator, want), at("value")...)
	}
}

// wants says what the operator takes in the place of the value, nothing if it
// takes that.
func (o Operator) wants(v any) string {
	_, isText := v.(string)
	list, isList := v.([]any)
	simple := isSimple(v) || isList && !slices.ContainsFunc(list, func(e any) bool { return !isSimple(e) })
	switch o {
	case Exists, NotExists:
		if v != nil {
			return "nothing: remove the value"
		}
	case Eq, Neq:
		if v != nil && !simple {
			return "a text, a number, a bool, null, or a list without lists"
		}
	case Lt, Lte, Gt, Gte:
		if _, ordered := compare(v, v); !ordered || !simple {
			return "a number, or a point in time by RFC 3339"
		}
	case ListContains, NotInList:
		if !simple {
			return "a text, a number, a bool, or a list of them"
		}
	case ListIntersects, ListDisjoint, ListSubset, ListSuperset:
		if !simple || !isList {
			return "a list of texts, numbers and bools"
		}
	case StartsWith, EndsWith, Contains:
		if !isText {
			return "a text"
		}
	}
	return ""
}

// isSimple reports whether a value of a condition is neither null nor a
// document.
func isSimple(v any) bool {
	switch v := v.(type) {
	case string, bool, int64, time.Time:
		return true
	case float64:
		return !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		_, number := value.Compare(v, v)
		return number
	}
	return false
}

// String returns the tree without its values, as
// `(shop:orders:total gt and privacy_request.location eq)`.
func (c *Condition) String() string {
	if !c.group() {
		return c.Address + " " + string(c.Operator)
	}
	parts := make([]string, len(c.Conditions))
	for i := range c.Conditions {
		parts[i] = c.Conditions[i].String()
	}
	return "(" + strings.Join(parts, " "+string(c.Logical)+" ") + ")"
}
