package graph

// Category is a key of the taxonomy of data categories, such as
// "user.contact.email".
type Category string

// Within reports whether the category is parent or lies below it. Categories
// are compared segment by segment: "user.name_history" is not within
// "user.name".
func (c Category) Within(parent Category) bool {
	return c == parent || len(c) > len(parent) && c[len(parent)] == '.' && c[:len(parent)] == parent
}

// Policy says what is done for a privacy request: its rules name the
// categories to hand over or to erase.
type Policy struct {
	Key   string `json:"key"`
	Name  string `json:"name,omitempty"`
	Rules []Rule `json:"rules"`
	// AllowEmptyTargets accepts targets that select no field of any
	// dataset. Defaults to false: such a target is a mistake that would
	// otherwise look like a completed request.
	AllowEmptyTargets bool `json:"allow_empty_targets,omitempty"`
}

// Action is what a rule does.
type Action string

const (
	// Access hands the selected data over.
	Access Action = "access"
	// Erasure masks the selected data, or deletes its rows.
	Erasure Action = "erasure"
)

// Rule applies one action to the fields of its target categories.
type Rule struct {
	Key    string `json:"key"`
	Name   string `json:"name,omitempty"`
	Action Action `json:"action"`
	// Targets are categories; each selects itself and all below it.
	Targets []Category `json:"targets"`
	// Masking is required for erasure and refused for access.
	Masking *Masking `json:"masking,omitempty"`
	// Destination is the key of the storage destination that the package
	// of an access rule goes to. Defaults to the engine's only one.
	Destination string `json:"destination,omitempty"`
}

// Selects reports whether one of the rule's targets holds the category.
func (r *Rule) Selects(c Category) bool {
	for _, target := range r.Targets {
		if c.Within(target) {
			return true
		}
	}
	return false
}

// Has reports whether a rule of the policy has the action.
func (p *Policy) Has(a Action) bool {
	for i := range p.Rules {
		if p.Rules[i].Action == a {
			return true
		}
	}
	return false
}
