package fides

import (
	"context"
	"errors"

	"github.com/godsr/dsr"
)

// Labels that submissions are kept with.
const (
	labelProperty = "property_id"
	labelConsent  = "consent_request_id"
	labelIdentity = "identity:" // with the kind
)

// sealed says which of what is sealed of a request is shown besides who did
// what, and where it came from.
type sealed struct{ identities, fields bool }

// full shows a request with what is sealed of it.
func (v *viewer) full(r *dsr.Request, o *dsr.Opened, with sealed) *requestView {
	shown := v.view(r)
	if o == nil {
		return shown
	}
	shown.Source, shown.PropertyID = textOf(o.Source), textOf(o.Labels[labelProperty])
	shown.SubmittedBy, shown.Submitter = user(o.Last("received").Actor)
	review := reviewOf(r, o)
	shown.ReviewedBy, shown.Reviewer = user(review.Actor)
	if len(o.Fields) > 0 && review.Action == "approved" {
		shown.FieldsApprovedBy, shown.FieldsApprovedAt = textOf(review.Actor), stampOf(review.Time)
	}
	if !r.FinalizedAt.IsZero() {
		shown.FinalizedBy = textOf(o.Last("finalized").Actor)
	}
	if !r.DeletedAt.IsZero() {
		shown.DeletedBy = textOf(o.Last("deleted").Actor)
	}
	if with.identities {
		shown.Identity = present(viewIdentities(o.Identities, o.Labels))
	}
	if with.fields {
		shown.CustomFields = present(viewFields(o.Fields))
	}
	return shown
}

// reviewOf is the decision on a request that counts: not one from before it was
// submitted again.
func reviewOf(r *dsr.Request, o *dsr.Opened) dsr.Remark {
	m := o.Last("approved", "denied")
	if r.ReviewedAt.IsZero() || m.Time.Before(r.ReviewedAt) {
		return dsr.Remark{}
	}
	return m
}

func user(actor string) (id *string, shown nullable[userView]) {
	if actor == "" {
		return nil, shown
	}
	return &actor, present(userView{actor, actor})
}

// opened is what is sealed of a request of a list: nothing once it was forgotten,
// and nil where it is damaged, which is logged and holds up no other.
func (d *Door) opened(ctx context.Context, req *dsr.Request) (*dsr.Opened, error) {
	o := req.Opened
	if o == nil || o.Err == nil {
		return o, nil
	}
	return d.unopened(ctx, req.ID, o.Err)
}

func (d *Door) unopened(ctx context.Context, id string, err error) (*dsr.Opened, error) {
	switch {
	case errors.Is(err, dsr.ErrShredded):
		return &dsr.Opened{}, nil
	case errors.Is(err, dsr.ErrUnavailable), ctx.Err() != nil:
		return nil, err
	}
	d.options.Logger.ErrorContext(ctx, "fides: what is sealed of a request cannot be opened", "privacy_request", id, "error", err.Error())
	return nil, nil
}

// shown is show for what something was just done to: that is told, also where
// what is sealed cannot be read now.
func (d *Door) shown(ctx context.Context, req *dsr.Request) *requestView {
	v, err := d.show(ctx, req, sealed{})
	if err != nil {
		callOf(ctx).note(err)
		return d.viewer().view(req)
	}
	return v
}

// show shows a request with what is sealed of it, which it reads.
func (d *Door) show(ctx context.Context, req *dsr.Request, with sealed) (*requestView, error) {
	o, err := d.engine.Requests().Open(ctx, req.ID)
	if err != nil {
		if o, err = d.unopened(ctx, req.ID, err); err != nil {
			return nil, err
		}
	}
	return d.viewer().full(req, o, with), nil
}
