package page

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// curl is a command before and after where the API is.
type curl struct{ Head, API, Tail string }

var braced = regexp.MustCompile(`\{([^}]*?)(?:\.\.\.)?\}`)

// curl makes the command that calls an operation with what it needs. What only
// the caller knows stands in variables of the shell.
func (r *renderer) curl(op *huma.Operation, o *operation) curl {
	c := curl{Head: "curl ", API: r.api}
	lines := []string{braced.ReplaceAllStringFunc(op.Path, func(name string) string { return variable(braced.FindStringSubmatch(name)[1]) }) + r.query(op) + `"`}
	if len(o.Scopes) > 0 {
		lines = append(lines, `-H "Authorization: Bearer $TOKEN"`)
	} else if o.Hook {
		lines = append(lines, `-H "Authorization: Bearer $REPLY_TO_TOKEN"`)
	}
	data := r.data(op)
	lines = append(lines, data...)
	if op.Method != http.MethodGet && (op.Method != http.MethodPost || len(data) == 0) {
		c.Head += "-X " + op.Method + " "
	}
	if o.binary() {
		save := "-OJ"
		if op.Responses["302"] != nil {
			save = "-LOJ"
		}
		lines = append(lines, save)
	}
	c.Head += `"`
	c.Tail = strings.Join(lines, " \\\n  ")
	return c
}

// binary says that an answer is no text to look at.
func (o *operation) binary() bool {
	for _, a := range o.Answers {
		for _, c := range a.Contents {
			if c.Media == "application/zip" || c.Media == "application/octet-stream" {
				return true
			}
		}
	}
	return false
}

// started are the variables that "Getting started" sets, or takes from the caller.
var started = []string{"API", "TOKEN", "CLIENT_ID", "CLIENT_SECRET", "REPLY_TO_TOKEN"}

// variable is the shell's variable of a name. One that "Getting started" has is
// not meant: a command that is pasted must not send the caller's token in a URL,
// nor delete the caller.
func variable(name string) string {
	name = strings.Map(func(c rune) rune {
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToUpper(name))
	if slices.Contains(started, name) {
		name = "OTHER_" + name
	}
	return "${" + name + "}"
}

// query has the parameters that are required.
func (r *renderer) query(op *huma.Operation) string {
	var pairs []string
	for _, p := range op.Parameters {
		if p.In == "query" && p.Required {
			pairs = append(pairs, url.QueryEscape(p.Name)+"="+variable(p.Name))
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	return "?" + strings.Join(pairs, "&")
}

// data are the lines that send the body.
func (r *renderer) data(op *huma.Operation) []string {
	if op.RequestBody == nil || len(op.RequestBody.Content) == 0 {
		return nil
	}
	medias := slices.Sorted(maps.Keys(op.RequestBody.Content))
	media := medias[0]
	if slices.Contains(medias, "application/json") {
		media = "application/json"
	}
	schema, example := op.RequestBody.Content[media].Schema, op.RequestBody.Content[media].Example
	if schema == nil {
		schema = &huma.Schema{}
	}
	switch media {
	case "application/json":
		if !op.RequestBody.Required && example == nil {
			return nil
		}
		if example == nil {
			example = r.example(schema, false, nil)
		}
		return []string{`-H "Content-Type: application/json"`, "-d " + quoted(string(encode(example, "")))}
	case "application/x-www-form-urlencoded":
		return r.fields(schema, `--data-urlencode "`)
	case "multipart/form-data":
		if lines := exampleFields(example); lines != nil {
			return lines
		}
		return r.fields(schema, `-F "`)
	}
	return []string{`-H "Content-Type: ` + media + `"`, "--data-binary @FILE"}
}

// exampleFields are the lines of a form whose example is an object of texts.
func exampleFields(example any) (lines []string) {
	var texts map[string]string
	if json.Unmarshal(encode(example, ""), &texts) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		lines = append(lines, "--form-string "+quoted(name+"="+texts[name]))
	}
	return lines
}

// fields are the lines of a form. Files come last, since what is said of them
// counts only if it was read before.
func (r *renderer) fields(s *huma.Schema, start string) []string {
	s, _ = r.deref(s)
	var lines, files []string
	for _, name := range memberNames(s) {
		field, _ := r.deref(s.Properties[name])
		file := field.Format == "binary" || field.ContentEncoding != ""
		switch {
		case file:
			files = append(files, start+name+`=@FILE"`)
		case len(field.Enum) > 0:
			lines = append(lines, start+name+"="+strings.Trim(inline(field.Enum[0]), `"`)+`"`)
		case name == "client_id" || name == "client_secret": // those of "Getting started"
			lines = append(lines, start+name+"=${"+strings.ToUpper(name)+`}"`)
		case slices.Contains(s.Required, name):
			lines = append(lines, start+name+"="+variable(name)+`"`)
		}
	}
	return append(lines, files...)
}

// quoted is a text as one word of the shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
