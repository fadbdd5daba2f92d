package openapitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/textproto"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Example is a request that should succeed, for an operation that random words
// hardly ever fit: one that takes a token, or something in a certain state.
type Example struct {
	// Parameters are values of the path and the query, by name. Those of the
	// path that are missing are made as ever.
	Parameters map[string]string
	// Body is what the body holds, as a value that can be written as JSON; a
	// form takes an object. Nil for one that is made as ever.
	Body any
	// Caller takes the place of the first caller, if it has a name.
	Caller Caller
}

// example makes a request of an example; nil if there is none.
func (m *maker) example(op *operation, e *Example) (*attempt, error) {
	a := m.valid(op)
	a.arguments = slices.DeleteFunc(a.arguments, func(arg argument) bool { return arg.in != "path" && !arg.described.required })
	for _, name := range slices.Sorted(maps.Keys(e.Parameters)) {
		at := slices.IndexFunc(op.params, func(p parameter) bool { return p.name == name })
		if at < 0 {
			return nil, fmt.Errorf("the example of %s has the parameter %q, which the document does not have", op.ID, name)
		}
		p := &op.params[at]
		a.arguments = slices.DeleteFunc(a.arguments, func(arg argument) bool { return arg.described == p })
		a.arguments = append(a.arguments, argument{name: name, in: p.in, values: []string{e.Parameters[name]}, described: p})
	}
	if e.Body != nil {
		if len(op.bodies) == 0 {
			return nil, fmt.Errorf("the example of %s has a body, for which the document has no place", op.ID)
		}
		text, err := json.Marshal(e.Body)
		if err != nil {
			return nil, fmt.Errorf("the example of %s: %w", op.ID, err)
		}
		if a.tree, err = jsonschema.UnmarshalJSON(bytes.NewReader(text)); err != nil {
			return nil, fmt.Errorf("the example of %s: %w", op.ID, err)
		}
		m.body(a)
	}
	a.caller = e.Caller
	return a, nil
}

// boundary parts a form that has files.
const boundary = "a-part-of-openapitest"

// multipart writes a form: texts first, since what comes after them may need
// them. A file has its own text for its name.
func (a *attempt) multipart(members map[string]any) []byte {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	if w.SetBoundary(boundary) != nil {
		return nil
	}
	write := func(name string, value any, file bool) {
		text := scalarText(value)
		header := textproto.MIMEHeader{"Content-Disposition": {multipart.FileContentDisposition(name, text)}, "Content-Type": {"application/octet-stream"}}
		if !file {
			disposition := multipart.FileContentDisposition(name, "")
			header = textproto.MIMEHeader{"Content-Disposition": {disposition[:len(disposition)-len(`; filename=""`)]}}
		}
		if part, err := w.CreatePart(header); err == nil {
			_, _ = io.WriteString(part, text) // into memory
		}
	}
	for _, files := range []bool{false, true} {
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if a.files[name] != files {
				continue
			}
			list, ok := members[name].([]any)
			if !ok {
				list = []any{members[name]}
			}
			for _, value := range list {
				write(name, value, files)
			}
		}
	}
	if w.Close() != nil {
		return nil
	}
	return out.Bytes()
}

// binary are the members of a form that are files.
func (m *maker) binary(raw any) map[string]bool {
	files := map[string]bool{}
	for name, property := range object(m.schema(raw, 0)["properties"]) {
		schema := m.schema(property, 0)
		items := m.schema(schema["items"], 0)
		files[name] = schema["format"] == "binary" || items["format"] == "binary"
	}
	return files
}
