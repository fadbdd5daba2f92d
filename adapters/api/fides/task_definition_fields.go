package fides

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// maxTaskFields is how many fields a task may have.
const maxTaskFields = 100

// fieldKey is what a field of a task can be called: its answers have that name
// in packages.
var fieldKey = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_-]{0,199}$`)

// taskFieldView is a field of a task.
type taskFieldView struct {
	ID         string   `json:"id" doc:"The key."`
	Key        string   `json:"key"`
	Label      string   `json:"label"`
	Help       string   `json:"help_text"`
	Type       string   `json:"field_type" enum:"text,checkbox,attachment"`
	For        string   `json:"request_type" enum:"access,erasure"`
	Categories []string `json:"data_categories" nullable:"false"`
	Policies   []string `json:"policies" nullable:"false" doc:"Under which people are asked for it now, by their keys."`
}

// taskFieldChange is what can be changed of a field.
type taskFieldChange struct {
	Label      string   `json:"label" minLength:"1" maxLength:"1000"`
	Help       string   `json:"help_text" required:"false" maxLength:"10000"`
	Type       string   `json:"field_type" enum:"text,checkbox,attachment"`
	For        string   `json:"request_type" enum:"access,erasure,consent" doc:"consent is refused: nobody would be asked."`
	Categories []string `json:"data_categories" required:"false" maxItems:"100" doc:"People are asked if a rule of the policy selects one of them. Defaults to user."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (c *taskFieldChange) UnmarshalJSON(text []byte) (err error) {
	type plain taskFieldChange
	c.told, err = decodeKeeping(text, (*plain)(c))
	return err
}

// newTaskField is a field to be asked for.
type newTaskField struct {
	Key        *string  `json:"key" required:"false" maxLength:"200" doc:"What packages call it: letters, digits, _ and -. Defaults to the label in snake_case, also where it is blank."`
	Label      string   `json:"label" minLength:"1" maxLength:"1000"`
	Help       string   `json:"help_text" required:"false" maxLength:"10000"`
	Type       string   `json:"field_type" enum:"text,checkbox,attachment"`
	For        string   `json:"request_type" enum:"access,erasure,consent" doc:"consent is refused: nobody would be asked."`
	Categories []string `json:"data_categories" required:"false" maxItems:"100" doc:"People are asked if a rule of the policy selects one of them. Defaults to user."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newTaskField) UnmarshalJSON(text []byte) (err error) {
	type plain newTaskField
	n.told, err = decodeKeeping(text, (*plain)(n))
	n.Key = givenKey(n.Key)
	return err
}

func (n *newTaskField) key() string { return keyOr(n.Key, &n.Label) }

func (n *newTaskField) change() *taskFieldChange {
	return &taskFieldChange{n.Label, n.Help, n.Type, n.For, n.Categories, n.told}
}

// contradictions refuses what the body, of a new field or a change, tells of a
// field and is not so.
func (c *taskFieldChange) contradictions(body any, views ...any) error {
	faults, err := c.told.contradictions(body, map[string]string{
		"id":       "it is the key",
		"key":      "a field keeps the one that it was made with: make another field at POST /plus/connection/{connection_key}/manual-field",
		"policies": "a field is asked for under the policies whose rules select one of its data_categories",
	}, views...)
	return cmp.Or(err, invalid(faults...))
}

type newTaskFieldInput struct {
	Path connectionPath
	Body newTaskField
}

func (in *newTaskFieldInput) check() []fault {
	faults := in.Body.change().faults()
	switch key := in.Body.key(); {
	case fieldKey.MatchString(key):
	case in.Body.Key != nil:
		faults = append(faults, valueFault("a key has 1 to 200 letters, digits, '_' and '-', and begins with a letter or digit", "body", "key"))
	default:
		faults = append(faults, valueFault("the label makes no key: give one", "body", "key"))
	}
	return faults
}

func (c *taskFieldChange) faults() (faults []fault) {
	if strings.TrimSpace(c.Label) == "" {
		faults = append(faults, valueFault("it is blank: nobody would know what is asked for", "body", "label"))
	}
	if c.For == "consent" {
		faults = append(faults, valueFault("preferences are not carried out here, so nobody would be asked; it must be access or erasure", "body", "request_type"))
	}
	return faults
}

type taskFieldPath struct {
	Connection string `json:"connection_key" minLength:"1" maxLength:"1000"`
	Field      string `json:"field_id" minLength:"1" maxLength:"1000"`
}

type oneTaskField struct{ Path taskFieldPath }

type taskFieldInput struct {
	Path taskFieldPath
	Body taskFieldChange
}

func (in *taskFieldInput) check() []fault { return in.Body.faults() }

type taskFieldsInput struct {
	Path  connectionPath
	Query struct {
		For *string `json:"request_type" required:"false" enum:"access,erasure,consent"`
	}
}

type taskFieldList []taskFieldView

func noTaskField(id string) error {
	return refuse(http.StatusNotFound, "No manual field found with id '%s'.", id)
}

func (d *Door) listTaskFields(ctx context.Context, in *taskFieldsInput) (*taskFieldList, error) {
	defs, _, t, err := d.taskNow(ctx, in.Path.Key)
	if err != nil {
		return nil, err
	}
	list := taskFieldList{}
	if t == nil {
		return &list, nil
	}
	for i := range t.Fields {
		if v := t.view(defs, &t.Fields[i]); in.Query.For == nil || *in.Query.For == v.For {
			list = append(list, v)
		}
	}
	return &list, nil
}

// view shows a field.
func (t *definedTask) view(defs *dsr.Definitions, f *askedField) taskFieldView {
	v := taskFieldView{
		ID: f.Key, Key: f.Key, Label: f.Label, Help: f.Help, Type: inputType(f.Type), For: string(f.For),
		Categories: t.categoriesOf(f.Key), Policies: []string{},
	}
	for _, key := range slices.Sorted(maps.Keys(defs.Policies)) {
		if t.askedUnder(defs.Policies[key].Rules, f) {
			v.Policies = append(v.Policies, key)
		}
	}
	return v
}

// askedUnder reports whether people are asked for a field under rules: for what
// is handed over if one selects it, for what they erase if one selects any of
// what they hold.
func (t *definedTask) askedUnder(rules []graph.Rule, f *askedField) bool {
	selects := func(key string) bool {
		return slices.ContainsFunc(rules, func(r graph.Rule) bool {
			return r.Action == f.For && slices.ContainsFunc(t.categoriesOf(key), func(c string) bool { return r.Selects(graph.Category(c)) })
		})
	}
	if f.For == graph.Access {
		return selects(f.Key)
	}
	return slices.ContainsFunc(t.Fields, func(other askedField) bool { return selects(other.Key) })
}

func (d *Door) getTaskField(ctx context.Context, in *oneTaskField) (*taskFieldView, error) {
	defs, _, t, err := d.taskNow(ctx, in.Path.Connection)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if at := t.field(in.Path.Field); at >= 0 {
			v := t.view(defs, &t.Fields[at])
			return &v, nil
		}
	}
	return nil, noTaskField(in.Path.Field)
}

func (d *Door) createTaskField(ctx context.Context, in *newTaskFieldInput) (*taskFieldView, error) {
	if err := d.checkNames(in.Body.Categories); err != nil {
		return nil, err
	}
	key := in.Body.key()
	err := d.changeTask(ctx, in.Path.Key, func(defs *dsr.Definitions, t *definedTask, _ bool) error {
		switch {
		case t.field(key) >= 0:
			return refuse(http.StatusBadRequest, "A manual field with key '%s' already exists for connection config with key '%s'.", key, in.Path.Key)
		case len(t.Fields) >= maxTaskFields:
			return refuse(http.StatusBadRequest, "A manual task can have %d fields.", maxTaskFields)
		}
		t.Fields = append(t.Fields, askedField{TaskField: dsr.TaskField{Key: key}})
		change, last := in.Body.change(), len(t.Fields)-1
		t.set(last, change)
		return change.contradictions(in.Body, t.view(defs, &t.Fields[last]))
	})
	if err != nil {
		return nil, err
	}
	return d.getTaskField(ctx, &oneTaskField{taskFieldPath{in.Path.Key, key}})
}

func (d *Door) changeTaskField(ctx context.Context, in *taskFieldInput) (*taskFieldView, error) {
	if err := d.checkNames(in.Body.Categories); err != nil {
		return nil, err
	}
	err := d.changeTask(ctx, in.Path.Connection, func(defs *dsr.Definitions, t *definedTask, _ bool) error {
		at := t.field(in.Path.Field)
		if at < 0 {
			return noTaskField(in.Path.Field)
		}
		was := t.view(defs, &t.Fields[at])
		t.set(at, &in.Body)
		return in.Body.contradictions(in.Body, was, t.view(defs, &t.Fields[at]))
	})
	if err != nil {
		return nil, err
	}
	return d.getTaskField(ctx, &oneTaskField{in.Path})
}

func (d *Door) deleteTaskField(ctx context.Context, in *oneTaskField) (*nothing, error) {
	return nil, d.changeTask(ctx, in.Path.Connection, func(_ *dsr.Definitions, t *definedTask, _ bool) error {
		at := t.field(in.Path.Field)
		if at < 0 {
			return noTaskField(in.Path.Field)
		}
		delete(t.categories, in.Path.Field)
		t.Fields = slices.Delete(t.Fields, at, at+1)
		return nil
	})
}

// set puts into a field what was sent.
func (t *definedTask) set(at int, c *taskFieldChange) {
	f := &t.Fields[at]
	f.Label, f.Help, f.For, f.Type = c.Label, c.Help, graph.Action(c.For), dsr.TaskFieldType(c.Type)
	if c.Type == "attachment" {
		f.Type = dsr.TaskFile
	}
	if delete(t.categories, f.Key); len(c.Categories) == 0 {
		return
	}
	if t.categories == nil {
		t.categories = map[string][]string{}
	}
	t.categories[f.Key] = slices.Compact(slices.Sorted(slices.Values(c.Categories)))
}
