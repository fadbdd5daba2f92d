package fides

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// logLine is a line of the execution log, or of what was decided.
type logLine struct {
	ConnectionKey  *string        `json:"connection_key"`
	DatasetName    *string        `json:"dataset_name"`
	CollectionName *string        `json:"collection_name"`
	Fields         []touchedField `json:"fields_affected" nullable:"false"`
	Message        *string        `json:"message"`
	ActionType     *string        `json:"action_type"`
	Status         string         `json:"status"`
	UpdatedAt      *stamp         `json:"updated_at"`
	UserID         *string        `json:"user_id"`
	SaasVersion    *string        `json:"saas_version"`
}

type touchedField struct {
	Path       string   `json:"path"`
	Name       string   `json:"field_name"`
	Categories []string `json:"data_categories" nullable:"false"`
}

type logInput struct {
	Path requestPath
	Page paging
}

func (d *Door) getLog(ctx context.Context, in *logInput) (*pageOfItems[logLine], error) {
	req, err := d.engine.Requests().Get(ctx, in.Path.ID)
	if err != nil {
		return nil, requestFailure(in.Path.ID, err)
	}
	events, err := d.engine.Requests().Log(ctx, req.ID, 0, 0)
	if err != nil {
		return nil, requestFailure(req.ID, err)
	}
	var lines []logLine
	for i := range events {
		if l := lineOf(&events[i]); l.executed() {
			if l.ActionType == nil && len(req.Actions) > 0 { // Fides' lines have one always
				l.ActionType = textOf(string(req.Actions[0]))
			}
			lines = append(lines, l)
		}
	}
	return cutPage(lines, in.Page), nil
}

// executed reports whether a line is one of Fides' execution log: of a collection,
// or of a failure of the whole request.
func (l *logLine) executed() bool {
	return l.CollectionName != nil || l.Status == statusError || l.Status == statusRetrying
}

func lineOf(e *dsr.Event) logLine {
	dataset, collection, ok := strings.Cut(e.Collection, ":")
	if !ok { // what Fides shows as a dataset of its own
		dataset, collection = "Request "+e.Kind, e.Collection
	}
	l := logLine{
		ConnectionKey: textOf(e.Connection), DatasetName: textOf(dataset), CollectionName: textOf(collection), Fields: []touchedField{},
		Message: textOf(e.Message), ActionType: textOf(string(e.Action)), Status: cmp.Or(e.Status, "complete"), UpdatedAt: stampOf(e.Time),
	}
	for _, f := range e.Fields {
		t := touchedField{Path: e.Collection + ":" + f.Path, Name: f.Path, Categories: []string{}}
		for _, c := range f.Categories {
			t.Categories = append(t.Categories, string(c))
		}
		l.Fields = append(l.Fields, t)
	}
	return l
}

// taskView is one collection of a request's plan.
type taskView struct {
	ID         string   `json:"id"`
	Address    string   `json:"collection_address"`
	CreatedAt  *stamp   `json:"created_at"`
	UpdatedAt  *stamp   `json:"updated_at"`
	Upstream   []string `json:"upstream_tasks" nullable:"false"`
	Downstream []string `json:"downstream_tasks" nullable:"false"`
	Action     string   `json:"action_type"`
	Status     string   `json:"status"`
}

// getTasks shows the collections of a request by the plan that it is worked on
// with: all are read, and those of erasure policies erased as well.
func (d *Door) getTasks(ctx context.Context, in *oneRequest) (*[]taskView, error) {
	req, err := d.engine.Requests().Get(ctx, in.Path.ID)
	if err != nil {
		return nil, requestFailure(in.Path.ID, err)
	}
	up, down, planned, err := d.neighbours(ctx, req)
	if err != nil {
		return nil, err
	}
	outcomes := map[string]*dsr.CollectionOutcome{}
	for i := range req.Collections {
		address := req.Collections[i].Address.String()
		outcomes[address] = &req.Collections[i]
		if !slices.Contains(planned, address) {
			planned = append(planned, address)
		}
	}
	actions := []graph.Action{graph.Access}
	if slices.Contains(req.Actions, graph.Erasure) {
		actions = append(actions, graph.Erasure)
	}
	tasks := []taskView{}
	for _, a := range actions {
		for _, address := range planned {
			tasks = append(tasks, taskView{
				ID: req.ID + ":" + string(a) + ":" + address, Address: address, CreatedAt: stampOf(req.CreatedAt), UpdatedAt: stampOf(req.UpdatedAt),
				Upstream: listOf(up[address]), Downstream: listOf(down[address]), Action: string(a), Status: taskStatus(req, a, outcomes[address]),
			})
		}
	}
	return &tasks, nil
}

// neighbours tells what stands before and behind each collection. A request that
// was forgotten, or whose policy is gone, before it was planned has none.
func (d *Door) neighbours(ctx context.Context, req *dsr.Request) (up, down map[string][]string, planned []string, _ error) {
	up, down = map[string][]string{}, map[string][]string{}
	plan, err := d.engine.Requests().Plan(ctx, req.ID)
	var faults *graph.FaultError
	switch {
	case errors.Is(err, dsr.ErrShredded), errors.Is(err, dsr.ErrNotFound), errors.As(err, &faults):
		return up, down, nil, nil
	case err != nil:
		return nil, nil, nil, err
	}
	for _, s := range plan.Steps {
		address := s.Address().String()
		planned = append(planned, address)
		for _, before := range s.Upstream {
			up[address] = append(up[address], before.String())
			down[before.String()] = append(down[before.String()], address)
		}
	}
	return up, down, planned, nil
}

// taskStatus is Fides' word for what became of a collection.
func taskStatus(req *dsr.Request, a graph.Action, c *dsr.CollectionOutcome) string {
	erasing := req.Stage == dsr.StageErase || req.Stage == dsr.StageFinish || req.Stage == dsr.StageDone
	switch {
	case c == nil || a == graph.Erasure && !erasing:
		return "pending"
	case c.State == graph.Skipped:
		return "skipped"
	case c.State == graph.Failed && (a == graph.Erasure || !erasing):
		return "error"
	case a == graph.Erasure && slices.Contains(req.Awaits, "task:erasure/"+c.Address.String()):
		return "pending"
	case c.State == graph.Done && a == graph.Erasure && c.Masked+c.Gone < c.Targeted:
		if req.Stage != dsr.StageErase { // people did not say that they erased it
			return "skipped"
		}
		return "in_processing"
	case c.State == graph.Done, c.State == graph.Failed:
		return "complete"
	}
	return "pending"
}
