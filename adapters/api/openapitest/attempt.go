package openapitest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	jsonMedia = "application/json"
	formMedia = "application/x-www-form-urlencoded"
	partMedia = "multipart/form-data"
)

// argument is a parameter with its values; described is nil for one that the
// document does not have.
type argument struct {
	name, in  string
	values    []string
	described *parameter
}

// attempt is one request, still in parts so that it can be made smaller.
type attempt struct {
	op        *operation
	caller    Caller
	arguments []argument
	tail      string // of the raw query
	tree      any    // the body as JSON, if raw is nil
	raw       []byte // the body as bytes
	bodied    bool
	media     string          // the content type as sent; empty for none
	described string          // the media type of the document that the body is for
	files     map[string]bool // the members of the body that are files
	gzipped   bool
	chunked   bool
	broken    []string // what was done to it, in words
}

func (a *attempt) clone() *attempt {
	b := *a
	b.arguments = slices.Clone(a.arguments)
	b.broken = slices.Clone(a.broken)
	b.tree = cloneTree(a.tree)
	return &b
}

func cloneTree(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		copied := make(map[string]any, len(v))
		for key, value := range v {
			copied[key] = cloneTree(value)
		}
		return copied
	case []any:
		copied := make([]any, len(v))
		for i, value := range v {
			copied[i] = cloneTree(value)
		}
		return copied
	default:
		return tree
	}
}

// valid makes a request that the document admits, as far as is known.
func (m *maker) valid(op *operation) *attempt {
	m.op, m.noun = op, nounBefore(op.Path, "")
	a := &attempt{op: op}
	for i := range op.params {
		p := &op.params[i]
		if p.required || p.in == "path" || m.chance(35) {
			a.arguments = append(a.arguments, argument{name: p.name, in: p.in, values: m.parameter(op, p), described: p})
		}
	}
	if len(op.bodies) == 0 || !op.bodyRequired && m.chance(15) {
		return a
	}
	m.body(a)
	s := op.bodies[a.described]
	for range 5 {
		a.tree = m.value(s.schema, "", 0)
		if s.compiled == nil || validate(s.compiled, encode(a.tree)) == nil {
			break
		}
	}
	return a
}

// body gives an attempt a body of one of the media types.
func (m *maker) body(a *attempt) {
	a.bodied = true
	if a.described == "" {
		a.described = pick(m.Rand, slices.Sorted(maps.Keys(a.op.bodies)))
	}
	a.media = strings.ReplaceAll(a.described, "*", "json")
	if mediaType(a.described) == partMedia {
		a.media += "; boundary=" + boundary
		a.files = m.binary(a.op.bodies[a.described].schema)
	}
}

// parameter makes the values of one parameter.
func (m *maker) parameter(op *operation, p *parameter) []string {
	schema := m.schema(p.schema, 0)
	_, listed := schema["enum"]
	if !m.chance(15) && !listed {
		noun := nounBefore(op.Path, p.name)
		if p.in != "path" {
			noun = m.noun
		}
		words := strings.FieldsFunc(p.name, func(r rune) bool { return r == '_' || r == '-' })
		names := []string{noun + plain(p.name), plain(p.name)}
		if p.in == "path" && len(words) > 0 {
			names = append(names, noun+plain(words[len(words)-1]))
		}
		if format, _ := schema["format"].(string); format == "uuid" {
			names = append(names, "format:uuid")
		}
		if len(m.pool.known[plain(p.name)]) > 0 {
			names = slices.Insert(names, 0, plain(p.name))
		}
		if found, ok := m.pool.draw(m.Rand, names...); ok {
			return []string{found}
		}
	}
	value := m.value(p.schema, p.name, 2)
	if list, ok := value.([]any); ok {
		values := make([]string, 0, len(list))
		for _, item := range list {
			values = append(values, scalarText(item))
		}
		if !p.explode {
			return []string{strings.Join(values, ",")}
		}
		return values
	}
	text := scalarText(value)
	if p.in == "path" && strings.Trim(text, "./") == "" {
		text = m.word()
	}
	return []string{text}
}

func scalarText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return string(encode(v))
	}
}

// body is the body as it is sent, before compression.
func (a *attempt) body() []byte {
	if a.raw != nil || !a.bodied {
		return a.raw
	}
	members, ok := a.tree.(map[string]any)
	switch {
	case mediaType(a.described) == partMedia && ok:
		return a.multipart(members)
	case mediaType(a.described) != formMedia || !ok:
		return encode(a.tree)
	}
	form := url.Values{}
	for name, value := range members {
		if list, ok := value.([]any); ok {
			for _, item := range list {
				form.Add(name, scalarText(item))
			}
			continue
		}
		form.Set(name, scalarText(value))
	}
	return []byte(form.Encode())
}

// target is the path and the query as they stand in the request's first line.
func (a *attempt) target(prefix string) string {
	path := a.op.Path
	var query []string
	for _, arg := range a.arguments {
		switch arg.in {
		case "path":
			path = strings.ReplaceAll(path, "{"+arg.name+"}", url.PathEscape(strings.Join(arg.values, ",")))
		case "query":
			for _, value := range arg.values {
				query = append(query, url.QueryEscape(arg.name)+"="+url.QueryEscape(value))
			}
		}
	}
	if a.tail != "" {
		query = append(query, a.tail)
	}
	if len(query) > 0 {
		path += "?" + strings.Join(query, "&")
	}
	return prefix + path
}

// request builds what net/http sends.
func (a *attempt) request(ctx context.Context, base, prefix string) (*http.Request, error) {
	target, err := url.Parse(base + a.target(prefix))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.op.ID, err)
	}
	var body io.Reader
	if a.bodied {
		content := a.body()
		if a.gzipped {
			content = zip(content)
		}
		body = bytes.NewReader(content)
		if a.chunked {
			body = io.MultiReader(body) // of a length that net/http cannot see
		}
	}
	r, err := http.NewRequestWithContext(ctx, a.op.Method, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.op.ID, err)
	}
	r.URL = target
	for name, values := range a.caller.Header {
		r.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
	}
	if r.Header.Get("Accept") == "" {
		r.Header.Set("Accept", "*/*")
	}
	if a.media != "" {
		r.Header.Set("Content-Type", a.media)
	}
	if a.gzipped {
		r.Header.Set("Content-Encoding", "gzip")
	}
	for _, arg := range a.arguments {
		switch arg.in {
		case "header":
			r.Header[http.CanonicalHeaderKey(headerText(arg.name))] = []string{headerText(strings.Join(arg.values, ","))}
		case "cookie":
			r.AddCookie(&http.Cookie{Name: arg.name, Value: url.QueryEscape(strings.Join(arg.values, ","))})
		}
	}
	return r, nil
}

// headerText drops what net/http does not send in a header.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

func zip(content []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(content); err != nil {
		return nil
	}
	if err := w.Close(); err != nil {
		return nil
	}
	return out.Bytes()
}

// mediaType is a content type without its parameters, in lower case.
func mediaType(text string) string {
	text, _, _ = strings.Cut(text, ";")
	return strings.ToLower(strings.TrimSpace(text))
}

func isJSON(media string) bool {
	return media == jsonMedia || strings.HasSuffix(media, "+json")
}

// forbidden says why the document does not admit the request, or is empty
// where it does or where one can argue about it.
func (a *attempt) forbidden() string {
	for i := range a.op.params {
		if why := a.forbiddenBy(&a.op.params[i]); why != "" {
			return why
		}
	}
	if !a.bodied {
		if a.op.bodyRequired {
			return "there is no body"
		}
		return ""
	}
	s := a.op.bodies[a.described]
	if s.compiled == nil || a.gzipped || !isJSON(mediaType(a.described)) || a.media != a.described {
		return ""
	}
	body := a.body()
	if len(body) == 0 && !a.op.bodyRequired {
		return ""
	}
	if !json.Valid(body) {
		return "the body is no JSON"
	}
	if !utf8.Valid(body) || hasDuplicates(body) {
		return ""
	}
	if err := validate(s.compiled, body); err != nil {
		return "the body: " + leaves(err)[0].text
	}
	return ""
}

func (a *attempt) forbiddenBy(p *parameter) string {
	var found []argument
	for _, arg := range a.arguments {
		if arg.name == p.name && arg.in == p.in {
			found = append(found, arg)
		}
	}
	if len(found) == 0 {
		if p.required {
			return fmt.Sprintf("the %s parameter %q is missing", p.in, p.name)
		}
		return ""
	}
	if p.compiled == nil || p.in == "cookie" || len(found) > 1 || len(found[0].values) != 1 {
		return ""
	}
	text := found[0].values[0]
	if p.in == "header" {
		text = strings.TrimSpace(headerText(text))
	}
	if text == "" || !utf8.ValidString(text) {
		return ""
	}
	value, ok := coerce(p.schema, text)
	if !ok {
		return fmt.Sprintf("the %s parameter %q has the wrong type", p.in, p.name)
	}
	if value == nil {
		return ""
	}
	if err := p.compiled.Validate(value); err != nil {
		return fmt.Sprintf("the %s parameter %q: %s", p.in, p.name, leaves(err)[0].text)
	}
	return ""
}

// coerce reads the text of a parameter or header as its schema's type. It
// gives nil where one can argue about the type, and false where the text
// cannot be of it.
func coerce(raw any, text string) (value any, ok bool) {
	kind, _ := object(raw)["type"].(string)
	switch kind {
	case "string":
		return text, true
	case "integer", "number":
		if integerText(text) && !strings.HasPrefix(text, "+") {
			return json.Number(cmp.Or(strings.TrimLeft(text, "0"), "0")), true
		}
		_, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		return nil, err == nil || strings.Trim(text, "+-0123456789") == ""
	case "boolean":
		_, err := strconv.ParseBool(text)
		return nil, err == nil
	default:
		return nil, true
	}
}

// hasDuplicates tells whether an object of the JSON text has a key twice:
// which of them counts is for the reader to say.
func hasDuplicates(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	type level struct {
		keys  map[string]bool // nil in an array
		value bool            // the next token is a value, not a key
	}
	var stack []level
	for {
		token, err := decoder.Token()
		if err != nil {
			return false
		}
		if delim, ok := token.(json.Delim); ok && (delim == '}' || delim == ']') {
			stack = stack[:len(stack)-1]
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].keys != nil {
			top := &stack[n-1]
			if !top.value {
				key, _ := token.(string)
				if top.keys[key] {
					return true
				}
				top.keys[key], top.value = true, true
				continue
			}
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		}
	}
}

// validate reads a JSON text and holds it against a schema.
func validate(schema *jsonschema.Schema, text []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
