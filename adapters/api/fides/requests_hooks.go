package fides

import (
	"context"
	"errors"
	"net/http"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

type resumeInput struct {
	Path requestPath
	Body struct {
		Derived nullable[identity] `json:"derived_identity" required:"false" doc:"What else is known of the data subject: 1000 values at most."`
	}
}

func (in *resumeInput) check() []fault {
	if in.Body.Derived.value == nil {
		return nil
	}
	return in.Body.Derived.value.derived("body", "derived_identity")
}

// resumeRequest lets a request go on that a hook halted.
func (d *Door) resumeRequest(ctx context.Context, in *resumeInput) (*requestView, error) {
	ids := dsr.Identities{}
	if in.Body.Derived.value != nil {
		ids = joined(*in.Body.Derived.value)
	}
	req, err := d.engine.Requests().ResumeWith(ctx, in.Path.ID, bearerOf(ctx), ids)
	return d.hooked(ctx, in.Path.ID, req, err, "Invalid resume request: privacy request '%s' status = %s.")
}

type preApproveInput struct {
	Path requestPath
	Body *emptyBody
}

// emptyBody is an object without keys: who sends some expects something of them.
type emptyBody struct{}

// preApprove answers a pre-approval hook.
func (d *Door) preApprove(eligible bool) endpoint {
	return typed(func(ctx context.Context, in *preApproveInput) (*nothing, error) {
		req, err := d.engine.Requests().PreApproveWith(ctx, in.Path.ID, bearerOf(ctx), eligible)
		var refused *dsr.RefusedError
		if errors.As(err, &refused) && errors.Is(err, dsr.ErrConflict) && refused.Status == dsr.StatusAwaitingPreApproval {
			return nil, refuse(http.StatusBadRequest, "This webhook has answered already: the first answer counts. Privacy request '%s' waits for the other pre-approval webhooks.", in.Path.ID)
		}
		_, err = d.hooked(ctx, in.Path.ID, req, err, "Invalid privacy request status for pre-approval: privacy request '%s' status = %s.")
		return nil, err
	})
}

// hooked is the answer to a hook.
func (d *Door) hooked(ctx context.Context, id string, req *dsr.Request, err error, refusal string) (*requestView, error) {
	var faults *graph.FaultError
	switch {
	case errors.As(err, &faults):
		return nil, invalid(valueFault("An identity is of a kind that nobody knows, or has no value that can be looked for", "body", "derived_identity"))
	case req != nil:
		callOf(ctx).note(err)
		return d.viewer().view(req), nil
	case errors.Is(err, dsr.ErrConflict):
		before, err := d.request(ctx, id)
		if err != nil {
			return nil, err
		}
		return nil, refuse(http.StatusBadRequest, refusal, id, before.Status)
	}
	return nil, requestFailure(id, err)
}
