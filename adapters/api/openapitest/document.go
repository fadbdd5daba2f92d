package openapitest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// documentURL is where the document is said to be, and requestsURL where it is
// as requests must keep to it. Nothing is fetched.
const (
	documentURL = "https://document.invalid/openapi.json"
	requestsURL = "https://document.invalid/requests.json"
)

// document is an OpenAPI document taken apart.
type document struct {
	root       map[string]any
	operations []*operation // by path, then by method
	compiler   *jsonschema.Compiler
}

// operation is one method of one path.
type operation struct {
	Operation
	params       []parameter
	bodies       map[string]shape // by media type
	bodyRequired bool
	responses    map[string]response // by "200", "4XX" or "default"
}

// shape is a schema, as it is written and compiled; compiled is nil where the
// document has none.
type shape struct {
	schema   any
	compiled *jsonschema.Schema
}

type parameter struct {
	shape
	name, in string
	required bool
	explode  bool
}

type response struct {
	headers map[string]header
	content map[string]shape // by media type in lower case; empty for no body
}

type header struct {
	shape
	required bool
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("the document must hold all it refers to")
}

// methods are those that a path of a document may have, in the order in which
// operations are listed; in which they are tried, [runner.round] says.
func methods() []string {
	return []string{"post", "put", "patch", "get", "head", "options", "trace", "delete"}
}

// parse reads a document and compiles its schemas. It tells every fault.
func parse(text []byte) (*document, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the document is no JSON: %w", err)
	}
	root := object(value)
	if version, _ := root["openapi"].(string); !strings.HasPrefix(version, "3.1") {
		return nil, fmt.Errorf("the document is of OpenAPI %q, want 3.1", version)
	}
	d := &document{root: root, compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	d.compiler.UseLoader(noLoader{})
	if err := d.compiler.AddResource(documentURL, value); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	sent, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("the document is no JSON: %w", err)
	}
	d.freeReadOnly(sent)
	if err := d.compiler.AddResource(requestsURL, sent); err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	var faults []error
	paths := object(root["paths"])
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, at := d.follow(paths[path], pointer("/paths", path))
		for _, method := range methods() {
			node, ok := item[method].(map[string]any)
			if !ok {
				continue
			}
			op, err := d.operation(path, method, item, node, at)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s %s: %w", strings.ToUpper(method), path, err))
			}
			d.operations = append(d.operations, op)
		}
	}
	if len(d.operations) == 0 && len(faults) == 0 {
		faults = append(faults, errors.New("the document has no operation"))
	}
	return d, errors.Join(faults...)
}

func (d *document) operation(path, method string, item, node map[string]any, at string) (*operation, error) {
	op := &operation{Operation: Operation{Method: strings.ToUpper(method), Path: path}, responses: map[string]response{}}
	op.ID, _ = node["operationId"].(string)
	op.ID = cmp.Or(op.ID, op.Method+" "+path)
	var faults []error
	own := pointer(at, method)
	for _, place := range []struct {
		list any
		at   string
	}{{item["parameters"], pointer(at, "parameters")}, {node["parameters"], pointer(own, "parameters")}} {
		list, _ := place.list.([]any)
		for i, raw := range list {
			p, err := d.parameter(d.follow(raw, pointer(place.at, strconv.Itoa(i))))
			faults = append(faults, err)
			op.params = slices.DeleteFunc(op.params, func(old parameter) bool { return old.name == p.name && old.in == p.in })
			op.params = append(op.params, p)
		}
	}
	for _, name := range placeholders(path) {
		if !slices.ContainsFunc(op.params, func(p parameter) bool { return p.in == "path" && p.name == name }) {
			faults = append(faults, fmt.Errorf("the path parameter %q is not described", name))
		}
	}
	if body, place := d.follow(node["requestBody"], pointer(own, "requestBody")); body != nil {
		op.bodyRequired, _ = body["required"].(bool)
		var err error
		op.bodies, err = d.content(body, place, requestsURL)
		faults = append(faults, err)
	}
	responses := object(node["responses"])
	for status, raw := range responses {
		r, err := d.response(d.follow(raw, pointer(own, "responses", status)))
		faults = append(faults, err)
		op.responses[strings.ToUpper(status)] = r
	}
	if len(responses) == 0 {
		faults = append(faults, errors.New("no answer is described"))
	}
	return op, errors.Join(faults...)
}

func (d *document) parameter(node map[string]any, at string) (parameter, error) {
	p := parameter{}
	p.name, _ = node["name"].(string)
	p.in, _ = node["in"].(string)
	p.required, _ = node["required"].(bool)
	p.explode = p.in == "query" || p.in == "cookie"
	if explode, ok := node["explode"].(bool); ok {
		p.explode = explode
	}
	if p.name == "" || p.in == "" {
		return p, fmt.Errorf("the parameter at %s lacks a name or a place", at)
	}
	if (p.in == "header" || p.in == "cookie") && !isToken(p.name) {
		return p, fmt.Errorf("the parameter at %s has a name that no %s can have", at, p.in)
	}
	var err error
	p.shape, err = d.shape(node, at, requestsURL)
	return p, err
}

// isToken tells whether HTTP allows a name for headers and cookies (RFC 9110,
// section 5.6.2).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

func (d *document) response(node map[string]any, at string) (response, error) {
	r := response{headers: map[string]header{}}
	content, err := d.content(node, at, documentURL)
	faults := []error{err}
	r.content = content
	for name, raw := range object(node["headers"]) {
		node, at := d.follow(raw, pointer(at, "headers", name))
		h := header{}
		h.required, _ = node["required"].(bool)
		h.shape, err = d.shape(node, at, documentURL)
		faults = append(faults, err)
		r.headers[name] = h
	}
	return r, errors.Join(faults...)
}

// content reads the media types below a body or an answer.
func (d *document) content(node map[string]any, at, in string) (map[string]shape, error) {
	shapes := map[string]shape{}
	var faults []error
	for media, raw := range object(node["content"]) {
		s, err := d.shape(object(raw), pointer(at, "content", media), in)
		faults = append(faults, err)
		shapes[strings.ToLower(media)] = s
	}
	return shapes, errors.Join(faults...)
}

// shape compiles the member "schema" of a node, of the document or as requests
// must keep to it.
func (d *document) shape(node map[string]any, at, in string) (shape, error) {
	schema, ok := node["schema"]
	if !ok {
		return shape{}, nil
	}
	at = pointer(at, "schema")
	compiled, err := d.compiler.Compile(in + "#" + fragment(at))
	if err != nil {
		return shape{}, fmt.Errorf("the schema at %s: %w", at, err)
	}
	return shape{schema: schema, compiled: compiled}, nil
}

// freeReadOnly takes from a copy of the document what it says of properties that
// are read-only: a request need not have them, and a server may ignore them,
// whatever they are (OpenAPI 3.1, by JSON Schema's validation vocabulary, 9.4).
func (d *document) freeReadOnly(node any) {
	switch v := node.(type) {
	case []any:
		for _, item := range v {
			d.freeReadOnly(item)
		}
	case map[string]any:
		properties, required := object(v["properties"]), v["required"]
		for name, property := range properties {
			if !d.readOnly(property) {
				continue
			}
			properties[name] = true
			if list, ok := required.([]any); ok {
				required = slices.DeleteFunc(slices.Clone(list), func(of any) bool { return of == name })
				v["required"] = required
			}
		}
		for keyword, inner := range v {
			if !slices.Contains([]string{"const", "enum", "default", "example", "examples"}, keyword) {
				d.freeReadOnly(inner)
			}
		}
	}
}

// readOnly reports whether a schema, or the one that it refers to, says so.
func (d *document) readOnly(schema any) bool {
	for range 32 {
		if is, _ := object(schema)["readOnly"].(bool); is {
			return true
		}
		ref, ok := object(schema)["$ref"].(string)
		if !ok {
			return false
		}
		schema, _ = d.at(ref)
	}
	return false
}

// follow resolves references inside the document. It returns nil for what is
// no object, or nowhere.
func (d *document) follow(node any, at string) (resolved map[string]any, where string) {
	for range 32 {
		m := object(node)
		ref, ok := m["$ref"].(string)
		if !ok {
			return m, at
		}
		node, at = d.at(ref)
	}
	return nil, at
}

// at finds what a reference such as "#/components/schemas/User" points to.
func (d *document) at(ref string) (node any, at string) {
	at, ok := strings.CutPrefix(ref, "#")
	if unescaped, err := url.PathUnescape(at); err == nil {
		at = unescaped
	}
	if !ok {
		return nil, at
	}
	node = d.root
	for token := range strings.SplitSeq(strings.TrimPrefix(at, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch inner := node.(type) {
		case map[string]any:
			node = inner[token]
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(inner) {
				return nil, at
			}
			node = inner[i]
		default:
			return nil, at
		}
	}
	return node, at
}

func object(node any) map[string]any {
	m, _ := node.(map[string]any)
	return m
}

// pointer is a JSON pointer with more tokens.
func pointer(at string, tokens ...string) string {
	for _, token := range tokens {
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(token)
	}
	return at
}

// fragment escapes a JSON pointer for use in a URL.
func fragment(at string) string {
	tokens := strings.Split(at, "/")
	for i, token := range tokens {
		tokens[i] = url.PathEscape(token)
	}
	return strings.Join(tokens, "/")
}

// placeholders are the names in braces of a path.
func placeholders(path string) []string {
	var names []string
	for {
		_, after, ok := strings.Cut(path, "{")
		if !ok {
			return names
		}
		name, rest, ok := strings.Cut(after, "}")
		if !ok {
			return names
		}
		names, path = append(names, name), rest
	}
}
