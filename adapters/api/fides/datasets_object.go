package fides

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.yaml.in/yaml/v3"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// datasetObject is a dataset as it was sent, in JSON: all its keys are kept,
// those too that mean nothing here.
type datasetObject json.RawMessage

// Schema implements [huma.SchemaProvider].
func (datasetObject) Schema(huma.Registry) *huma.Schema {
	longest := 200
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{"fides_key", "collections"}, AdditionalProperties: true,
		Description: "A dataset in the format of Fides.",
		Properties: map[string]*huma.Schema{
			"fides_key":   {Type: huma.TypeString, MaxLength: &longest},
			"collections": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}},
		},
	}
}

// MarshalJSON implements [json.Marshaler].
func (o datasetObject) MarshalJSON() ([]byte, error) { return o, nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (o *datasetObject) UnmarshalJSON(text []byte) error {
	*o = bytes.Clone(text)
	return nil
}

// check refuses a dataset that could not be kept.
func (o datasetObject) check(loc ...any) []fault {
	var tree any
	if err := json.Unmarshal(o, &tree); err != nil {
		return []fault{valueFault("a number is out of range", loc...)}
	}
	if holdsZero(tree) {
		return []fault{valueFault("a text cannot hold the character U+0000", loc...)}
	}
	key := o.key()
	return keyFault(&key, append(loc, "fides_key")...)
}

func holdsZero(tree any) bool {
	switch v := tree.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		for _, item := range v {
			if holdsZero(item) {
				return true
			}
		}
	case map[string]any:
		for key, item := range v {
			if strings.ContainsRune(key, 0) || holdsZero(item) {
				return true
			}
		}
	}
	return false
}

// header is what the door reads of a dataset.
func (o datasetObject) header() (h struct {
	Key  string `json:"fides_key"`
	Name any    `json:"name"`
},
) {
	_ = json.Unmarshal(o, &h) // it was validated
	return h
}

func (o datasetObject) key() string { return o.header().Key }

func (o datasetObject) name() string {
	name, _ := o.header().Name.(string)
	return name
}

// source is the file that the catalogue keeps.
func (o datasetObject) source() string { return `{"dataset":[` + string(o) + `]}` }

// load reads it. The error tells every fault, the diagnostics warnings.
func (o datasetObject) load() (*graph.Dataset, graph.Diagnostics, error) {
	list, found := graph.Load("", []byte(o.source()), nil)
	for i := range found {
		found[i].Pos = graph.Position{} // all is in one line
	}
	if err := found.Err(); err != nil {
		return nil, found, err
	}
	return list[0], found, nil
}

// objectOf is a dataset of the catalogue as it was sent. Of one that comes from
// Config, what the door can know is shown.
func objectOf(def *dsr.DatasetDefinition) (datasetObject, error) {
	if def.Source == "" {
		return fixedObject(def)
	}
	list, err := objectsOf([]byte(def.Source))
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("fides: dataset %q cannot be shown: its file cannot be read", def.Key)
	}
	return list[0], nil
}

// objectsOf are the datasets of a file in JSON or YAML that package graph could
// load, which bounds what aliases make of it.
func objectsOf(source []byte) ([]datasetObject, error) {
	var file datasetFile
	if json.Unmarshal(source, &file) == nil {
		return file.Datasets, nil
	}
	var all []datasetObject
	decoder := yaml.NewDecoder(bytes.NewReader(source))
	for {
		var document struct {
			Datasets []any `yaml:"dataset"`
		}
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("fides: read a file of datasets: %w", err)
		}
		for _, tree := range document.Datasets {
			text, err := json.Marshal(plainTree(tree))
			if err != nil {
				return nil, fmt.Errorf("fides: encode a dataset as JSON: %w", err)
			}
			all = append(all, text)
		}
	}
}

// plainTree is what YAML holds in terms of JSON.
func plainTree(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		for key, item := range v {
			v[key] = plainTree(item)
		}
	case map[any]any:
		plain := map[string]any{}
		for key, item := range v {
			plain[fmt.Sprint(key)] = plainTree(item)
		}
		return plain
	case []any:
		for i := range v {
			v[i] = plainTree(v[i])
		}
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Sprint(v)
		}
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	}
	return tree
}

// shownField is a field of a dataset that comes from Config.
type shownField struct {
	Name       string           `json:"name"`
	Categories []graph.Category `json:"data_categories,omitempty"`
	Fields     []shownField     `json:"fields,omitempty"`
}

func fixedObject(def *dsr.DatasetDefinition) (datasetObject, error) {
	type collection struct {
		Name   string       `json:"name"`
		Fields []shownField `json:"fields"`
	}
	shown := struct {
		Key         string       `json:"fides_key"`
		Name        string       `json:"name,omitempty"`
		Collections []collection `json:"collections"`
	}{Key: def.Key, Name: def.Name, Collections: []collection{}}
	if def.Dataset != nil {
		for _, c := range def.Dataset.Collections {
			shown.Collections = append(shown.Collections, collection{c.Name, shownFields(c.Fields)})
		}
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("fides: encode dataset %q: %w", def.Key, err)
	}
	return text, nil
}

func shownFields(fields []*graph.Field) []shownField {
	list := make([]shownField, 0, len(fields))
	for _, f := range fields {
		list = append(list, shownField{f.Name, f.Categories, shownFields(f.Fields)})
	}
	return list
}
