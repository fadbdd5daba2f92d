package main

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// authorized lets only the privacy desk through.
func (a *app) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(token), []byte(a.desk)) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			fail(w, http.StatusUnauthorized, "this route is for the privacy desk")
			return
		}
		next(w, r)
	}
}

// requestView is how the shop shows a privacy request.
type requestView struct {
	ID          string           `json:"id"`
	Reference   string           `json:"reference,omitempty"`
	Policy      string           `json:"policy"`
	Status      dsr.Status       `json:"status"`
	DuplicateOf string           `json:"duplicate_of,omitempty"`
	FinishedAt  *time.Time       `json:"finished_at,omitempty"`
	Collections []collectionView `json:"collections,omitempty"`
	Failure     string           `json:"failure,omitempty"`
}

type collectionView struct {
	Collection string `json:"collection"`
	Found      int64  `json:"found"`
	Erased     int64  `json:"erased"`
}

func view(req *dsr.Request) requestView {
	v := requestView{
		ID: req.ID, Reference: req.ExternalID, Policy: req.Policy, Status: req.Status, DuplicateOf: req.DuplicateOf, Failure: req.Failure,
	}
	if !req.FinishedAt.IsZero() {
		v.FinishedAt = &req.FinishedAt
	}
	for _, c := range req.Collections {
		v.Collections = append(v.Collections, collectionView{c.Address.String(), c.Rows, c.Masked})
	}
	return v
}

// submit takes a request of whoever says that the address is theirs. A client
// that got no answer submits again under the same reference.
func (a *app) submit(w http.ResponseWriter, r *http.Request) {
	var body struct{ Policy, Email, Reference string }
	if !decode(w, r, &body) {
		return
	}
	requests, who := a.engine.Requests(), dsr.Identities{"email": {body.Email}}
	if body.Reference != "" && body.Email != "" {
		page, err := requests.List(r.Context(), dsr.Filter{ExternalID: body.Reference, Identities: who})
		if err != nil {
			a.refuse(w, err)
			return
		}
		if len(page.Requests) > 0 {
			reply(w, http.StatusAccepted, view(page.Requests[0]))
			return
		}
	}
	req, err := requests.Submit(r.Context(), dsr.Submission{Policy: body.Policy, Identities: who, ExternalID: body.Reference})
	switch {
	case req == nil:
		a.refuse(w, err)
		return
	case err != nil: // it is stored, but not all was told: one can ask for another code
		a.log.ErrorContext(r.Context(), "privacy request", "id", req.ID, "error", err.Error())
	}
	w.Header().Set("Location", "/privacy/requests/"+req.ID)
	reply(w, http.StatusAccepted, view(req))
}

// sendCode sends another code, which voids the one before.
func (a *app) sendCode(w http.ResponseWriter, r *http.Request) {
	req, err := a.engine.Requests().SendCode(r.Context(), r.PathValue("id"), dsr.By{})
	a.answer(w, req, err)
}

// verify takes the code that was sent to the data subject.
func (a *app) verify(w http.ResponseWriter, r *http.Request) {
	var body struct{ Code string }
	if decode(w, r, &body) {
		req, err := a.engine.Requests().Verify(r.Context(), r.PathValue("id"), body.Code)
		a.answer(w, req, err)
	}
}

// decide does what the privacy desk says to a request.
func (a *app) decide(w http.ResponseWriter, r *http.Request) {
	requests := a.engine.Requests()
	verb, ok := map[string]dsr.Verb{
		"approve": requests.Approve, "deny": requests.Deny, "cancel": requests.Cancel,
		"pause": requests.Pause, "resume": requests.Resume, "retry": requests.Retry,
	}[r.PathValue("verb")]
	if !ok {
		fail(w, http.StatusNotFound, "there is no such verb")
		return
	}
	var body struct{ Reason string }
	if decode(w, r, &body) {
		// A real service knows who is logged in.
		req, err := verb(r.Context(), r.PathValue("id"), dsr.By{Actor: "privacy desk", Reason: body.Reason})
		a.answer(w, req, err)
	}
}

// list shows requests, newest first. It does not search people: their
// addresses would end up in the logs of every proxy.
func (a *app) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter := dsr.Filter{
		ExternalID: query.Get("reference"), Policies: query["policy"], Overdue: query.Has("overdue"),
		Cursor: query.Get("cursor"), Descending: true,
	}
	for _, status := range query["status"] {
		filter.Status = append(filter.Status, dsr.Status(status))
	}
	page, err := a.engine.Requests().List(r.Context(), filter)
	if err != nil {
		a.refuse(w, err)
		return
	}
	list := struct {
		Requests []requestView `json:"requests"`
		Next     string        `json:"next,omitempty"` // the cursor of the next page
	}{[]requestView{}, page.Next}
	for _, req := range page.Requests {
		list.Requests = append(list.Requests, view(req))
	}
	reply(w, http.StatusOK, list)
}

func (a *app) show(w http.ResponseWriter, r *http.Request) {
	req, err := a.engine.Requests().Get(r.Context(), r.PathValue("id"))
	a.answer(w, req, err)
}

// link makes a link under which the data subject downloads their data, to be
// mailed to them.
func (a *app) link(w http.ResponseWriter, r *http.Request) {
	var body struct{ Once bool }
	if !decode(w, r, &body) {
		return
	}
	token, expires, err := a.engine.Downloads().Link(r.Context(), r.PathValue("id"), "", &dsr.LinkOptions{
		Once: body.Once, By: dsr.By{Actor: "privacy desk"},
	})
	if err != nil {
		a.refuse(w, err)
		return
	}
	reply(w, http.StatusCreated, linkView{downloads + token, expires})
}

type linkView struct {
	Link    string    `json:"link"`
	Expires time.Time `json:"expires"`
}

func (a *app) answer(w http.ResponseWriter, req *dsr.Request, err error) {
	if err != nil {
		a.refuse(w, err)
		return
	}
	reply(w, http.StatusOK, view(req))
}

// refuse turns the library's errors into answers. They hold no personal value,
// so that they may be shown.
func (a *app) refuse(w http.ResponseWriter, err error) {
	var faults *graph.FaultError
	switch {
	case errors.As(err, &faults):
		list := make([]string, len(faults.Faults))
		for i, f := range faults.Faults {
			list[i] = f.String()
		}
		fail(w, http.StatusUnprocessableEntity, "the request cannot be carried out", list...)
	case errors.Is(err, dsr.ErrNotFound):
		fail(w, http.StatusNotFound, "there is no such request, policy or package")
	case errors.Is(err, dsr.ErrPackageGone):
		fail(w, http.StatusGone, "the package was removed; the data subject can submit a new request")
	case errors.Is(err, dsr.ErrWrongCode), errors.Is(err, dsr.ErrCodeExpired):
		fail(w, http.StatusForbidden, "the code is wrong or has expired; ask for another one")
	case errors.Is(err, dsr.ErrTooManyAttempts):
		fail(w, http.StatusTooManyRequests, "there were too many codes, or tries of this one")
	case errors.Is(err, dsr.ErrNoReason):
		fail(w, http.StatusUnprocessableEntity, "a denial needs a reason, which the data subject has a right to")
	case errors.Is(err, dsr.ErrConflict):
		fail(w, http.StatusConflict, "the request has not the status for that, or was changed meanwhile")
	default:
		a.log.Error("privacy request", "error", err.Error())
		fail(w, http.StatusInternalServerError, "something went wrong")
	}
}
