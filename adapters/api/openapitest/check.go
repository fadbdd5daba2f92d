package openapitest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// The rules that answers must keep, as Violation.Rule names them.
const (
	RulePanic       = "the handler panicked"
	RuleSilence     = "no answer"
	RuleStray       = "the handler wrote what cannot be sent"
	RuleServerError = "an answer of 5xx"
	RuleStatus      = "a status that is not documented"
	RuleContentType = "a content type that is not documented"
	RuleBody        = "a body that is not as documented"
	RuleHeader      = "a header that is not as documented"
	RuleAccepted    = "success for a request that the document forbids"
	RuleDenied      = "success for a caller who must be denied"
)

// finding is one broken rule; findings with the same key are of one kind.
type finding struct {
	rule, detail, key string
}

// leaf is one fault that a schema finds.
type leaf struct{ key, text string }

// check holds an answer against the document. An attempt that has strayed to
// another operation, or to none, only needs an answer that is no failure.
func (c *Config) check(a *attempt, got answer, astray bool) []finding {
	var found []finding
	report := func(rule, key, format string, values ...any) {
		found = append(found, finding{rule: rule, detail: fmt.Sprintf(format, values...), key: strings.Join([]string{a.op.ID, rule, key}, "\n")})
	}
	if got.rule != "" {
		first, _, _ := strings.Cut(got.detail, "\n")
		if got.rule == RulePanic {
			// The place tells panics apart, not the value.
			_, first, _ = strings.Cut(got.detail, "\n")
		}
		report(got.rule, first, "%s", got.detail)
		return found
	}
	status := fmt.Sprint(got.status)
	if got.status >= 500 {
		report(RuleServerError, status, "%d %s", got.status, http.StatusText(got.status))
		return found
	}
	if astray {
		return nil
	}
	if got.status < 300 && got.status >= 200 {
		if a.caller.Denied {
			report(RuleDenied, a.caller.Name, "%d for %s", got.status, a.caller.Name)
		}
		if why := a.forbidden(); why != "" && !c.Lenient {
			report(RuleAccepted, why, "%d although %s", got.status, why)
		}
	}
	for _, name := range c.Required[got.status] {
		if got.header.Get(name) == "" {
			report(RuleHeader, status+name, "%d without %s", got.status, name)
		}
	}
	described, ok := a.op.responses[status]
	if !ok {
		described, ok = a.op.responses[status[:1]+"XX"]
	}
	if !ok {
		described, ok = a.op.responses["DEFAULT"]
	}
	if !ok {
		report(RuleStatus, status, "%d %s", got.status, http.StatusText(got.status))
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(described.headers)) {
		if why := described.headers[name].check(got.header.Values(name)); why != "" && !slices.Contains(c.Required[got.status], name) {
			report(RuleHeader, status+name, "%d: %s %s", got.status, name, why)
		}
	}
	if a.op.Method == http.MethodHead || got.status == http.StatusNotModified {
		return found
	}
	for _, f := range described.check(got) {
		report(f.rule, status+f.key, "%d: %s", got.status, f.detail)
	}
	return found
}

func (h header) check(values []string) string {
	if len(values) == 0 {
		if h.required {
			return "is missing"
		}
		return ""
	}
	if h.compiled == nil || len(values) > 1 {
		return ""
	}
	value, ok := coerce(h.schema, values[0])
	if !ok {
		return "has the wrong type"
	}
	if value != nil {
		if err := h.compiled.Validate(value); err != nil {
			return leaves(err)[0].text
		}
	}
	return ""
}

func (r response) check(got answer) []finding {
	if len(r.content) == 0 {
		if len(got.body) > 0 {
			return []finding{{rule: RuleBody, detail: "a body where none is documented", key: "body"}}
		}
		return nil
	}
	if len(got.body) == 0 {
		return []finding{{rule: RuleBody, detail: "no body where one is documented", key: "none"}}
	}
	media := mediaType(got.header.Get("Content-Type"))
	s, ok := r.find(media)
	if !ok {
		return []finding{{rule: RuleContentType, detail: fmt.Sprintf("%q", media), key: media}}
	}
	if !isJSON(media) {
		return nil
	}
	if !utf8.Valid(got.body) {
		return []finding{{rule: RuleBody, detail: "it is no UTF-8", key: "utf"}}
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body))
	if err != nil {
		return []finding{{rule: RuleBody, detail: "it is no JSON: " + err.Error(), key: "json"}}
	}
	if s.compiled == nil {
		return nil
	}
	err = s.compiled.Validate(value)
	if err == nil {
		return nil
	}
	var found []finding
	for _, l := range leaves(err) {
		if !slices.ContainsFunc(found, func(f finding) bool { return f.key == l.key }) && len(found) < 5 {
			found = append(found, finding{rule: RuleBody, detail: l.text, key: l.key})
		}
	}
	return found
}

// find picks the description of a media type, the closest first.
func (r response) find(media string) (shape, bool) {
	major, _, _ := strings.Cut(media, "/")
	for _, want := range []string{media, major + "/*", "*/*"} {
		for _, name := range slices.Sorted(maps.Keys(r.content)) {
			if mediaType(name) == want && media != "" {
				return r.content[name], true
			}
		}
	}
	return shape{}, false
}

// leaves are the faults at the bottom of a schema's error, sorted; at least
// one.
func leaves(err error) []leaf {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []leaf{{key: "json", text: err.Error()}}
	}
	printer := message.NewPrinter(language.English)
	var found []leaf
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		place := slices.Clone(e.InstanceLocation)
		for i, token := range place {
			if strings.Trim(token, "0123456789") == "" {
				place[i] = "*"
			}
		}
		at := "/" + strings.Join(place, "/")
		switch e.ErrorKind.(type) {
		case *kind.OneOf, *kind.AnyOf:
			// One branch is as good as the next: the whole is told.
		default:
			if len(e.Causes) > 0 {
				for _, cause := range e.Causes {
					walk(cause)
				}
				return
			}
		}
		found = append(found, leaf{
			key:  at + " " + strings.Join(e.ErrorKind.KeywordPath(), "/"),
			text: fmt.Sprintf("at %s: %s", at, short(e.ErrorKind.LocalizedString(printer), 300)),
		})
	}
	walk(invalid)
	slices.SortFunc(found, func(a, b leaf) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.text, b.text))
	})
	return found
}

// astray tells whether a request's path may belong to another operation, or to
// none: routers resolve dots and slashes before they look for a handler.
func (d *document) astray(a *attempt) bool {
	for _, arg := range a.arguments {
		value := strings.Join(arg.values, ",")
		if arg.in == "path" && (strings.Trim(value, ".") == "" || strings.ContainsAny(value, `/\`)) {
			return true
		}
	}
	path, _, _ := strings.Cut(a.target(""), "?")
	own, parts := strings.Split(a.op.Path, "/"), strings.Split(path, "/")
	for _, other := range d.operations {
		template := strings.Split(other.Path, "/")
		if other.Path == a.op.Path || len(template) != len(parts) {
			continue
		}
		closer, matches := false, true
		for i, part := range template {
			fixed := !strings.Contains(part, "{")
			decoded, err := url.PathUnescape(parts[i])
			matches = matches && (!fixed || err == nil && decoded == part)
			closer = closer || fixed && strings.Contains(own[i], "{")
		}
		if matches && closer {
			return true
		}
	}
	return false
}

// short cuts a text after so many bytes.
func short(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + fmt.Sprintf("… (%d bytes)", len(text))
}
