package graph

import "slices"

// Dataset describes one database or service: what a Fides dataset file says of
// it. Datasets are read with [Load] or [LoadFS], or written as Go values.
type Dataset struct {
	// Key identifies the dataset (fides_key): letters, digits and _ . < > -
	Key          string `json:"key"`
	Name         string `json:"name,omitempty"`
	Description  string `json:"description,omitempty"`
	Organization string `json:"organization,omitempty"`
	// Categories describe the dataset and select nothing.
	Categories  []Category    `json:"categories,omitempty"`
	Collections []*Collection `json:"collections"`
	// After lists keys of datasets that are visited before this one.
	After []string `json:"after,omitempty"`
	// Namespace says where the collections live inside the connection, in
	// the connector's own keys: {"schema": "sales"} for PostgreSQL.
	Namespace  map[string]string `json:"namespace,omitempty"`
	ResourceID string            `json:"resource_id,omitempty"`
	Redact     Redact            `json:"redact,omitempty"`
	Tags       []string          `json:"tags,omitempty"`
	Meta       map[string]any    `json:"meta,omitempty"`
	// Pos is where the dataset was read; zero for one written in Go.
	Pos Position `json:"-"`
}

// Collection is one table, document collection or endpoint.
type Collection struct {
	// Name is the name of the table in the database.
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Categories hold for the whole row: an access rule that targets one of
	// them selects every field, an erasure rule every field that is no
	// primary key, no end of a reference and not of a system category.
	Categories []Category `json:"categories,omitempty"`
	Fields     []*Field   `json:"fields"`
	// After lists collections that are visited before this one.
	After []Address `json:"after,omitempty"`
	// EraseAfter lists collections that are erased before this one.
	EraseAfter []Address `json:"erase_after,omitempty"`
	// SkipProcessing leaves the collection, and its own references, out of
	// every plan. A reference of another collection to it is a fault.
	SkipProcessing bool `json:"skip_processing,omitempty"`
	// Masking overrides the strategy of every erasure rule. The only one
	// that a collection may name is "delete", which deletes the rows.
	Masking *Masking `json:"masking,omitempty"`
	// Partitioning is kept as written, for connectors that can use it.
	Partitioning any      `json:"partitioning,omitempty"`
	Redact       Redact   `json:"redact,omitempty"`
	Pos          Position `json:"-"`

	// Address and Namespace are set when the collection joins a data map.
	Address   Address           `json:"address"`
	Namespace map[string]string `json:"namespace,omitempty"`
}

// Field is a column, or a key inside a column that holds documents.
type Field struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Categories  []Category `json:"categories,omitempty"`
	// Fields are the declared keys of an object or of an array of objects.
	Fields []*Field `json:"fields,omitempty"`
	// Type is the declared data_type; the zero Type takes every value.
	Type Type `json:"type,omitzero"`
	// Length cuts masked text to so many characters; 0 means no limit.
	Length int `json:"length,omitempty"`
	// Identity names the kind of identity that seeds this field;
	// [AnyIdentity] stands for whatever kinds a request brings.
	Identity   string      `json:"identity,omitempty"`
	PrimaryKey bool        `json:"primary_key,omitempty"`
	References []Reference `json:"references,omitempty"`
	// ReadOnly fields are never masked.
	ReadOnly bool `json:"read_only,omitempty"`
	// ReturnAllElements keeps whole an array that is matched by value.
	ReturnAllElements bool `json:"return_all_elements,omitempty"`
	// CustomRequestField names a custom field of the request.
	CustomRequestField string `json:"custom_request_field,omitempty"`
	// Masking overrides the strategy of every erasure rule for this field.
	Masking *Masking `json:"masking,omitempty"`
	Redact  Redact   `json:"redact,omitempty"`
	Pos     Position `json:"-"`
}

// Direction says which way values flow along a reference.
type Direction string

const (
	// Undirected references are used once, away from the seeds.
	Undirected Direction = ""
	// From makes the referenced field feed the field that refers to it.
	From Direction = "from"
	// To makes the field that refers feed the referenced field.
	To Direction = "to"
)

// Reference ties a field to a field of another, or of the same, collection.
type Reference struct {
	Dataset string `json:"dataset"`
	// Field is "collection.path.to.field", resolved when the data map is
	// built.
	Field     string    `json:"field"`
	Direction Direction `json:"direction,omitempty"`
	Pos       Position  `json:"-"`
}

// Masking names a masking strategy and its configuration, in the keys that
// package redact/mask documents.
type Masking struct {
	Strategy      string         `json:"strategy"`
	Configuration map[string]any `json:"configuration,omitempty"`
}

// StrategyDelete, on a collection, deletes its rows instead of masking them.
const StrategyDelete = "delete"

// Redact is an entity's own setting for how its name appears in a package.
type Redact string

const (
	// RedactDefault leaves the decision to the global patterns.
	RedactDefault Redact = ""
	// RedactName always replaces the name.
	RedactName Redact = "name"
	// RedactNone never replaces the name.
	RedactNone Redact = "none"
)

// Kind is the declared type of a field's scalar values.
type Kind string

// The kinds that a dataset may declare as data_type. ObjectID is MongoDB's 24
// hexadecimal digits. Any takes every value unchanged.
const (
	Any      Kind = ""
	String   Kind = "string"
	Integer  Kind = "integer"
	Float    Kind = "float"
	Boolean  Kind = "boolean"
	ObjectID Kind = "object_id"
	Object   Kind = "object"
)

// Type is a data_type: a kind, or an array of one ("string[]").
type Type struct {
	Kind  Kind `json:"kind,omitempty"`
	Array bool `json:"array,omitempty"`
}

// String returns the type as a dataset file writes it.
func (t Type) String() string {
	if t.Array {
		return string(t.Kind) + "[]"
	}
	return string(t.Kind)
}

// Field returns the field that path leads to.
func (c *Collection) Field(path Path) (*Field, bool) {
	fields := c.Fields
	var found *Field
	for _, name := range path {
		i := slices.IndexFunc(fields, func(f *Field) bool { return f.Name == name })
		if i < 0 {
			return nil, false
		}
		found = fields[i]
		fields = found.Fields
	}
	return found, found != nil
}

// All yields every field of the collection with its path, parents before
// their children, in the order in which the fields are declared.
func (c *Collection) All() func(yield func(Path, *Field) bool) {
	return func(yield func(Path, *Field) bool) { walkFields(nil, c.Fields, yield) }
}

func walkFields(parent Path, fields []*Field, yield func(Path, *Field) bool) bool {
	for _, f := range fields {
		path := append(slices.Clip(parent), f.Name)
		if !yield(path, f) || !walkFields(path, f.Fields, yield) {
			return false
		}
	}
	return true
}

// PrimaryKey returns the paths of the fields that are declared as primary
// key, in the order of declaration; nil when there are none.
func (c *Collection) PrimaryKey() []Path {
	var key []Path
	for path, f := range c.All() {
		if f.PrimaryKey {
			key = append(key, path)
		}
	}
	return key
}

// Deletes reports whether erasure deletes the rows of the collection.
func (c *Collection) Deletes() bool {
	return c.Masking != nil && c.Masking.Strategy == StrategyDelete
}
