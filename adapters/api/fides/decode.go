package fides

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// read reads what a handler is given: path, query and body become JSON values,
// are validated against the schemas of the document, all faults at once, and
// only then decoded.
func (d *Door) read(rt *route, r *http.Request, in any) error {
	v := reflect.ValueOf(in).Elem()
	trees, c := map[string]any{}, &checker{door: d}
	validate := func(part string, tree any) { trees[part] = c.part(rt.schemas[part], tree, strings.ToLower(part)) }
	if s := d.deref(rt.schemas["Path"]); s != nil {
		names := map[string]any{}
		for name := range s.Properties {
			names[name] = r.PathValue(name)
		}
		validate("Path", names)
	}
	query := c.queryTree(d.deref(rt.schemas["Query"]), r.URL.RawQuery)
	if rt.schemas["Query"] != nil {
		validate("Query", query)
	}
	status := http.StatusUnprocessableEntity
	if rt.schemas["Body"] != nil {
		tree, present, found, err := bodyTree(r)
		optional := v.FieldByName("Body").Kind() == reflect.Pointer
		if _, object := tree.(map[string]any); !object && (found == nil || found.Type == notJSON) {
			status = rt.malformed
		}
		switch {
		case err != nil:
			return err
		case found != nil:
			c.add(*found)
		case present && tree == nil && optional: // null is no body
		case present:
			validate("Body", tree)
			c.add(rt.selfFault(tree, r.PathValue)...)
		case !optional:
			c.add(fault{"missing", []any{"body"}, "Field required"})
		}
	}
	if found := c.all(); len(found) > 0 {
		return &failure{status: status, detail: told(found, len(found))}
	}
	if f := v.FieldByName("Request"); f.IsValid() {
		f.Set(reflect.ValueOf(r))
	}
	if v.FieldByName("Page").IsValid() {
		trees["Page"] = trees["Query"]
	}
	for part, tree := range trees {
		if !v.FieldByName(part).IsValid() { // a query of pages only
			continue
		}
		if err := decode(tree, v.FieldByName(part).Addr().Interface()); err != nil {
			return err
		}
	}
	return nil
}

// decode puts a validated value into a Go one.
func decode(tree, into any) error {
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("fides: encode what was validated: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil { // a value that the schema lets through
		return fmt.Errorf("fides: the schema does not fit %T: %w", into, withoutValue(err))
	}
	return nil
}

// withoutValue drops what a decoder quotes.
func withoutValue(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return errors.New("a value cannot be read as " + kind.Type.String() + " at " + kind.Field)
	}
	return errors.New("a value cannot be read")
}

// bodyTree reads the body as JSON, in which no object may have a key twice and no
// text half a surrogate pair.
func bodyTree(r *http.Request) (tree any, present bool, found *fault, err error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, false, nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, false, nil, nil
	}
	if deeper(text, maxDepth) {
		deep := valueFault(fmt.Sprintf("lists and objects can be inside one another %d times at most", maxDepth), "body")
		return nil, false, &deep, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&tree)
	if err == nil {
		if _, end := decoder.Token(); errors.Is(end, io.EOF) && utf8.Valid(text) {
			return tree, true, ambiguous(text), nil
		}
	}
	at := decoder.InputOffset()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.Is(err, io.ErrUnexpectedEOF):
		at = int64(len(text))
	}
	return nil, false, &fault{notJSON, []any{"body", at}, "JSON decode error"}, nil
}

// notJSON is the type of the fault of a body that cannot be read.
const notJSON = "json_invalid"

// maxDepth is how deep lists and objects of a body may be inside one another.
const maxDepth = 100

// deeper reports whether lists and objects are deeper inside one another than
// that, in JSON that need not be valid.
func deeper(text []byte, most int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '[' || b == '{':
			if depth++; depth > most {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}

// queryTree reads the query by the schema of its parameters. What is not known
// is a fault: a filter that is not understood must never list everything.
func (c *checker) queryTree(s *huma.Schema, raw string) map[string]any {
	values, err := url.ParseQuery(raw)
	if err != nil {
		c.add(valueFault("the query is malformed", "query"))
		return nil
	}
	known := map[string]*huma.Schema{}
	if s != nil {
		known = s.Properties
	}
	tree := map[string]any{}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list, schema := values[name], c.door.deref(known[name])
		switch {
		case schema == nil:
			c.add(fault{"extra_forbidden", []any{"query", name}, "Extra inputs are not permitted"})
		case schema.Type == huma.TypeArray:
			items := make([]any, len(list))
			for i, text := range list {
				items[i] = parsed(c.door.deref(schema.Items), text)
			}
			tree[name] = items
		case len(list) > 1:
			c.add(valueFault("the parameter may be given once", "query", name))
		default:
			tree[name] = parsed(schema, list[0])
		}
	}
	return tree
}

// unparsed is text that is no value of the type which a parameter has.
type unparsed struct{}

// parsed reads the text of a parameter.
func parsed(s *huma.Schema, text string) any {
	switch s.Type {
	case huma.TypeInteger:
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return unparsed{}
		}
		return json.Number(text)
	case huma.TypeNumber:
		if f, err := strconv.ParseFloat(text, 64); err != nil || f != f || f-f != 0 {
			return unparsed{}
		}
		return json.Number(text)
	case huma.TypeBoolean:
		switch strings.ToLower(text) {
		case "true", "1", "t", "y", "yes", "on":
			return true
		case "false", "0", "f", "n", "no", "off":
			return false
		}
		return unparsed{}
	}
	return text
}

// unmarshalNumbers decodes JSON and keeps numbers as they are written.
func unmarshalNumbers(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}
