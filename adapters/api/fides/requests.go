package fides

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagRequests = "Privacy requests"

// requestRoutes are what is done with privacy requests.
func (d *Door) requestRoutes() []route {
	return slices.Concat(d.intakeRoutes(), d.verbRoutes(), d.hookedRoutes(), d.resultRoutes())
}

// intakeRoutes create requests, look at them and verify them.
func (d *Door) intakeRoutes() []route {
	create := route{
		method: "POST", path: "/privacy-request", scopes: []string{oauth.ScopeRequestCreate},
		id: "create_privacy_request", summary: "Create privacy requests", tag: tagRequests, call: typed(d.createRequests),
	}
	if d.options.PublicIntake {
		create.scopes, create.public = nil, "The host opened public intake: whoever creates a request has to verify it by a code."
	}
	read := []string{oauth.ScopeRequestRead}
	wrong, noSuch := []int{http.StatusBadRequest}, []int{http.StatusNotFound}
	const slow = 5 * time.Minute // a large table
	return []route{
		create,
		{
			method: "POST", path: "/privacy-request/authenticated", scopes: []string{oauth.ScopeRequestCreate},
			id: "create_privacy_request_authenticated", summary: "Create privacy requests of data subjects whom the caller has identified",
			tag: tagRequests, call: typed(d.createVerified),
		},
		{
			method: "GET", path: "/privacy-request", scopes: read, id: "list_privacy_requests", summary: "Privacy requests, page by page or as CSV",
			tag: tagRequests, errors: wrong, timeout: slow, media: []string{"text/csv"}, answer: requestList{}, call: typed(d.listRequests),
		},
		{
			method: "POST", path: "/privacy-request/search", scopes: read, id: "search_privacy_requests", summary: "Privacy requests by filters in the body, page by page or as CSV",
			tag: tagRequests, errors: wrong, timeout: slow, media: []string{"text/csv"}, answer: requestList{}, call: typed(d.searchRequests),
		},
		{
			method: "GET", path: "/privacy-request/{privacy_request_id}", scopes: read, id: "get_privacy_request", summary: "A privacy request",
			tag: tagRequests, errors: noSuch, call: typed(d.getRequest),
		},
		{
			method: "GET", path: "/privacy-request/{privacy_request_id}/log", scopes: read, id: "get_privacy_request_log",
			summary: "What was done, page by page", tag: tagRequests, errors: noSuch, call: typed(d.getLog),
		},
		{
			method: "GET", path: "/privacy-request/{privacy_request_id}/tasks", scopes: read, id: "get_privacy_request_tasks",
			summary: "The collections, and what became of each", tag: tagRequests, errors: noSuch, call: typed(d.getTasks),
		},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/verify", public: "It takes the code that the data subject was sent.",
			id: "verify_privacy_request", summary: "Verify the identity of the data subject", tag: tagRequests,
			errors: []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound}, call: typed(d.verifyRequest),
		},
	}
}

// verbRoutes decide on requests, and keep them going.
func (d *Door) verbRoutes() []route {
	review, resume := []string{oauth.ScopeRequestReview}, []string{oauth.ScopeRequestResume}
	wrong, noSuch, refused := []int{http.StatusBadRequest}, []int{http.StatusNotFound}, []int{http.StatusBadRequest, http.StatusNotFound}
	return []route{
		{method: "PATCH", path: "/privacy-request/administrate/approve", scopes: review, id: "approve_privacy_requests", summary: "Approve", tag: tagRequests, errors: wrong, call: d.all(approve)},
		{method: "PATCH", path: "/privacy-request/administrate/deny", scopes: review, id: "deny_privacy_requests", summary: "Deny, with a reason", tag: tagRequests, errors: wrong, call: d.all(deny)},
		{method: "PATCH", path: "/privacy-request/administrate/cancel", scopes: review, id: "cancel_privacy_requests", summary: "Cancel", tag: tagRequests, errors: wrong, call: d.all(cancel)},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/retry", scopes: resume, id: "retry_privacy_request",
			summary: "Go on with one that stopped with an error", tag: tagRequests, errors: refused, call: typed(d.retryOne),
		},
		{method: "POST", path: "/privacy-request/bulk/retry", scopes: resume, id: "retry_privacy_requests", summary: "Go on with many that stopped with an error", tag: tagRequests, errors: wrong, call: typed(d.retryAll)},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/requeue", scopes: resume, id: "requeue_privacy_request",
			summary: "See that it is worked on", tag: tagRequests, errors: refused, call: typed(d.requeue),
		},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/resubmit", scopes: []string{oauth.ScopeRequestCreate}, id: "resubmit_privacy_request",
			summary: "Begin anew under the same ID", tag: tagRequests, errors: noSuch, call: d.one(resubmit),
		},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/finalize", scopes: review, id: "finalize_privacy_request",
			summary: "Complete one that requires finalization", tag: tagRequests, errors: refused, call: d.one(finalize),
		},
		{method: "POST", path: "/privacy-request/bulk/finalize", scopes: review, id: "finalize_privacy_requests", summary: "Complete many that require finalization", tag: tagRequests, errors: wrong, call: d.all(finalize)},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/soft-delete", scopes: []string{oauth.ScopeRequestDelete}, id: "delete_privacy_request",
			summary: "Hide it, and end all work on it", tag: tagRequests, errors: noSuch, call: typed(d.softDelete),
		},
		{
			method: "POST", path: "/privacy-request/bulk/soft-delete", scopes: []string{oauth.ScopeRequestDelete}, id: "delete_privacy_requests",
			summary: "Hide many, and end all work on them", tag: tagRequests, errors: wrong, call: typed(d.removeAll),
		},
	}
}

// hookedRoutes are what hooks call.
func (d *Door) hookedRoutes() []route {
	const hooked = "It takes the token of a hook's call."
	refused := []int{http.StatusBadRequest, http.StatusNotFound}
	return []route{
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/resume", public: hooked, hook: true, phase: dsr.HookBefore, id: "resume_privacy_request",
			summary: "Let one go on that a hook halted", description: "A hook is told what is not sealed of the request: who submitted, reviewed or finalized it, its identities, fields, source and property are null.", tag: tagRequests, errors: refused, call: typed(d.resumeRequest),
		},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/pre-approve/eligible", public: hooked, hook: true, phase: dsr.HookPreApproval, id: "pre_approve_eligible",
			summary: "Answer a pre-approval hook with yes", tag: tagRequests, errors: refused, call: d.preApprove(true),
		},
		{
			method: "POST", path: "/privacy-request/{privacy_request_id}/pre-approve/not-eligible", public: hooked, hook: true, phase: dsr.HookPreApproval, id: "pre_approve_not_eligible",
			summary: "Answer a pre-approval hook with no", tag: tagRequests, errors: refused, call: d.preApprove(false),
		},
	}
}

// resultRoutes hand out packages.
func (d *Door) resultRoutes() []route {
	return []route{
		{
			method: "GET", path: "/privacy-request/{privacy_request_id}/access-results", scopes: []string{oauth.ScopeAccessResultsRead}, id: "get_access_results",
			summary: "New links to the packages", tag: tagRequests, acts: true,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.accessResults),
		},
		{
			method: "GET", path: "/privacy-request/{privacy_request_id}/access-package", public: "It takes the token of a download link.", id: "get_access_package",
			summary: "The package that a link leads to", tag: tagRequests, media: []string{"application/zip", "application/octet-stream"},
			also: []int{http.StatusFound}, timeout: time.Hour,
			errors: []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, call: typed(d.accessPackage),
		},
	}
}

// requestPath is the path of what is about one request.
type requestPath struct {
	ID string `json:"privacy_request_id" minLength:"1" maxLength:"200"`
}

type oneRequest struct{ Path requestPath }

func (d *Door) getRequest(ctx context.Context, in *oneRequest) (*requestView, error) {
	req, err := d.request(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	return d.show(ctx, req, sealed{identities: true, fields: true})
}

// request is one that was not deleted, or why there is none.
func (d *Door) request(ctx context.Context, id string) (*dsr.Request, error) {
	req, err := d.engine.Requests().Get(ctx, id)
	if err == nil && !req.DeletedAt.IsZero() {
		err = dsr.ErrDeleted
	}
	if err != nil {
		return nil, requestFailure(id, err)
	}
	return req, nil
}

// requestFailure tells in Fides' words that there is no such request, or none
// any more.
func requestFailure(id string, err error) error {
	var refused *dsr.RefusedError
	switch {
	case errors.Is(err, dsr.ErrDeleted):
		return refuse(http.StatusUnprocessableEntity, "Privacy request with id %s has been deleted.", id)
	case errors.Is(err, dsr.ErrNotFound) && !errors.As(err, &refused):
		return refuse(http.StatusNotFound, "No privacy request found with id '%s'.", id)
	}
	return err
}
