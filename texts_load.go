package dsr

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/godsr/dsr/graph"
)

// localeTexts are the templates of one language.
type localeTexts struct {
	tag   string
	texts *template.Template
	pages *htmltemplate.Template // the same templates, escaped for HTML
}

func newLocaleTexts(tag string) *localeTexts {
	l := &localeTexts{tag: tag}
	l.texts = template.New("").Option("missingkey=error").Funcs(l.funcs())
	l.pages = htmltemplate.New("").Option("missingkey=error").Funcs(l.funcs())
	return l
}

func (l *localeTexts) funcs() map[string]any {
	return map[string]any{"date": l.date, "time": l.time, "quote": quote}
}

func (l *localeTexts) has(name string) bool { return l.texts.Lookup(name) != nil }

func (l *localeTexts) execute(name string, data any) (string, error) {
	var out bytes.Buffer
	if err := l.texts.ExecuteTemplate(&out, name, data); err != nil {
		return "", err
	}
	return out.String(), nil
}

// fault says what is wrong with a template, and where that stands.
func (l *localeTexts) fault(name, what string) error {
	tree := l.texts.Lookup(name).Tree
	at, _ := tree.ErrorContext(tree.Root)
	return fmt.Errorf("%s: %q %s", at, name, what)
}

// months are the words of the template "months".
func (l *localeTexts) months() ([]string, error) {
	text, err := l.execute("months", nil)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(text)
	if len(words) != 12 {
		return nil, l.fault("months", fmt.Sprintf("has %d words, not 12", len(words)))
	}
	return words, nil
}

// load reads every "<locale>.tmpl" over what there is, tries what a host brings
// and returns the faults.
func (t *Texts) load(files fs.FS, try bool) []string {
	names, err := fs.Glob(files, "*.tmpl")
	if err != nil {
		return []string{"Files: " + err.Error()}
	}
	if len(names) == 0 {
		return []string{`Files has no file "<locale>.tmpl" in its top folder: fs.Sub gives one that is further down`}
	}
	var faults []string
	read := map[string]string{} // file by tag
	for _, name := range names {
		tag := strings.ReplaceAll(strings.TrimSuffix(name, ".tmpl"), "_", "-")
		if !graph.ValidLanguage(tag) {
			faults = append(faults, name+`: a file is called after a language by BCP 47, such as "de.tmpl" or "pt-BR.tmpl"`)
			continue
		}
		key := strings.ToLower(tag)
		if other := read[key]; other != "" {
			faults = append(faults, fmt.Sprintf("%s: %s is of the same language; put all into one file", name, other))
			continue
		}
		read[key] = name
		text, err := fs.ReadFile(files, name)
		if err != nil {
			faults = append(faults, name+": "+err.Error())
			continue
		}
		l := t.locales[key]
		if l == nil {
			l = newLocaleTexts(tag)
			t.locales[key] = l
		}
		trees, found := parseTexts(name, string(text))
		faults = append(faults, found...)
		if trees == nil {
			continue
		}
		faults = append(faults, l.add(name, trees)...)
		if try {
			faults = append(faults, t.try(l, name)...)
		}
	}
	return faults
}

// add takes the definitions of a file, and returns the faults.
func (l *localeTexts) add(file string, trees map[string]*parse.Tree) []string {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		tree := trees[name]
		at, _ := tree.ErrorContext(tree.Root)
		switch {
		case name == file:
			if !parse.IsEmptyTree(tree.Root) {
				faults = append(faults, at+`: text stands outside of {{define "…"}}`)
			}
			continue
		case !knownTemplate(name):
			faults = append(faults, fmt.Sprintf("%s: %q is no kind of notice, nor another template that is used: the kinds are %s; parts of your own begin with _", at, name, kindList()))
			continue
		case parse.IsEmptyTree(tree.Root):
			faults = append(faults, fmt.Sprintf("%s: %q is empty", at, name))
			continue
		}
		if _, err := l.texts.AddParseTree(name, tree.Copy()); err != nil {
			faults = append(faults, trimTemplate(err))
		}
		if _, err := l.pages.AddParseTree(name, tree.Copy()); err != nil {
			faults = append(faults, trimTemplate(err))
		}
	}
	return faults
}

// parseTexts returns the definitions of a file by name, or the faults. A broken
// file is read definition by definition, since the parser stops at its first
// fault.
func parseTexts(file, text string) (trees map[string]*parse.Tree, faults []string) {
	set, whole := parseFile(file, text)
	if whole == nil {
		trees = map[string]*parse.Tree{}
		for _, tmpl := range set.Templates() {
			trees[tmpl.Name()] = tmpl.Tree
		}
		return trees, nil
	}
	starts := regexp.MustCompile(`\{\{-?\s*define\b`).FindAllStringIndex(text, -1)
	for i, start := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		above := strings.Repeat("\n", strings.Count(text[:start[0]], "\n"))
		if _, err := parseFile(file, above+text[start[0]:end]); err != nil {
			faults = append(faults, trimTemplate(err))
		}
	}
	if len(faults) == 0 {
		faults = []string{trimTemplate(whole)}
	}
	return nil, faults
}

func parseFile(file, text string) (*template.Template, error) {
	return template.New(file).Funcs((&localeTexts{}).funcs()).Parse(text)
}

func trimTemplate(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "html/template:"), "template: ")
}

// sharedParts are those that the built-in texts have in common.
func sharedParts() []string {
	return []string{"prefix", "what", "number", "packages", "tasks", "complain", "desk", "signature", "months", "date"}
}

func knownTemplate(name string) bool {
	kind := strings.TrimSuffix(strings.TrimSuffix(name, ".subject"), ".html")
	return slices.Contains(NoticeKinds(), NoticeKind(kind)) || slices.Contains(sharedParts(), name) ||
		strings.HasPrefix(name, "label.") || strings.HasPrefix(name, "_")
}

func kindList() string {
	var kinds []string
	for _, kind := range NoticeKinds() {
		kinds = append(kinds, fmt.Sprintf("%q", kind))
	}
	return strings.Join(kinds, ", ")
}

// try executes every kind that a language has on samples, and returns the
// faults.
func (t *Texts) try(l *localeTexts, file string) []string {
	var faults []string
	add := func(err error) {
		fault := trimTemplate(err)
		if !strings.HasPrefix(fault, file+":") {
			fault = file + ": " + fault
		}
		if !slices.Contains(faults, fault) {
			faults = append(faults, fault)
		}
	}
	if l.has("months") {
		if _, err := l.months(); err != nil {
			add(err)
			return faults
		}
	}
	if _, err := l.date(time.Unix(0, 0)); err != nil {
		add(err)
		return faults
	}
	for _, tmpl := range l.texts.Templates() {
		if strings.HasPrefix(tmpl.Name(), "label.") {
			if _, err := l.execute(tmpl.Name(), nil); err != nil {
				add(err)
			}
		}
	}
	slices.Sort(faults) // templates come in no order
	for _, kind := range NoticeKinds() {
		name := string(kind)
		if !l.has(name) || !l.has(name+".subject") {
			for _, part := range []string{name, name + ".subject", name + ".html"} {
				if l.has(part) {
					add(l.fault(part, fmt.Sprintf("stands alone: a kind needs both %q and %q", name, name+".subject")))
				}
			}
			continue
		}
		for _, sample := range sampleNotices(kind) {
			if _, _, _, err := t.render(l, &sample); err != nil {
				add(err)
			}
		}
	}
	return faults
}

// sampleNotices are notices of a kind with all that one can hold, and with as
// little as it can.
func sampleNotices(kind NoticeKind) []Notice {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	bare := Notice{ID: "sample", Kind: kind, RequestID: "sample", At: at, Locale: english}
	if kind == NoticeDigest || kind == NoticeErase {
		bare.RequestID = ""
	}
	if kind == NoticeVerify {
		bare.Code, bare.CodeExpires = "000000", at.Add(time.Minute)
	}
	full := bare
	full.ExternalID, full.Policy, full.Deadline, full.Message, full.Reason = "sample", "sample", at, "sample", "sample"
	full.Packages, full.Assignee, full.To = []string{"a", "b"}, "sample", Identities{"email": {"sample"}}
	full.Unconfirmed, full.Asked = []string{"a", "b"}, []string{"a", "b"}
	full.CodeExpires = at.Add(time.Hour)
	full.Tasks = []TaskRef{{"sample", "sample", "sample", at}, {RequestID: "sample", Title: "sample"}}
	full.Links = []NoticeLink{{"sample", "https://sample.example", at}, {URL: "https://sample.example"}}
	full.Vendor = &NoticeVendor{"sample", "sample", "sample"}
	full.People = []Identities{{"email": {"sample"}}, {"phone_number": {"sample"}}}
	few := full
	few.Packages, few.Tasks, few.Links, few.People = full.Packages[:1], full.Tasks[:1], full.Links[:1], full.People[:1]
	packages := full
	packages.Links, packages.Unconfirmed, packages.Asked = nil, nil, nil
	samples := []Notice{bare, full, few, packages}
	for i := range samples {
		samples[i].Actions = [][]graph.Action{nil, {graph.Access, graph.Erasure}, {graph.Access}, {graph.Erasure}}[i]
	}
	return samples
}
