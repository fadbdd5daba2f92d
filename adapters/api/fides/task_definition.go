package fides

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// definedTaskRoutes are what people will be asked in the midst of requests: the
// task of a connection, and its fields. A connection has one task.
func (d *Door) definedTaskRoutes() []route {
	const task, fields, field = "/plus/connection/{connection_key}/manual-task", "/plus/connection/{connection_key}/manual-fields",
		"/plus/connection/{connection_key}/manual-field"
	read, write := []string{oauth.ScopeConnectionRead}, []string{oauth.ScopeConnectionCreateOrUpdate}
	takes := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "GET", path: task, scopes: read, errors: takes, tag: tagTasks,
			id: "get_manual_task", summary: "The task of a connection: who is asked, and when", call: typed(d.getTask),
		},
		{
			method: "POST", path: task, scopes: write, errors: takes, status: http.StatusCreated, tag: tagTasks,
			id: "create_manual_task", summary: "Give a connection a task; the first field, user or condition makes it as well", call: typed(d.createTask),
			view: manualTask{}, self: [2]string{"id", "connection_key"},
		},
		{
			method: "PUT", path: task, scopes: write, errors: takes, tag: tagTasks,
			id: "update_manual_task", summary: "Say what a task is about, and what to do", call: typed(d.describeTask),
			view: manualTask{}, self: [2]string{"id", "connection_key"},
		},
		{
			method: "PUT", path: task + "/assign-users", scopes: write, errors: takes, tag: tagTasks,
			id: "assign_users_to_manual_task", summary: "Say who is asked", call: typed(d.assignTask),
		},
		{
			method: "PUT", path: task + "/dependency-conditions", scopes: write, errors: takes, tag: tagTasks,
			id: "update_manual_task_conditions", summary: "Say under which conditions people are asked", call: typed(d.conditionTask),
		},
		{
			method: "GET", path: fields, scopes: read, errors: takes, tag: tagTasks,
			id: "get_connection_manual_fields", summary: "The fields of the task of a connection", call: typed(d.listTaskFields),
		},
		{
			method: "POST", path: field, scopes: write, errors: takes, status: http.StatusCreated, tag: tagTasks,
			id: "create_connection_manual_field", summary: "Ask for something more", call: typed(d.createTaskField),
			view: taskFieldView{},
		},
		{
			method: "GET", path: field + "/{field_id}", scopes: read, errors: takes, tag: tagTasks,
			id: "get_connection_manual_field", summary: "A field of the task of a connection", call: typed(d.getTaskField),
		},
		{
			method: "PUT", path: field + "/{field_id}", scopes: write, errors: takes, tag: tagTasks,
			id: "update_connection_manual_field", summary: "Change what is asked for", call: typed(d.changeTaskField),
			view: taskFieldView{}, self: [2]string{"id", "field_id"},
		},
		{
			method: "DELETE", path: field + "/{field_id}", scopes: []string{oauth.ScopeConnectionDelete}, errors: takes, status: http.StatusNoContent, tag: tagTasks,
			id: "delete_connection_manual_field", summary: "Ask for something no more; without a field nobody is asked", call: typed(d.deleteTaskField),
		},
	}
}

// manualTask is the task of a connection.
type manualTask struct {
	ID           string          `json:"id" doc:"The key of the connection, which has one task."`
	Parent       string          `json:"parent_entity_id" doc:"The same."`
	ParentType   string          `json:"parent_entity_type" enum:"connection_config"`
	Status       string          `json:"status" enum:"pending" doc:"Always pending: what was asked for requests is at /plus/manual-fields."`
	CreatedAt    *stamp          `json:"created_at" doc:"That of the connection, as is updated_at."`
	UpdatedAt    *stamp          `json:"updated_at"`
	Assigned     []assigneeView  `json:"assigned_users" nullable:"false"`
	Conditions   []conditionTree `json:"dependency_conditions" nullable:"false" doc:"None, or the one that has to hold."`
	Title        string          `json:"title"`
	Instructions string          `json:"instructions"`
}

func viewTask(conn *dsr.ConnectionDefinition, t *definedTask) (*manualTask, error) {
	v := &manualTask{
		ID: conn.Key, Parent: conn.Key, ParentType: "connection_config", Status: "pending", CreatedAt: stampOf(conn.CreatedAt), UpdatedAt: stampOf(conn.UpdatedAt),
		Assigned: []assigneeView{}, Conditions: []conditionTree{}, Title: t.Title, Instructions: t.Instructions,
	}
	for _, user := range t.Assignees {
		v.Assigned = append(v.Assigned, assigneeView{ID: user})
	}
	if t.When != nil {
		text, err := t.When.MarshalJSON()
		if err != nil {
			return nil, err
		}
		v.Conditions = append(v.Conditions, text)
	}
	return v, nil
}

// taskConnection is a connection that people answer.
func (d *Door) taskConnection(defs *dsr.Definitions, key string) (*dsr.ConnectionDefinition, error) {
	def, err := connectionIn(defs, key)
	switch {
	case err != nil:
		return nil, err
	case def.Fixed:
		return nil, refuse(http.StatusConflict, "%s", notHere)
	case !d.isTask(def.Type):
		return nil, refuse(http.StatusBadRequest, "Connection '%s' is of type '%s', whose connections have no manual task.", key, def.Type)
	}
	return def, nil
}

func noTask(key string) error {
	return refuse(http.StatusNotFound, "No manual task found for connection config with key '%s'", key)
}

// taskNow is the task of a connection; nil where there is none.
func (d *Door) taskNow(ctx context.Context, key string) (*dsr.Definitions, *dsr.ConnectionDefinition, *definedTask, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	conn, err := d.taskConnection(defs, key)
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := taskOf(conn)
	return defs, conn, t, err
}

// changeTask changes the task of a connection, which it makes where there is
// none, with the dataset that it stands for.
func (d *Door) changeTask(ctx context.Context, key string, edit func(defs *dsr.Definitions, t *definedTask, anew bool) error) error {
	return d.change(ctx, func(defs *dsr.Definitions) error {
		conn, err := d.taskConnection(defs, key)
		if err != nil {
			return err
		}
		t, err := taskOf(conn)
		if err != nil {
			return err
		}
		anew := t == nil
		if anew && len(datasetsOf(defs, key)) > 0 {
			return refuse(http.StatusConflict, "Connection '%s' has datasets already, which no manual task stands for: delete them before it gets one.", key)
		}
		if anew {
			t = &definedTask{}
			t.Title = cmp.Or(conn.Name, key)
		}
		before, err := misfits(key, datasetsWith(defs, key, nil))
		if err != nil {
			return err
		}
		if err := edit(defs, t, anew); err != nil {
			return err
		}
		if err := t.keep(defs, conn); err != nil {
			return err
		}
		after, err := t.misfits(defs, conn)
		if err != nil {
			return err
		}
		return refuseMisfits("The manual task of connection '%s' cannot be changed like this", key, before, after)
	})
}

func (d *Door) getTask(ctx context.Context, in *oneConnection) (*manualTask, error) {
	_, conn, t, err := d.taskNow(ctx, in.Path.Key)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, noTask(in.Path.Key)
	}
	return viewTask(conn, t)
}

// newTask is what people are told of a task.
type newTask struct {
	Title        *string `json:"title" required:"false" minLength:"1" maxLength:"1000" doc:"What it is about, in a few words. Defaults to the name of the connection."`
	Instructions *string `json:"instructions" required:"false" maxLength:"10000" doc:"What to do, and where to look."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told.
func (n *newTask) UnmarshalJSON(text []byte) (err error) {
	type plain newTask
	n.told, err = decodeKeeping(text, (*plain)(n))
	return err
}

// contradictions refuses what the body tells of a task and is not so.
func (n *newTask) contradictions(views ...any) error {
	const task = " at PUT /plus/connection/{connection_key}/manual-task"
	faults, err := n.told.contradictions(n, map[string]string{
		"assigned_users":        "who is asked is said" + task + "/assign-users",
		"dependency_conditions": "when people are asked is said" + task + "/dependency-conditions",
		"status":                "a task is always pending, and its fields are answered at POST /privacy-request/{privacy_request_id}/manual-field/{manual_field_id}/complete",
	}, views...)
	return cmp.Or(err, invalid(faults...))
}

func (n *newTask) faults() []fault {
	if n == nil || n.Title == nil || strings.TrimSpace(*n.Title) != "" {
		return nil
	}
	return []fault{valueFault("it is blank: leave it out for the name of the connection", "body", "title")}
}

type newTaskInput struct {
	Path connectionPath
	Body *newTask
}

func (in *newTaskInput) check() []fault { return in.Body.faults() }

func (d *Door) createTask(ctx context.Context, in *newTaskInput) (*manualTask, error) {
	err := d.changeTask(ctx, in.Path.Key, func(defs *dsr.Definitions, t *definedTask, anew bool) error {
		switch {
		case !anew:
			return refuse(http.StatusBadRequest, "A manual task already exists for connection config with key '%s'.", in.Path.Key)
		case in.Body == nil:
			return nil
		}
		t.Title, t.Instructions = cmp.Or(text(in.Body.Title), t.Title), text(in.Body.Instructions)
		made, err := viewTask(defs.Connections[in.Path.Key], t)
		return cmp.Or(err, in.Body.contradictions(made))
	})
	if err != nil {
		return nil, err
	}
	return d.getTask(ctx, &oneConnection{Path: in.Path})
}

type describeInput struct {
	Path connectionPath
	Body newTask
}

func (in *describeInput) check() []fault { return in.Body.faults() }

func (d *Door) describeTask(ctx context.Context, in *describeInput) (*manualTask, error) {
	err := d.changeTask(ctx, in.Path.Key, func(defs *dsr.Definitions, t *definedTask, _ bool) error {
		conn := defs.Connections[in.Path.Key]
		t.Title = cmp.Or(text(in.Body.Title), conn.Name, in.Path.Key)
		t.Instructions = text(in.Body.Instructions)
		now, err := viewTask(conn, t)
		return cmp.Or(err, in.Body.contradictions(now))
	})
	if err != nil {
		return nil, err
	}
	return d.getTask(ctx, &oneConnection{Path: in.Path})
}

// checkUnasked refuses to delete a connection where people are being asked: the
// requests that wait for them could not go on.
func (d *Door) checkUnasked(ctx context.Context, key string) error {
	defs, err := d.definitions(ctx)
	if err != nil {
		return err
	}
	if d.madeOfTask(defs, key) == "" {
		return nil
	}
	var waiting []string
	for t, err := range d.engine.Tasks().Open(ctx, dsr.TaskFilter{}) {
		if err != nil {
			return err
		}
		if t.Collection.Dataset == key && !slices.Contains(waiting, t.RequestID) {
			waiting = append(waiting, t.RequestID)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	const shown = 5
	more := ""
	if len(waiting) > shown {
		more = fmt.Sprintf(" and %d more", len(waiting)-shown)
	}
	return refuse(http.StatusConflict, "Connection '%s' cannot be deleted, since people are asked there for these requests: %s%s. Have them answered or skipped first, or cancel the requests, which cannot be done once their erasure has begun. Disabled, it is asked for no new requests, and can be deleted when these have gone on.",
		key, strings.Join(waiting[:min(shown, len(waiting))], ", "), more)
}
