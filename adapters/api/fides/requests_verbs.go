package fides

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/godsr/dsr"
)

type verifyInput struct {
	Path requestPath
	Body struct {
		Code string `json:"code" maxLength:"100" doc:"The six digits that were sent."`
	}
}

// verifyRequest takes the code that the data subject was sent.
func (d *Door) verifyRequest(ctx context.Context, in *verifyInput) (*requestView, error) {
	id := in.Path.ID
	before, err := d.request(ctx, id)
	if err != nil {
		return nil, err
	}
	req, err := d.engine.Requests().Verify(ctx, id, in.Body.Code)
	switch {
	case req != nil: // it is done; what comes after it is done by the engine
		callOf(ctx).note(err)
		return d.viewer().view(req), nil // whoever has the code sees nothing of what is sealed
	case errors.Is(err, dsr.ErrWrongCode):
		return nil, refuse(http.StatusForbidden, "Incorrect identification code for '%s'", id)
	case errors.Is(err, dsr.ErrTooManyAttempts):
		return nil, refuse(http.StatusForbidden, "Attempt limit hit for '%s'", id)
	case errors.Is(err, dsr.ErrCodeExpired):
		return nil, refuse(http.StatusBadRequest, "Identification code expired for %s.", id)
	case errors.Is(err, dsr.ErrConflict):
		return nil, refuse(http.StatusBadRequest, "Invalid identity verification request. Privacy request '%s' status = %s.", id, before.Status)
	}
	return nil, requestFailure(id, err)
}

// verb is something that is done to one request, and what is said when its
// status does not allow it.
type verb struct {
	do      func(*dsr.Requests) dsr.Verb
	status  int
	refusal func(req *dsr.Request, err error) string
	// deleted is what is said of one that was deleted.
	deleted func(id string) string
}

func deletedText(id string) string { return "Privacy request '" + id + "' has already been deleted." }

// apply does it to one request.
func (d *Door) apply(ctx context.Context, v verb, id string) (*requestView, error) {
	before, err := d.request(ctx, id)
	if err != nil {
		return nil, err
	}
	req, err := v.do(d.engine.Requests())(ctx, id, by(ctx, ""))
	switch {
	case req != nil: // it is done; what comes after it is done by the engine
		callOf(ctx).note(err)
		return d.shown(ctx, req), nil
	case errors.Is(err, dsr.ErrConflict) || errors.Is(err, dsr.ErrLeased):
		return nil, &failure{status: v.status, detail: v.refusal(before, err), cause: err}
	}
	return nil, requestFailure(id, err)
}

// applyAll does it to many requests, each for itself, and shows them as they
// were when it was done.
func applyAll[T any](ctx context.Context, d *Door, v verb, s *dsr.Selection, reason string, show func(context.Context, *dsr.Request) (*T, error)) (*bulk[T], error) {
	answer := newBulk[T]()
	if len(s.IDs) == 0 && s.Filter == nil {
		return answer, nil
	}
	var mu sync.Mutex
	after := map[string]*dsr.Request{}
	begin, done := inTime(ctx)
	defer done()
	result, err := d.engine.Requests().Bulk(begin, *s, func(_ context.Context, id string, by dsr.By) (*dsr.Request, error) {
		req, err := v.do(d.engine.Requests())(ctx, id, by)
		if req == nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		after[id] = req
		callOf(ctx).note(err) // it is done; what comes after it is done by the engine
		return req, nil
	}, by(ctx, reason))
	if result == nil {
		return nil, unselected(err)
	}
	if cause := allPassing(result, err); cause != nil {
		return nil, cause
	}
	// What is done is done, and told also if time is up now.
	long, cancel := toAnswer(ctx)
	defer cancel()
	for _, id := range result.Succeeded {
		shown, err := show(long, after[id])
		if err != nil {
			return nil, err
		}
		answer.Succeeded = append(answer.Succeeded, *shown)
	}
	for _, f := range result.Failed {
		message, data := d.failed(long, v, f)
		answer.fail(message, data)
	}
	if err != nil {
		for _, id := range s.IDs {
			if !slices.Contains(s.Except, id) && !slices.Contains(result.Succeeded, id) && !slices.ContainsFunc(result.Failed, func(f dsr.BulkFailure) bool { return f.ID == id }) {
				answer.fail(tooLong+", and this one was not reached", idView{id})
			}
		}
		if s.Filter != nil {
			answer.fail(tooLong+"; call again for those that were not reached", nil)
		}
		callOf(ctx).note(err)
	}
	return answer, nil
}

// allPassing is why nothing came of a bulk verb, if it was the same for all and
// goes by itself: then the call can be made again as it was.
func allPassing(result *dsr.BulkResult, err error) error {
	if len(result.Succeeded) > 0 {
		return nil
	}
	for _, f := range result.Failed {
		if !passing(f.Err) {
			return nil
		}
		err = f.Err
	}
	return err
}

// passing reports whether an error says only that it did not work now.
func passing(err error) bool {
	return errors.Is(err, dsr.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// idView names a request of which there is no more to show.
type idView struct {
	ID string `json:"privacy_request_id"`
}

const unavailableNow = "Unavailable for now. Try again later."

// failed tells in Fides' words why a verb could not be applied.
func (d *Door) failed(ctx context.Context, v verb, f dsr.BulkFailure) (message string, data any) {
	if passing(f.Err) {
		callOf(ctx).note(f.Err)
		if errors.Is(f.Err, dsr.ErrUnavailable) {
			return unavailableNow, idView{f.ID}
		}
		return tooLong + ", and this one was not changed", idView{f.ID}
	}
	req, err := d.engine.Requests().Get(ctx, f.ID)
	switch {
	case err != nil && !errors.Is(err, dsr.ErrNotFound):
		callOf(ctx).note(err)
		return unavailableNow, idView{f.ID}
	case err != nil:
		return "No privacy request found with id '" + f.ID + "'", idView{f.ID}
	}
	data = d.viewer().view(req)
	if shown, err := d.show(ctx, req, sealed{}); err == nil {
		data = shown
	}
	switch {
	case errors.Is(f.Err, dsr.ErrDeleted):
		return v.deleted(f.ID), data
	case errors.Is(f.Err, dsr.ErrNoReason):
		return "A reason is needed", data
	case errors.Is(f.Err, dsr.ErrConflict), errors.Is(f.Err, dsr.ErrLeased):
		return v.refusal(req, f.Err), data
	}
	callOf(ctx).note(f.Err)
	return "This record could not be updated", data
}

func approve() verb {
	return verb{do: func(r *dsr.Requests) dsr.Verb { return r.Approve }, status: http.StatusBadRequest, refusal: cannotTransition, deleted: cannotDeleted}
}

func deny() verb {
	return verb{do: func(r *dsr.Requests) dsr.Verb { return r.Deny }, status: http.StatusBadRequest, refusal: cannotTransition, deleted: cannotDeleted}
}

func cannotTransition(*dsr.Request, error) string { return "Cannot transition status" }
func cannotDeleted(string) string                 { return "Cannot transition status for a deleted request" }

// erasureBegun is why a verb is refused that the status would allow.
const erasureBegun = "its erasure has begun and must be finished"

func cancel() verb {
	return verb{
		do: func(r *dsr.Requests) dsr.Verb {
			return func(ctx context.Context, id string, by dsr.By) (*dsr.Request, error) {
				req, err := r.Get(ctx, id)
				if err == nil && req.DeletedAt.IsZero() && (req.Status == dsr.StatusCanceled || req.Status == dsr.StatusError) {
					return nil, dsr.ErrConflict
				}
				return r.Cancel(ctx, id, by)
			}
		},
		status: http.StatusBadRequest, deleted: cannotDeleted,
		refusal: func(req *dsr.Request, err error) string {
			what := "Cannot cancel privacy request in " + string(req.Status) + " status"
			if errors.Is(err, dsr.ErrErasureBegun) {
				what += ": " + erasureBegun
			}
			return what
		},
	}
}

// retry lets a request go on; or begin anew with the configuration of now.
func retry(replan bool) verb {
	if replan {
		return verb{
			do: func(r *dsr.Requests) dsr.Verb { return r.Replan }, status: http.StatusBadRequest, deleted: deletedText,
			refusal: func(req *dsr.Request, _ error) string {
				return "Cannot replan privacy request '" + req.ID + "': it has not stopped with an error, or has begun to erase (status = " + string(req.Status) + ")."
			},
		}
	}
	return verb{
		do: func(r *dsr.Requests) dsr.Verb { return r.Retry }, status: http.StatusBadRequest, deleted: deletedText,
		refusal: func(req *dsr.Request, _ error) string {
			return "Cannot restart privacy request from failure: privacy request '" + req.ID + "' status = " + string(req.Status) + "."
		},
	}
}

func resubmit() verb {
	return verb{
		do: func(r *dsr.Requests) dsr.Verb { return r.Resubmit }, status: http.StatusUnprocessableEntity, deleted: deletedText,
		refusal: func(req *dsr.Request, err error) string {
			what := "Cannot resubmit privacy request '" + req.ID + "': status is " + string(req.Status)
			if errors.Is(err, dsr.ErrErasureBegun) {
				what += ", and " + erasureBegun
			}
			return what + "."
		},
	}
}

func finalize() verb {
	return verb{
		do: func(r *dsr.Requests) dsr.Verb { return r.Finalize }, status: http.StatusBadRequest, deleted: deletedText,
		refusal: func(req *dsr.Request, _ error) string {
			return "Cannot manually finalize privacy request '" + req.ID + "': status is " + string(req.Status) + ", not requires_manual_finalization."
		},
	}
}

func remove() verb {
	return verb{
		do: func(r *dsr.Requests) dsr.Verb { return r.Delete }, status: http.StatusUnprocessableEntity, deleted: deletedText,
		refusal: func(req *dsr.Request, _ error) string {
			return "Cannot delete privacy request '" + req.ID + "' while its erasure is under way"
		},
	}
}

// one is the handler of a verb for one request.
func (d *Door) one(v func() verb) endpoint {
	return typed(func(ctx context.Context, in *oneRequest) (*requestView, error) { return d.apply(ctx, v(), in.Path.ID) })
}

type oneRetry struct {
	Path  requestPath
	Query retryInput
}

// retryOne lets a request go on.
func (d *Door) retryOne(ctx context.Context, in *oneRetry) (*requestView, error) {
	return d.apply(ctx, retry(is(in.Query.Replan)), in.Path.ID)
}

// requeue has the engine look at a request. The store is its queue: it cannot
// have dropped out of that.
func (d *Door) requeue(ctx context.Context, in *oneRequest) (*requestView, error) {
	req, err := d.engine.Requests().Wake(ctx, in.Path.ID)
	var refused *dsr.RefusedError
	switch {
	case err == nil:
		return d.shown(ctx, req), nil
	case errors.Is(err, dsr.ErrConflict) && errors.As(err, &refused):
		return nil, refuse(http.StatusBadRequest, "Request failed. Cannot re-queue privacy request %s with status %s", in.Path.ID, refused.Status)
	}
	return nil, requestFailure(in.Path.ID, err)
}

// softDelete hides a request.
func (d *Door) softDelete(ctx context.Context, in *oneRequest) (*nothing, error) {
	_, err := d.apply(ctx, remove(), in.Path.ID)
	return nil, err
}
