package fides

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/godsr/dsr"
)

type listConnectionsInput struct {
	Query struct {
		Search   string   `json:"search" required:"false" maxLength:"1000" doc:"In the key, the name or the description."`
		Disabled *bool    `json:"disabled" required:"false"`
		Test     string   `json:"test_status" required:"false" enum:"passed,failed,untested"`
		System   string   `json:"system_type" required:"false" enum:"data_catalog,database,email,manual,saas,service,system,website"`
		Orphaned *bool    `json:"orphaned_from_system" required:"false" doc:"No connection belongs to a system here."`
		Types    []string `json:"connection_type" required:"false" maxItems:"100" doc:"One of them."`
	}
	Page paging
}

func (d *Door) listConnections(ctx context.Context, in *listConnectionsInput) (*pageOfItems[connectionView], error) {
	q := &in.Query
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	tests, err := d.engine.Catalogue().Tests(ctx, slices.Collect(maps.Values(defs.Connections))...)
	if err != nil {
		return nil, err
	}
	var found []*dsr.ConnectionDefinition
	for _, def := range defs.Connections {
		test, tested := tests[def.Key]
		passed := "untested"
		switch {
		case tested && test.OK:
			passed = "passed"
		case tested:
			passed = "failed"
		}
		contains := func(text string) bool {
			return strings.Contains(strings.ToLower(text), strings.ToLower(q.Search))
		}
		switch {
		case q.Search != "" && !contains(def.Key) && !contains(def.Name) && !contains(def.Description),
			q.Disabled != nil && *q.Disabled != def.Disabled,
			q.Test != "" && q.Test != passed,
			q.System != "" && q.System != d.systemType(def),
			q.Orphaned != nil && !*q.Orphaned,
			len(q.Types) > 0 && !slices.ContainsFunc(q.Types, func(t string) bool { return strings.EqualFold(t, def.Type) }):
			continue
		}
		found = append(found, def)
	}
	slices.SortFunc(found, func(a, b *dsr.ConnectionDefinition) int {
		return cmp.Or(strings.Compare(cmp.Or(a.Name, a.Key), cmp.Or(b.Name, b.Key)), strings.Compare(a.Key, b.Key))
	})
	return pageFrom(found, in.Page, func(def *dsr.ConnectionDefinition) (connectionView, error) {
		v, err := d.viewTested(ctx, def, tests)
		if err != nil {
			return connectionView{}, err
		}
		return *v, nil
	})
}
