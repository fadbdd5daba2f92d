package fides

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/godsr/dsr"
)

// selection chooses requests: a list of IDs, or an object.
type selection struct{ chosen }

// chosen is a selection as an object.
type chosen struct {
	RequestIDs []string          `json:"request_ids" required:"false" maxItems:"10000"`
	Filters    nullable[filters] `json:"filters" required:"false" doc:"Those that these select. Filters that every request may match are refused: request_id must be the whole ID of one, fuzzy_search_str alone is not enough, and neither are all statuses or actions. Times are taken at their word."`
	ExcludeIDs []string          `json:"exclude_ids" required:"false" maxItems:"10000" doc:"Of those that the filters select; an ID that no request has is refused."`
	Reason     *string           `json:"reason" required:"false" maxLength:"32000" doc:"A denial needs one."`
}

// Schema implements [huma.SchemaProvider].
func (selection) Schema(r huma.Registry) *huma.Schema {
	most := maxSelect
	list := &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: &huma.Schema{Type: huma.TypeString}}
	return &huma.Schema{AnyOf: []*huma.Schema{list, r.Schema(reflect.TypeFor[chosen](), true, "")}}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (s *selection) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, &s.RequestIDs)
	}
	return json.Unmarshal(text, &s.chosen)
}

type bulkInput struct{ Body selection }

func (in *bulkInput) check() []fault {
	b := &in.Body
	if len(b.RequestIDs) == 0 && b.Filters.value == nil {
		return []fault{valueFault("At least one of 'request_ids' or 'filters' must be provided.", "body")}
	}
	if len(b.RequestIDs) > 0 && (b.Filters.value != nil || len(b.ExcludeIDs) > 0) {
		return []fault{valueFault("Either 'request_ids' or 'filters' with 'exclude_ids' can be provided.", "body")}
	}
	return nil
}

// all is the handler of a verb for many requests.
func (d *Door) all(v func() verb) endpoint {
	return typed(func(ctx context.Context, in *bulkInput) (*bulk[requestView], error) {
		return d.allOf(ctx, v(), &in.Body)
	})
}

// retryInput says whether to take the configuration of now.
type retryInput struct {
	Replan *bool `json:"replan" required:"false" doc:"Begin anew with the configuration of now. Not in Fides."`
}

type bulkRetryInput struct {
	Query retryInput
	Body  selection
}

func (in *bulkRetryInput) check() []fault { return (&bulkInput{in.Body}).check() }

// retryAll lets many requests go on.
func (d *Door) retryAll(ctx context.Context, in *bulkRetryInput) (*bulk[requestView], error) {
	return d.allOf(ctx, retry(is(in.Query.Replan)), &in.Body)
}

// allOf does it to all requests of a selection, and shows them.
func (d *Door) allOf(ctx context.Context, v verb, b *selection) (*bulk[requestView], error) {
	s, err := d.choose(ctx, b)
	if err != nil {
		return nil, err
	}
	return applyAll(ctx, d, v, s, text(b.Reason), func(ctx context.Context, req *dsr.Request) (*requestView, error) {
		return d.shown(ctx, req), nil
	})
}

// choose makes a selection of the engine.
func (d *Door) choose(ctx context.Context, b *selection) (*dsr.Selection, error) {
	if b.Filters.value == nil {
		return &dsr.Selection{IDs: b.RequestIDs}, nil
	}
	f := b.Filters.value
	s, err := d.selection(ctx, f)
	if err != nil {
		return nil, err
	}
	if f.RequestID != nil && f.ID == nil && s.match == nil {
		return nil, invalid(valueFault("No request has this ID. In bulk calls it must be the whole ID of one, since all may hold a part of it.", "body", "filters", "request_id"))
	}
	switch {
	case s.none:
		return &dsr.Selection{}, nil
	case s.match == nil:
		return &dsr.Selection{Filter: &s.Filter, Except: b.ExcludeIDs}, nil
	}
	ids := []string{}
	for req, err := range d.engine.Requests().All(ctx, s.Filter) {
		if err != nil {
			return nil, unlisted(err)
		}
		if s.match(req) {
			ids = append(ids, req.ID)
		}
	}
	if len(ids) == 0 {
		return &dsr.Selection{}, nil
	}
	return &dsr.Selection{IDs: ids, Except: b.ExcludeIDs}, nil
}

// unselected tells why the engine makes no selection of filters.
func unselected(err error) error {
	switch {
	case errors.Is(err, dsr.ErrLimit):
		return refuse(http.StatusUnprocessableEntity, "The filters select more than %d requests. Narrow them, and go on in parts.", maxSelect)
	case errors.Is(err, dsr.ErrEmptyQuery):
		return invalid(valueFault("The filters may select every request; say which, with more than fuzzy_search_str.", "body", "filters"))
	case errors.Is(err, dsr.ErrNotFound):
		return invalid(valueFault("It would leave nothing out: "+strings.TrimPrefix(err.Error(), "dsr: not found: ")+".", "body", "exclude_ids"))
	}
	return unlisted(err)
}

// removeAll hides many requests.
func (d *Door) removeAll(ctx context.Context, in *bulkInput) (*bulk[string], error) {
	s, err := d.choose(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	return applyAll(ctx, d, remove(), s, "", func(_ context.Context, req *dsr.Request) (*string, error) { return &req.ID, nil })
}
