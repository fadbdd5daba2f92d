package dsr

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// Definitions are what the catalogue holds, by key. Those that are Fixed come
// from Config and cannot be changed here.
type Definitions struct {
	// Version of the catalogue; 0 for an empty one.
	Version int64

	Connections  map[string]*ConnectionDefinition
	Datasets     map[string]*DatasetDefinition
	Destinations map[string]*DestinationDefinition
	// DefaultDestination is the key of the destination of access rules that
	// name none. Empty for the one that [Definitions.DestinationByDefault]
	// finds.
	DefaultDestination string
	Policies           map[string]*PolicyDefinition
	// Forms take the place of those of Config.Forms with the same key.
	Forms map[string]*FormDefinition
	// PreApproval are hooks that every policy asks for its approval, besides
	// the checks of its flow.
	PreApproval []HookDefinition
	// Redaction holds the patterns of names that packages do not show. Nil
	// for those of Config.Redaction.
	Redaction []string
	// Settings are what front doors keep here for themselves.
	Settings map[string]json.RawMessage
}

// Defined is what all definitions have.
type Defined struct {
	// Key names it: 1 to 200 letters of ASCII, digits and . _ < > -
	Key string `json:"key"`
	// Name is what people call it.
	Name string `json:"name,omitempty"`
	// Extra is what front doors keep with it: an object, in which each writes
	// names of its own and leaves those of the others. The engine does not look
	// at it.
	Extra json.RawMessage `json:"extra,omitempty"`
	// CreatedAt and UpdatedAt are set by the catalogue.
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"-"`
	// Fixed says that it comes from Config.
	Fixed bool `json:"-"`
}

// ConnectionDefinition is a connection that [Config.ConnectionTypes] can make.
type ConnectionDefinition struct {
	Defined
	Description string `json:"description,omitempty"`
	// Type is a key of Config.ConnectionTypes.
	Type string `json:"type"`
	// ReadOnly refuses erasure rules that reach it.
	ReadOnly bool `json:"read_only,omitempty"`
	// Disabled leaves its datasets out of plans, which tell so, and its
	// hooks uncalled. With a hook that could hold requests up, pre-approval
	// or two-way before execution, no policy can be planned instead, and what
	// waits for a pre-approval goes on once the connection is enabled.
	Disabled bool `json:"disabled,omitempty"`
	// Options are what its type is told besides secrets; nil for nothing.
	// They are shown to whoever configures, and in versions as all of the
	// definition is.
	Options json.RawMessage `json:"options,omitempty"`
	// Secrets take the place of those it has, in Update; nil keeps them.
	// They are nil when it is read; see [Catalogue.Secrets].
	Secrets Secrets `json:"-"`
	// SecretNames tells which secrets it has.
	SecretNames []string `json:"secret_names,omitempty"`
	// SecretVersion counts how often they were set.
	SecretVersion int64 `json:"secret_version,omitempty"`
}

// DatasetDefinition is a dataset and the connection that it lives in.
type DatasetDefinition struct {
	Defined
	// Connection is the key of a connection of the catalogue.
	Connection string `json:"connection"`
	// Source is a dataset file of Fides, in YAML or JSON, with this one
	// dataset. Empty for one that is Fixed.
	Source string `json:"source"`
	// Dataset is what Source says, set by the catalogue. It is shared: it
	// must not be changed.
	Dataset *graph.Dataset `json:"-"`
}

// DestinationDefinition is a destination of packages that
// [Config.DestinationTypes] can make.
type DestinationDefinition struct {
	Defined
	// Type is a key of Config.DestinationTypes.
	Type string `json:"type"`
	// Format is json, csv or html.
	Format string `json:"format"`
	// Details are the settings that are not secret.
	Details map[string]string `json:"details,omitempty"`
	// Secrets, SecretNames and SecretVersion are as with connections.
	Secrets       Secrets  `json:"-"`
	SecretNames   []string `json:"secret_names,omitempty"`
	SecretVersion int64    `json:"secret_version,omitempty"`
}

// PolicyDefinition is a policy and what is special in its flow. Rules may be
// missing, and targets of rules: such a policy is not ready for requests, which
// [Catalogue.Problems] tells.
type PolicyDefinition struct {
	Defined
	Rules             []graph.Rule `json:"rules,omitempty"`
	AllowEmptyTargets bool         `json:"allow_empty_targets,omitempty"`
	// Timeframe is how long the answer may take; 0 for that of its flow in
	// Config.
	Timeframe time.Duration `json:"timeframe,omitempty"`
	// Before and After are hooks that are called after those of its flow.
	Before []HookDefinition `json:"before,omitempty"`
	After  []HookDefinition `json:"after,omitempty"`
}

// HookDefinition is a hook that a connection makes.
type HookDefinition struct {
	// Key is unique among all hooks: 1 to 64 letters, digits, dots, dashes
	// and underscores.
	Key  string `json:"key"`
	Name string `json:"name,omitempty"`
	// Connection is the key of a connection whose type has hooks.
	Connection string `json:"connection"`
	TwoWay     bool   `json:"two_way,omitempty"`
}

// FormDefinition is a form that people fill in.
type FormDefinition struct {
	manual.Form
	Extra     json.RawMessage `json:"extra,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
	UpdatedAt time.Time       `json:"-"`
	// Removed stands where a form of Config.Forms was deleted.
	Removed bool `json:"removed,omitempty"`
}

// Secrets are what a connection or a destination is opened with: addresses,
// names and passwords. They print as [redacted] under every verb.
type Secrets map[string]string

// Names returns the names of the secrets, sorted.
func (s Secrets) Names() []string { return slices.Sorted(maps.Keys(s)) }

// Format implements [fmt.Formatter] for every verb without showing a value.
func (s Secrets) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (s Secrets) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value.
func (s Secrets) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

func newDefinitions() *Definitions {
	return &Definitions{
		Connections: map[string]*ConnectionDefinition{}, Datasets: map[string]*DatasetDefinition{},
		Destinations: map[string]*DestinationDefinition{}, Policies: map[string]*PolicyDefinition{},
		Forms: map[string]*FormDefinition{}, Settings: map[string]json.RawMessage{},
	}
}

// DestinationByDefault returns the key of the destination where packages of
// rules go that name none: DefaultDestination or, while nobody chose, the one
// that was there first, so that another one that is defined takes nothing over.
// That is the only one of Config or, where Config has none, the oldest of the
// catalogue; of those made in one edit the first by key. It is empty where there
// is none, or where Config has several.
func (d *Definitions) DestinationByDefault() string {
	if d.DefaultDestination != "" {
		return d.DefaultDestination
	}
	var first *DestinationDefinition
	fixed := 0
	for _, def := range d.Destinations {
		switch {
		case def.Fixed:
			fixed++
			first = def
		case fixed == 0 && (first == nil || older(def, first)):
			first = def
		}
	}
	if first == nil || fixed > 1 {
		return ""
	}
	return first.Key
}

// older reports whether a destination was made before another. One that has no
// time yet is just being made.
func older(a, b *DestinationDefinition) bool {
	if a.CreatedAt.Equal(b.CreatedAt) {
		return a.Key < b.Key
	}
	return !a.CreatedAt.IsZero() && (b.CreatedAt.IsZero() || a.CreatedAt.Before(b.CreatedAt))
}

// cloneRules copies rules, which may be changed by whoever gets them.
func cloneRules(rules []graph.Rule) []graph.Rule {
	rules = slices.Clone(rules)
	for i := range rules {
		r := &rules[i]
		r.Targets = slices.Clone(r.Targets)
		if r.Masking != nil {
			r.Masking = &graph.Masking{Strategy: r.Masking.Strategy, Configuration: maps.Clone(r.Masking.Configuration)}
		}
	}
	return rules
}

// fixed adds what comes from Config, and is not shadowed.
func (d *Definitions) fixed(c *Config) {
	for _, conn := range c.Connections {
		d.Connections[conn.Key] = &ConnectionDefinition{Defined: Defined{Key: conn.Key, Fixed: true}, ReadOnly: conn.ReadOnly}
		for _, key := range conn.Datasets {
			d.Datasets[key] = &DatasetDefinition{Defined: Defined{Key: key, Fixed: true}, Connection: conn.Key}
		}
	}
	for _, ds := range c.Datasets {
		def := d.Datasets[ds.Key]
		if def == nil {
			def = &DatasetDefinition{Defined: Defined{Key: ds.Key, Fixed: true}}
			d.Datasets[ds.Key] = def
		}
		def.Name, def.Dataset = ds.Name, ds
	}
	for key := range c.Destinations {
		d.Destinations[key] = &DestinationDefinition{Defined: Defined{Key: key, Fixed: true}}
	}
	for _, p := range c.Policies {
		flow := c.Flow
		if own, ok := c.Flows[p.Key]; ok {
			flow = own
		}
		d.Policies[p.Key] = &PolicyDefinition{
			Defined: Defined{Key: p.Key, Name: p.Name, Fixed: true}, Rules: cloneRules(p.Rules), AllowEmptyTargets: p.AllowEmptyTargets, Timeframe: flow.Timeframe,
		}
	}
	for _, f := range c.Forms {
		if made, err := manual.NewForm(f); err == nil && d.Forms[made.Key] == nil {
			d.Forms[made.Key] = &FormDefinition{Form: *made}
		}
	}
}
