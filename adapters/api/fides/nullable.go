package fides

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// nullable is an object or null. For scalars a pointer will do.
type nullable[T any] struct{ value *T }

func present[T any](v T) nullable[T] { return nullable[T]{&v} }

// MarshalJSON implements [json.Marshaler].
func (n nullable[T]) MarshalJSON() ([]byte, error) { return json.Marshal(n.value) }

// UnmarshalJSON implements [json.Unmarshaler].
func (n *nullable[T]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &n.value) }

// Schema implements [huma.SchemaProvider].
func (nullable[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}
