package fides

import (
	"context"
	"errors"
	"net/http"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

type listInput struct {
	Query filters
	Page  paging
}

type searchInput struct {
	Page paging
	Body *filters
}

// requestList is a page of requests, or all of them as CSV.
type requestList = pageOfItems[requestView]

func (d *Door) listRequests(ctx context.Context, in *listInput) (*listAnswer, error) {
	return d.list(ctx, &in.Query, in.Page)
}

func (d *Door) searchRequests(ctx context.Context, in *searchInput) (*listAnswer, error) {
	if in.Body == nil {
		in.Body = &filters{}
	}
	return d.list(ctx, in.Body, in.Page)
}

func (d *Door) list(ctx context.Context, f *filters, p paging) (*listAnswer, error) {
	s, err := d.selection(ctx, f)
	if err != nil {
		return nil, err
	}
	if is(f.CSV) {
		return d.table(ctx, s)
	}
	found, total, err := d.page(ctx, s, p)
	if err != nil {
		return nil, unlisted(err)
	}
	items, v := make([]requestView, 0, len(found)), d.viewer()
	for _, req := range found {
		o, err := d.opened(ctx, req)
		if err != nil {
			return nil, err
		}
		item := v.full(req, o, sealed{is(f.WithIdentities), is(f.WithFields)})
		if req.Status == dsr.StatusRequiresFinalization {
			whole, err := d.engine.Requests().Get(ctx, req.ID)
			if err == nil && whole.Status == req.Status {
				item.ActionRequired = unconfirmed(whole)
			} else if err != nil && !errors.Is(err, dsr.ErrNotFound) { // removed in this moment
				return nil, err
			}
		}
		if is(f.Verbose) {
			if err := d.verbose(ctx, item, req, o); err != nil {
				return nil, err
			}
		}
		items = append(items, *item)
	}
	return &listAnswer{page: newPage(items, total, p)}, nil
}

// unlisted tells what the engine does not take as a filter.
func unlisted(err error) error {
	var faults *graph.FaultError
	if errors.As(err, &faults) {
		return refuse(http.StatusUnprocessableEntity, "%s", faultText(faults))
	}
	return err
}

// page returns the requests of a page with what is sealed of them, and how many
// there are on all.
func (d *Door) page(ctx context.Context, s *selected, p paging) (found []*dsr.Request, total int64, err error) {
	s.Open = true
	switch {
	case s.none:
		return nil, 0, nil
	case s.match == nil:
		s.Page, s.Size, s.Total = p.Page, p.Size, true
		page, err := d.engine.Requests().List(ctx, s.Filter)
		if err != nil {
			return nil, 0, err
		}
		return page.Requests, page.Total, nil
	}
	for req, err := range d.engine.Requests().All(ctx, s.Filter) {
		if err != nil {
			return nil, 0, err
		}
		if !s.match(req) {
			continue
		}
		if total++; total > int64(p.Page-1)*int64(p.Size) && len(found) < p.Size {
			found = append(found, req)
		}
	}
	return found, total, nil
}
