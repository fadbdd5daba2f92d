package fides

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// filters select privacy requests: the query of GET, the body of a search, and the
// filters of bulk calls. Nothing is found by parts of a person's data. A filter
// that is empty or blank is refused, since a script whose variable is not set
// would else get everything; null in a body is as if it were not there.
type filters struct {
	ID             *string           `json:"id" required:"false" maxLength:"200" doc:"That very request."`
	RequestID      *string           `json:"request_id" required:"false" maxLength:"200" doc:"The request whose ID this is; without one, those whose ID holds it, without regard to case, but in bulk calls none: they need the whole ID."`
	Identity       *string           `json:"identity" required:"false" maxLength:"1000" doc:"Requests of whom this is an identity, exactly, of any kind that is Fides' own, of a dataset or configured. For others search by kind, with identities."`
	Status         oneOrMore[status] `json:"status" required:"false" doc:"Requests in one of these."`
	Fuzzy          *string           `json:"fuzzy_search_str" required:"false" maxLength:"1000" doc:"Requests whose ID or external ID holds this."`
	CreatedLt      *stamp            `json:"created_lt" required:"false"`
	CreatedGt      *stamp            `json:"created_gt" required:"false"`
	StartedLt      *stamp            `json:"started_lt" required:"false"`
	StartedGt      *stamp            `json:"started_gt" required:"false"`
	CompletedLt    *stamp            `json:"completed_lt" required:"false"`
	CompletedGt    *stamp            `json:"completed_gt" required:"false"`
	ErroredLt      *stamp            `json:"errored_lt" required:"false"`
	ErroredGt      *stamp            `json:"errored_gt" required:"false"`
	ExternalID     *string           `json:"external_id" required:"false" maxLength:"1000" doc:"Requests whose external ID begins so, without regard to case."`
	Location       *string           `json:"location" required:"false" maxLength:"10" doc:"Requests from there; a country holds its parts."`
	ActionType     oneOrMore[action] `json:"action_type" required:"false" doc:"Requests under a policy that does one of these."`
	Verbose        *bool             `json:"verbose" required:"false" doc:"Adds what was done in each collection."`
	WithIdentities *bool             `json:"include_identities" required:"false"`
	WithFields     *bool             `json:"include_custom_privacy_request_fields" required:"false"`
	CSV            *bool             `json:"download_csv" required:"false" doc:"Answers all of them as CSV."`
	WithDeleted    *bool             `json:"include_deleted_requests" required:"false"`
	SortField      *string           `json:"sort_field" required:"false" maxLength:"100" doc:"created_at, updated_at, requested_at, started_processing_at, finished_processing_at or due_date; where the order ascends, requests without that time come first, and by finished_processing_at those that failed with them."`
	SortDirection  *string           `json:"sort_direction" required:"false" enum:"asc,desc"`

	// Of the body of a search only: a query has no objects.
	Identities nullable[identityFilter] `json:"identities" required:"false" doc:"Requests that have one of these, by kind, exactly."`
	Fields     nullable[fieldFilter]    `json:"custom_privacy_request_fields" required:"false" doc:"Requests whose submission had one of these values, by key, exactly, a number by its digits: 1000 values at most, with those of identities."`
	Consent    *bool                    `json:"include_consent_webhook_requests" required:"false" doc:"There are none."`
	Overdue    *bool                    `json:"is_overdue" required:"false" doc:"true for unfinished requests past their deadline, false for all others."`
}

// sortFields are the times that lists are sorted by, by Fides' names.
func sortFields() map[string]dsr.TimeField {
	return map[string]dsr.TimeField{
		"created_at": dsr.TimeCreated, "updated_at": dsr.TimeUpdated, "requested_at": dsr.TimeRequested, "due_date": dsr.TimeDeadline,
		"started_processing_at": dsr.TimeStarted, "finished_processing_at": dsr.TimeFinished,
	}
}

// selected is a filter of the engine, and what it cannot do by itself.
type selected struct {
	dsr.Filter
	// none says that nothing can match.
	none bool
	// match says whether a request is one; nil for all.
	match func(*dsr.Request) bool
}

// selection makes a filter of the engine of what was asked for.
func (d *Door) selection(ctx context.Context, f *filters) (*selected, error) {
	s := &selected{}
	s.ExternalPrefix, s.Text = text(f.ExternalID), text(f.Fuzzy)
	s.Deleted, s.Overdue, s.OnTime = is(f.WithDeleted), is(f.Overdue), f.Overdue != nil && !*f.Overdue
	for _, a := range f.ActionType {
		if a != action(graph.Access) && a != action(graph.Erasure) { // Fides has others, no request here is one
			continue
		}
		s.Actions = append(s.Actions, graph.Action(a))
	}
	s.none = len(f.ActionType) > 0 && len(s.Actions) == 0
	for _, st := range f.Status {
		s.Status = append(s.Status, dsr.Status(st))
	}
	if err := s.order(f); err != nil {
		return nil, err
	}
	if err := s.times(f); err != nil {
		return nil, err
	}
	if err := d.people(s, f); err != nil {
		return nil, err
	}
	if err := d.names(ctx, s, f); err != nil {
		return nil, err
	}
	s.place(f)
	return s, nil
}

func (s *selected) order(f *filters) error {
	field := "created_at"
	if f.SortField != nil {
		field = *f.SortField
	}
	by, ok := sortFields()[field]
	if !ok {
		return unsorted(field)
	}
	s.Sort, s.Descending = by, text(f.SortDirection) != "asc"
	return nil
}

func (s *selected) times(f *filters) error {
	completed, errored := f.CompletedLt != nil || f.CompletedGt != nil, f.ErroredLt != nil || f.ErroredGt != nil
	if completed && errored {
		return refuse(http.StatusBadRequest, "Cannot specify both succeeded and failed query params.")
	}
	s.Times = map[dsr.TimeField]dsr.TimeRange{}
	for _, r := range []struct {
		name   string
		field  dsr.TimeField
		lt, gt *stamp
	}{
		{"created", dsr.TimeCreated, f.CreatedLt, f.CreatedGt}, {"completed", dsr.TimeFinished, f.CompletedLt, f.CompletedGt},
		{"errored", dsr.TimeFailed, f.ErroredLt, f.ErroredGt}, {"started", dsr.TimeStarted, f.StartedLt, f.StartedGt},
	} {
		if r.lt == nil && r.gt == nil {
			continue
		}
		if r.lt != nil && r.gt != nil && r.lt.time().Before(r.gt.time()) {
			return refuse(http.StatusBadRequest, "Value specified for %s_lt: %s must be after %s_gt: %s.", r.name, pythonTime(r.lt), r.name, pythonTime(r.gt))
		}
		within := dsr.TimeRange{Before: r.lt.time()}
		if r.gt != nil {
			within.From = r.gt.time().Add(time.Microsecond) // it was later
		}
		if r.lt != nil && !within.From.Before(within.Before) {
			s.none = true
			continue
		}
		s.Times[r.field] = within
	}
	if completed {
		s.only(dsr.StatusComplete)
	}
	if errored {
		s.only(dsr.StatusError)
	}
	return nil
}

// only narrows to a status.
func (s *selected) only(status dsr.Status) {
	if len(s.Status) > 0 && !slices.Contains(s.Status, status) {
		s.none = true
	}
	s.Status = []dsr.Status{status}
}

// people narrows to those who have an identity.
func (d *Door) people(s *selected, f *filters) error {
	if f.Fields.value != nil {
		for key, v := range *f.Fields.value {
			if s.Fields == nil {
				s.Fields = dsr.FieldValues{}
			}
			s.Fields[key] = v.texts()
		}
	}
	one, several := text(f.Identity), identityFilter{}
	if f.Identities.value != nil {
		several = *f.Identities.value
	}
	switch {
	case one != "" && len(several) > 0:
		return refuse(http.StatusUnprocessableEntity, "Only one of identity and identities can be given")
	case one == "" && len(several) == 0:
		return nil
	}
	s.Identities = dsr.Identities{}
	if one != "" {
		for _, kind := range append(d.engine.NamedIdentityKinds(), ownKinds()...) {
			s.Identities[kind] = formsOf(kind, one)
		}
	}
	for kind, value := range several {
		for _, v := range values(value) {
			s.Identities[kind] = []string{normal(kind, v)}
		}
	}
	s.none = s.none || len(s.Identities) == 0
	return nil
}

// names narrows by IDs. Stores find requests by their times, so that of one ID
// it looks for the moment at which that request was created. A part of an ID is
// looked for in all of them, unless it is the whole ID of one, which is then meant.
func (d *Door) names(ctx context.Context, s *selected, f *filters) error {
	s.IDContains = text(f.RequestID)
	id := text(f.ID)
	if f.ID == nil {
		if id = s.IDContains; id == "" {
			return nil
		}
	}
	req, err := d.engine.Requests().Get(ctx, id)
	if errors.Is(err, dsr.ErrNotFound) {
		s.none = s.none || f.ID != nil
		return nil
	}
	if err != nil {
		return err
	}
	if within, ok := s.Times[dsr.TimeCreated]; ok && !within.Holds(req.CreatedAt) {
		s.none = true
	}
	s.Times[dsr.TimeCreated] = dsr.TimeRange{From: req.CreatedAt, Before: req.CreatedAt.Add(time.Microsecond)}
	s.match = func(r *dsr.Request) bool { return r.ID == id }
	return nil
}

// place narrows by location; what is none matches nothing, as in Fides.
func (s *selected) place(f *filters) {
	s.Location, _ = isoLocation(text(f.Location))
	s.none = s.none || s.Location == "" && f.Location != nil
}

// isoLocation brings a location into the form of ISO 3166: "us_ca" is "US-CA".
// It is "" and false for what cannot be brought into it, and for countries that
// there are none of by the list of CLDR, nor by another code now, as "UK" is "GB".
// Of parts of a country the form counts.
func isoLocation(location string) (string, bool) {
	location = strings.ReplaceAll(strings.ToUpper(strings.TrimSpace(location)), "_", "-")
	country, part, divided := strings.Cut(location, "-")
	is := func(text string, from, to int, also string) bool {
		return len(text) >= from && len(text) <= to && strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"+also) == ""
	}
	if !is(country, 2, 2, "") || divided && !is(part, 1, 3, "0123456789") {
		return "", false
	}
	region, err := language.ParseRegion(country)
	if err != nil || !region.IsCountry() || region.Canonicalize() != region {
		return "", false
	}
	return location, true
}

func is(b *bool) bool { return b != nil && *b }

// pythonTime is a time as Python prints it.
func pythonTime(s *stamp) string { return s.time().UTC().Format("2006-01-02 15:04:05.999999-07:00") }
