package fides

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// taskCollection is the collection of what people answer, by which packages
// call it: {connection_key}:manual_data.
const taskCollection = "manual_data"

// definedTask is what people are asked at a connection, as the options of its
// type have it, see adapters/manualtask.
type definedTask struct {
	Title        string            `json:"title,omitempty"`
	Instructions string            `json:"instructions,omitempty"`
	Fields       []askedField      `json:"fields,omitempty"`
	Assignees    []string          `json:"assignees,omitempty"`
	Due          string            `json:"due,omitempty"`    // the host's
	Remind       string            `json:"remind,omitempty"` // the host's
	When         *manual.Condition `json:"when,omitempty"`

	// categories are those of fields that have some of their own. They are in
	// the dataset, and kept with the connection.
	categories map[string][]string
}

// askedField is a field of a task.
type askedField struct {
	dsr.TaskField
	For graph.Action `json:"request_type"`
}

// taskExtra is what is kept with the connection.
const taskExtra = "data_categories"

type taskOptions struct {
	Collections map[string]*definedTask `json:"collections"`
}

// taskOf reads the task of a connection; nil where there is none.
func taskOf(conn *dsr.ConnectionDefinition) (*definedTask, error) {
	if len(conn.Options) == 0 {
		return nil, nil
	}
	var o taskOptions
	err := unmarshalNumbers(conn.Options, &o)
	t := o.Collections[taskCollection]
	if err != nil || t == nil || len(o.Collections) > 1 {
		return nil, refuse(http.StatusConflict, "The manual task of connection '%s' was defined in another way, by the host's code: change it there.", conn.Key)
	}
	extra, err := extraOf(&conn.Defined)
	if err != nil {
		return nil, err
	}
	if extra[taskExtra] != nil {
		if err := json.Unmarshal(extra[taskExtra], &t.categories); err != nil {
			return nil, fmt.Errorf("fides: read the data categories of connection %q: %w", conn.Key, err)
		}
	}
	return t, nil
}

// keep puts the task into the catalogue, with the dataset that it stands for: a
// task without fields has none.
func (t *definedTask) keep(defs *dsr.Definitions, conn *dsr.ConnectionDefinition) (err error) {
	if conn.Options, err = json.Marshal(taskOptions{map[string]*definedTask{taskCollection: t}}); err != nil {
		return fmt.Errorf("fides: encode the task of connection %q: %w", conn.Key, err)
	}
	if err := keepExtra(&conn.Defined, map[string]any{taskExtra: t.categories}); err != nil {
		return err
	}
	def := defs.Datasets[conn.Key]
	switch {
	case def != nil && (def.Fixed || def.Connection != conn.Key):
		return refuse(http.StatusConflict, "There is another dataset '%s', of connection '%s', which has the name of that of the manual task.", conn.Key, def.Connection)
	case len(t.Fields) == 0:
		delete(defs.Datasets, conn.Key)
		return nil
	case def == nil:
		def = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: conn.Key}, Connection: conn.Key}
		defs.Datasets[conn.Key] = def
	}
	def.Name = conn.Name
	source, err := t.dataset(conn.Key, conn.Name)
	def.Source = datasetObject(source).source()
	return err
}

// misfits are those of datasets with that of the task as it is kept now, which
// is not read yet.
func (t *definedTask) misfits(defs *dsr.Definitions, conn *dsr.ConnectionDefinition) ([]string, error) {
	if len(t.Fields) == 0 {
		return misfits(conn.Key, datasetsWith(defs, conn.Key, nil))
	}
	source, err := t.dataset(conn.Key, conn.Name)
	if err != nil {
		return nil, err
	}
	dataset, _, err := datasetObject(source).load()
	if err != nil {
		return nil, err
	}
	return misfits(conn.Key, datasetsWith(defs, conn.Key, dataset))
}

// misfits are why datasets, with that of a task, do not fit together: no request
// could be carried out.
func misfits(task string, datasets []*graph.Dataset) ([]string, error) {
	m, err := graph.NewDataMap(datasets...)
	var plan *graph.Plan
	if err == nil {
		plan, err = emptyPlan(m)
	}
	var wrong *graph.FaultError
	switch {
	case errors.As(err, &wrong):
	case err != nil:
		return nil, err
	default:
		if step, ok := plan.Step(graph.Address{Dataset: task, Collection: taskCollection}); ok && step.Cycle != 0 {
			return []string{"what people answer cannot be part of a cycle of references"}, nil
		}
		return nil, nil
	}
	var list []string
	for i := range wrong.Faults {
		list = append(list, faultText(&graph.FaultError{Faults: wrong.Faults[i : i+1]}))
	}
	return list, nil
}

// refuseMisfits refuses a change after which datasets do not fit together for a
// reason that was not there before.
func refuseMisfits(what, key string, before, after []string) error {
	fresh := slices.DeleteFunc(after, func(why string) bool { return slices.Contains(before, why) })
	if len(fresh) == 0 {
		return nil
	}
	return refuse(http.StatusConflict, what+", since no request could be carried out any more: %s", key, strings.Join(fresh, "; "))
}

// renameTask gives the dataset of a task the name of its connection. What the
// host's code defined otherwise stays as it is.
func (d *Door) renameTask(defs *dsr.Definitions, conn *dsr.ConnectionDefinition) error {
	of := defs.Datasets[conn.Key]
	if !d.isTask(conn.Type) || of == nil || of.Fixed || of.Connection != conn.Key || of.Name == conn.Name {
		return nil
	}
	t, err := taskOf(conn)
	if err != nil || t == nil {
		return nil //nolint:nilerr // it is the host's
	}
	return t.keep(defs, conn)
}

// field returns the position of a field by its key; -1 for none.
func (t *definedTask) field(key string) int {
	return slices.IndexFunc(t.Fields, func(f askedField) bool { return f.Key == key })
}

// categoriesOf are the data categories of a field.
func (t *definedTask) categoriesOf(key string) []string {
	if own := t.categories[key]; len(own) > 0 {
		return own
	}
	return []string{"user"}
}

// looksAt are the fields of datasets that the conditions look at.
func (t *definedTask) looksAt() (addresses []string) {
	if t.When == nil {
		return nil
	}
	return slices.DeleteFunc(t.When.Addresses(), isRequestField)
}

func isRequestField(address string) bool { return strings.HasPrefix(address, "privacy_request.") }

// fieldOfDataset reads dataset:collection:field, and how references write it.
func fieldOfDataset(address string) (of graph.FieldAddress, reference string, ok bool) {
	parts := strings.Split(address, ":")
	if len(parts) != 3 || slices.Contains(parts, "") || strings.Contains(parts[1], ".") {
		return of, "", false
	}
	of.Dataset, of.Collection, of.Path = parts[0], parts[1], strings.Split(parts[2], ".")
	return of, parts[1] + "." + parts[2], true
}

func hasField(ds *graph.Dataset, of graph.FieldAddress) bool {
	at := slices.IndexFunc(ds.Collections, func(c *graph.Collection) bool { return c.Name == of.Collection })
	if at < 0 {
		return false
	}
	f, ok := ds.Collections[at].Field(of.Path)
	return ok && len(f.Fields) == 0
}

// dataset is what the task is in the data map. Whoever a request is about leads
// to it, by whatever identity, so that people are asked in every request whose
// policy selects what they answer. What conditions look at is collected before.
func (t *definedTask) dataset(key, name string) ([]byte, error) {
	type object = map[string]any
	taken := map[string]bool{}
	for _, f := range t.Fields {
		taken[f.Key] = true
	}
	free := func(name string) string { // what is entered has its names; these are ours
		for taken[name] {
			name += "_"
		}
		taken[name] = true
		return name
	}
	fields := []object{{"name": free("identity"), "description": "Whoever the request is about.", "fides_meta": object{"identity": graph.AnyIdentity}}}
	for _, address := range t.looksAt() {
		of, reference, _ := fieldOfDataset(address)
		fields = append(fields, object{
			"name":       free(strings.NewReplacer(":", "_", ".", "_").Replace(address)),
			"fides_meta": object{"references": []object{{"dataset": of.Dataset, "field": reference, "direction": "from"}}},
		})
	}
	for _, f := range t.Fields {
		fields = append(fields, object{
			"name": f.Key, "description": f.Label, "data_categories": t.categoriesOf(f.Key),
			// People erase it, whatever rules would make of a column.
			"fides_meta": object{"masking_strategy_override": object{"strategy": "null_rewrite"}},
		})
	}
	source, err := json.Marshal(object{
		"fides_key": key, "name": name, "description": "What people answer. It follows from the manual task of the connection.",
		"collections": []object{{"name": taskCollection, "fields": fields}},
	})
	if err != nil {
		return nil, fmt.Errorf("fides: encode the dataset of connection %q: %w", key, err)
	}
	return source, nil
}

// isTask reports whether connections of a type have a manual task: a type of
// the host's own that takes no options has none, whatever it is called.
func (d *Door) isTask(of string) bool {
	return slices.Contains(d.options.TaskTypes, of) && d.engine.Catalogue().ConnectionTypes()[of].CheckOptions != nil
}

// madeOfTask is why a dataset cannot be changed otherwise; empty for one that can.
func (d *Door) madeOfTask(defs *dsr.Definitions, connection string) string {
	if conn := defs.Connections[connection]; conn == nil || conn.Fixed || !d.isTask(conn.Type) || len(conn.Options) == 0 {
		return ""
	}
	return fmt.Sprintf("The dataset of connection '%s' follows from its manual task: change that at /plus/connection/%s/manual-field.", connection, connection)
}
