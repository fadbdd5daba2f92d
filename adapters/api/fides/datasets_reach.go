package fides

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// traversal says whether requests can go through a dataset.
type traversal struct {
	OK  bool    `json:"is_traversable"`
	Msg *string `json:"msg"`
}

// validation is what is found out about a dataset.
type validation struct {
	Dataset   datasetObject    `json:"dataset"`
	Traversal traversal        `json:"traversal_details"`
	Warnings  []datasetWarning `json:"warnings" nullable:"false"`
}

type validateDatasetInput struct {
	Path connectionPath
	Body datasetObject
}

func (in *validateDatasetInput) check() []fault { return in.Body.check("body") }

// validateDataset checks a dataset beside those that there are, and keeps
// nothing.
func (d *Door) validateDataset(ctx context.Context, in *validateDatasetInput) (*validation, error) {
	defs, conn, err := d.connectionNow(ctx, in.Path.Key)
	if err != nil {
		return nil, err
	}
	dataset, found, err := in.Body.load()
	if err != nil {
		return nil, datasetFailure(err)
	}
	answer := &validation{Dataset: in.Body, Warnings: []datasetWarning{}}
	for _, w := range found.Warnings() {
		answer.Warnings = append(answer.Warnings, datasetWarning{Action: "ignored", Message: w.Text()})
	}
	unreached, err := unreachedIn(datasetsWith(defs, conn.Key, dataset), dataset.Key)
	switch {
	case err != nil:
		answer.Traversal.Msg = textOf(faultsText(err))
	case len(unreached) > 0:
		answer.Traversal.Msg = textOf("Some nodes were not reachable: " + strings.Join(unreached, ", "))
	default:
		answer.Traversal.OK = true
	}
	return answer, nil
}

// datasetsWith are the datasets that take part in requests, and those of one
// connection, disabled or not; one of them may be another.
func datasetsWith(defs *dsr.Definitions, connection string, instead *graph.Dataset) (list []*graph.Dataset) {
	for _, key := range slices.Sorted(maps.Keys(defs.Datasets)) {
		def := defs.Datasets[key]
		conn := defs.Connections[def.Connection]
		switch {
		case def.Dataset == nil || instead != nil && key == instead.Key:
		case def.Connection == connection || def.Fixed || conn != nil && !conn.Disabled:
			list = append(list, def.Dataset)
		}
	}
	if instead != nil {
		list = append(list, instead)
	}
	return list
}

// unreachedIn names the collections of a dataset that no identity leads to. Its
// error says why datasets do not fit together.
func unreachedIn(datasets []*graph.Dataset, key string) ([]string, error) {
	m, err := graph.NewDataMap(datasets...)
	if err != nil {
		return nil, err
	}
	plan, err := emptyPlan(m)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, skip := range plan.Skipped {
		c, ok := m.Collection(skip.Address)
		if ok && skip.Address.Dataset == key && !c.SkipProcessing && !asksCustomField(c) {
			names = append(names, skip.Address.String())
		}
	}
	return names, nil
}

// emptyPlan is a plan for all identities that there are, and for data that
// there is nowhere: it skips nothing but what cannot be reached.
func emptyPlan(m *graph.DataMap) (*graph.Plan, error) {
	const nowhere = "is_nowhere"
	taxonomy, err := graph.DefaultTaxonomy().With(nowhere)
	if err != nil {
		return nil, err
	}
	policy := &graph.Policy{
		Key: nowhere, AllowEmptyTargets: true,
		Rules: []graph.Rule{{Key: nowhere, Action: graph.Access, Targets: []graph.Category{nowhere}}},
	}
	kinds := m.IdentityKinds()
	if len(kinds) == 0 && m.TakesAnyIdentity() {
		kinds = []string{graph.AnyIdentity}
	}
	return graph.NewPlan(m, policy, kinds, &graph.PlanOptions{Taxonomy: taxonomy})
}

func asksCustomField(c *graph.Collection) bool {
	for _, f := range c.All() {
		if f.CustomRequestField != "" {
			return true
		}
	}
	return false
}

// inputsView are identities and fields of other datasets, each with null.
type inputsView map[string]*string

func noDatasetConfig(key string) error {
	return refuse(http.StatusNotFound, "No dataset config with fides_key '%s'", key)
}

func (d *Door) datasetInputs(ctx context.Context, in *oneDataset) (*inputsView, error) {
	_, def, err := d.datasetNow(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	if def == nil {
		return nil, noDatasetConfig(in.Path.Key)
	}
	inputs := inputsView{}
	if def.Dataset == nil {
		return &inputs, nil
	}
	for _, c := range def.Dataset.Collections {
		for _, f := range c.All() {
			if f.Identity != "" {
				inputs[f.Identity] = nil
			}
			for _, ref := range f.References {
				if ref.Dataset != def.Key && ref.Direction == graph.From {
					inputs[ref.Dataset+"."+ref.Field] = nil
				}
			}
		}
	}
	return &inputs, nil
}

// reachability says whether identities lead to a dataset.
type reachability struct {
	Reachable bool    `json:"reachable"`
	Details   *string `json:"details"`
}

type reachabilityInput struct {
	Path  datasetPath
	Query struct {
		Policy *string `json:"policy_key" required:"false" maxLength:"1000" doc:"Only what it is about has to be reached."`
	}
}

func (d *Door) datasetReachability(ctx context.Context, in *reachabilityInput) (*reachability, error) {
	defs, def, err := d.datasetNow(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	if def == nil {
		return nil, noDatasetConfig(in.Path.Key)
	}
	if def.Dataset == nil {
		return &reachability{Details: textOf("The dataset cannot be read.")}, nil
	}
	if in.Query.Policy != nil {
		return d.reachabilityUnder(defs, def, *in.Query.Policy)
	}
	unreached, err := unreachedIn(datasetsWith(defs, def.Connection, nil), def.Key)
	return reachabilityOf(unreached, err), nil
}

// reachabilityUnder asks for a policy.
func (d *Door) reachabilityUnder(defs *dsr.Definitions, def *dsr.DatasetDefinition, key string) (*reachability, error) {
	policy := defs.Policies[key]
	if policy == nil {
		return nil, refuse(http.StatusNotFound, `Policy with key "%s" not found`, key)
	}
	list := datasetsWith(defs, def.Connection, nil)
	unreached, err := unreachedIn(list, def.Key)
	if err != nil {
		return reachabilityOf(nil, err), nil
	}
	asked := func(c *graph.Collection) bool {
		for _, f := range c.All() {
			for i := range policy.Rules {
				if slices.ContainsFunc(f.Categories, policy.Rules[i].Selects) {
					return true
				}
			}
		}
		return slices.ContainsFunc(policy.Rules, func(r graph.Rule) bool { return slices.ContainsFunc(c.Categories, r.Selects) })
	}
	for _, c := range def.Dataset.Collections {
		if !asked(c) {
			name := (graph.Address{Dataset: def.Key, Collection: c.Name}).String()
			unreached = slices.DeleteFunc(unreached, func(u string) bool { return u == name })
		}
	}
	return reachabilityOf(unreached, nil), nil
}

func reachabilityOf(unreached []string, err error) *reachability {
	switch {
	case err != nil:
		return &reachability{Details: textOf(faultsText(err))}
	case len(unreached) > 0:
		return &reachability{Details: textOf(`The following collections are not reachable "` + strings.Join(unreached, ", ") + `"`)}
	}
	return &reachability{Reachable: true}
}
