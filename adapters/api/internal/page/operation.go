package page

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// operation is one as the page shows it.
type operation struct {
	ID, Method, Path, Summary, Tag string
	Pieces                         []piece // of Path
	Description                    [][]piece
	Scopes, Or                     []string
	Public                         string
	Hook, Deprecated               bool
	Limits                         []string
	Aliases                        []alias
	Parameters                     []parameter
	Bodies                         []content
	BodyRequired                   bool
	Answers                        []answer
	Errors                         []answer
	Curl                           curl
	Find                           string // what the filter looks in, besides what can be seen
}

// piece is text, some of it code.
type piece struct {
	Text string
	Code bool
}

type alias struct{ ID, Method, Path string }

type parameter struct {
	node
	In, Default string
}

// content is a body of a media type.
type content struct {
	Media   string
	Tree    template.HTML
	Example string
}

type answer struct {
	Status, Text string
	Contents     []content
}

func (r *renderer) operation(op *huma.Operation) (*operation, error) {
	o := &operation{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Pieces: pathPieces(op.Path), Summary: op.Summary, Tag: "Other",
		Public: text(op, ExtPublic), Deprecated: op.Deprecated, Limits: limits(op),
	}
	if len(op.Tags) > 0 {
		o.Tag = op.Tags[0]
	}
	for paragraph := range strings.SplitSeq(op.Description, "\n\n") {
		if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
			o.Description = append(o.Description, codePieces(paragraph))
		}
	}
	o.Scopes, _ = op.Extensions[ExtScopes].([]string)
	o.Or, _ = op.Extensions[ExtOrScopes].([]string)
	for _, needed := range op.Security {
		_, hook := needed["hook"]
		o.Hook = o.Hook || hook
	}
	o.Find = strings.Join(slices.Concat([]string{o.ID, o.Tag}, o.Scopes, o.Or), " ")
	for _, p := range op.Parameters {
		o.Parameters = append(o.Parameters, r.parameter(p))
	}
	if err := r.body(op, o); err != nil {
		return nil, err
	}
	if err := r.answers(op, o); err != nil {
		return nil, err
	}
	o.Curl = r.curl(op, o)
	return o, nil
}

func (r *renderer) parameter(p *huma.Param) parameter {
	shown := parameter{In: p.In}
	if p.Schema != nil {
		shown.node = r.node(p.Schema, nil)
		if s, _ := r.deref(p.Schema); s.Default != nil {
			shown.Default = bare(s.Default)
			shown.Facts = slices.DeleteFunc(shown.Facts, func(f string) bool { return strings.HasPrefix(f, "default ") })
		}
	}
	for n, v := range shown.Enum {
		shown.Enum[n] = bare(json.RawMessage(v))
	}
	shown.Name, shown.Required = p.Name, p.Required
	shown.Text = cmp.Or(p.Description, shown.Text)
	return shown
}

func (r *renderer) body(op *huma.Operation, o *operation) error {
	if op.RequestBody == nil {
		return nil
	}
	o.BodyRequired = op.RequestBody.Required
	for _, media := range slices.Sorted(maps.Keys(op.RequestBody.Content)) {
		s := op.RequestBody.Content[media].Schema
		c, err := r.content(media, s, false)
		if err != nil {
			return err
		}
		switch example := op.RequestBody.Content[media].Example; {
		case media != "application/json":
		case example != nil:
			c.Example = pretty(example)
		case s != nil:
			c.Example = pretty(r.example(s, true, nil))
		}
		o.Bodies = append(o.Bodies, c)
	}
	return nil
}

func (r *renderer) answers(op *huma.Operation, o *operation) error {
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		response := op.Responses[status]
		shown := answer{Status: status, Text: cmp.Or(response.Description, http.StatusText(code(status)))}
		if status >= "400" {
			o.Errors = append(o.Errors, shown)
			continue
		}
		for _, media := range slices.Sorted(maps.Keys(response.Content)) {
			c, err := r.content(media, response.Content[media].Schema, true)
			if err != nil {
				return err
			}
			shown.Contents = append(shown.Contents, c)
		}
		o.Answers = append(o.Answers, shown)
	}
	return nil
}

func (r *renderer) content(media string, s *huma.Schema, answered bool) (content, error) {
	c := content{Media: media}
	if s == nil {
		return c, nil
	}
	var err error
	if known, _ := r.deref(s); known.Type != "" || len(known.AnyOf) > 0 || len(known.OneOf) > 0 {
		c.Tree, err = r.tree(s, answered)
	}
	return c, err
}

func limits(op *huma.Operation) []string {
	var told []string
	if n := number(op, ExtBodyBytes); n > 0 {
		told = append(told, "body up to "+bytesText(n))
	}
	if n := number(op, ExtPerMinute); n > 0 {
		per := text(op, ExtLimitedBy)
		if per != "" {
			per = " by " + per
		}
		told = append(told, thousands(n)+" calls a minute"+per)
	}
	if n := number(op, ExtTimeout); n > 0 {
		unit := "s"
		if n%60 == 0 {
			n, unit = n/60, "min"
		}
		told = append(told, fmt.Sprintf("up to %d %s", n, unit))
	}
	return told
}

func bytesText(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= unit.bytes {
			return strconv.FormatFloat(float64(n*10/unit.bytes)/10, 'f', -1, 64) + " " + unit.name
		}
	}
	return thousands(n) + " bytes"
}

// thousands writes a number with a thin mark every three digits.
func thousands(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

func text(op *huma.Operation, name string) string {
	s, _ := op.Extensions[name].(string)
	return s
}

func number(op *huma.Operation, name string) int64 {
	switch n := op.Extensions[name].(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func code(status string) int {
	n, _ := strconv.Atoi(status)
	return n
}

// pathPieces are those of a path; its parameters are the code.
func pathPieces(path string) []piece {
	var pieces []piece
	for path != "" {
		open := strings.IndexByte(path, '{')
		if open < 0 {
			return append(pieces, piece{Text: path})
		}
		end := open + strings.IndexByte(path[open:], '}') + 1
		if end <= open {
			return append(pieces, piece{Text: path})
		}
		pieces = append(pieces, piece{Text: path[:open]}, piece{Text: path[open:end], Code: true})
		path = path[end:]
	}
	return pieces
}

// codePieces are those of a text; what stands between backquotes is code.
func codePieces(s string) []piece {
	var pieces []piece
	for n, part := range strings.Split(s, "`") {
		if part != "" {
			pieces = append(pieces, piece{part, n%2 == 1})
		}
	}
	return pieces
}

// bare is a value as a path or a query holds it.
func bare(v any) string {
	encoded := inline(v)
	var text string
	if json.Unmarshal([]byte(encoded), &text) == nil {
		return text
	}
	return encoded
}

// inline is a value in a line.
func inline(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}
