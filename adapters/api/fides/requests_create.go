package fides

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// newRequest is a privacy request to be created.
type newRequest struct {
	Identity     nullable[identity]     `json:"identity" required:"false" doc:"What is known of the data subject, by kind."`
	Identities   []identity             `json:"identities" required:"false" maxItems:"1000" doc:"The same, several times: all values count. With those of identity they are 1000 at most."`
	Policy       string                 `json:"policy_key" maxLength:"1000"`
	ExternalID   *string                `json:"external_id" required:"false" maxLength:"1000" doc:"The caller's own name for the request."`
	RequestedAt  *stamp                 `json:"requested_at" required:"false" doc:"Without a zone it is UTC. Defaults to now."`
	StartedAt    *stamp                 `json:"started_processing_at" required:"false" doc:"Ignored: the engine knows."`
	FinishedAt   *stamp                 `json:"finished_processing_at" required:"false" doc:"Ignored: the engine knows."`
	Key          *string                `json:"encryption_key" required:"false" doc:"16 bytes, with which the packages are encrypted."`
	PropertyID   *string                `json:"property_id" required:"false" maxLength:"200" doc:"Kept and shown; nothing depends on it."`
	Location     *string                `json:"location" required:"false" maxLength:"20" doc:"By ISO 3166, such as FR or US-CA."`
	ConsentID    *string                `json:"consent_request_id" required:"false" maxLength:"200" doc:"Kept; nothing depends on it."`
	Consent      []any                  `json:"consent_preferences" required:"false"`
	Source       *string                `json:"source" required:"false" maxLength:"100" doc:"Where it comes from; kept and shown."`
	CustomFields nullable[customFields] `json:"custom_privacy_request_fields" required:"false" doc:"What else was said, by key: kept sealed, and found by exact values."`

	told echo
}

// UnmarshalJSON implements [json.Unmarshaler], and keeps what was told, without
// the key of the packages.
func (n *newRequest) UnmarshalJSON(text []byte) (err error) {
	type plain newRequest
	if n.told, err = decodeKeeping(text, (*plain)(n)); n.Key != nil {
		delete(n.told, "encryption_key")
	}
	return err
}

type createInput struct {
	Body []newRequest `maxItems:"50"`
}

// check tells what Fides' schemas do not take.
func (in *createInput) check() (faults []fault) {
	for i := range in.Body {
		n := &in.Body[i]
		if n.Key != nil && len(*n.Key) != 16 {
			faults = append(faults, valueFault("Encryption key must be 16 bytes long", "body", i, "encryption_key"))
		}
		if _, ok := isoLocation(text(n.Location)); n.Location != nil && !ok {
			faults = append(faults, valueFault("Location must be a country by ISO 3166-1, or a part of one by ISO 3166-2, such as US or US-CA", "body", i, "location"))
		}
		if n.Identity.value == nil && n.Identities == nil {
			faults = append(faults, fault{"missing", []any{"body", i, "identity"}, "Field required"})
		}
		if wrong := crowded(n.given(), "body", i); wrong != nil {
			faults = append(faults, *wrong)
			continue // what they are is not even looked at
		}
		if n.Identity.value != nil {
			faults = append(faults, n.Identity.value.check("body", i, "identity")...)
		}
		for k := range n.Identities {
			faults = append(faults, n.Identities[k].check("body", i, "identities", k)...)
		}
	}
	return faults
}

func (d *Door) createRequests(ctx context.Context, in *createInput) (*bulk[requestView], error) {
	return d.create(ctx, in.Body, false)
}

func (d *Door) createVerified(ctx context.Context, in *createInput) (*bulk[requestView], error) {
	return d.create(ctx, in.Body, true)
}

func (d *Door) create(ctx context.Context, list []newRequest, verified bool) (*bulk[requestView], error) {
	answer, v := newBulk[requestView](), d.viewer()
	created := 0 // also such as are told to have failed
	begin, done := inTime(ctx)
	defer done()
	for i := range list {
		if err := begin.Err(); err != nil {
			if created == 0 {
				return nil, err
			}
			unreached(ctx, answer, err, list[i:])
			return answer, nil
		}
		req, message, err := d.submit(ctx, &list[i], verified)
		if req != nil {
			created++
		}
		switch {
		case err != nil && created == 0 && !errors.Is(err, dsr.ErrUnknown): // all of it can be sent again
			return nil, err
		case err != nil:
			switch {
			case errors.Is(err, dsr.ErrUnknown): // a connection may break when all is stored but the answer
				message = "Unavailable for now, and whether this record was added is unknown. Look for it before it is sent again."
			case errors.Is(err, dsr.ErrUnavailable):
				message = "Unavailable for now; this record was not added. Try again later."
			default:
				message = tooLong + ", and this record was not added"
			}
			answer.fail(message, list[i].told)
			unreached(ctx, answer, err, list[i+1:])
			return answer, nil
		case message != "":
			answer.fail(message, list[i].told)
		default:
			answer.Succeeded = append(answer.Succeeded, *v.full(req, list[i].opened(ctx, req), sealed{}))
		}
	}
	return answer, nil
}

// unreached tells of the rest of a list that a bulk call did not come to.
func unreached(ctx context.Context, answer *bulk[requestView], err error, rest []newRequest) {
	callOf(ctx).note(err)
	message := tooLong + ", and this record was not reached"
	if errors.Is(err, dsr.ErrUnavailable) {
		message = "Unavailable for now; this record was not reached. Try again later."
	}
	for i := range rest {
		answer.fail(message, rest[i].told)
	}
}

// submit submits one request, or says in Fides' words why not; or, beside the
// request, what else failed.
func (d *Door) submit(ctx context.Context, n *newRequest, verified bool) (_ *dsr.Request, message string, _ error) {
	ids := joined(n.given()...)
	switch {
	case len(ids) == 0:
		return nil, "You must provide at least one identity to process", nil
	case principalOf(ctx) == nil && !oneValue(ids):
		return nil, oneIdentity, nil
	case n.RequestedAt != nil && (n.RequestedAt.time().Year() < 1900 || n.RequestedAt.time().Year() > 2200): // the engine would take a zero for now
		return nil, "requested_at is not within the years 1900 to 2200", nil
	case len(n.Consent) > 0:
		return nil, "Consent preferences are not supported", nil
	case d.policy(n.Policy) == nil:
		message, err := d.noPolicy(ctx, n.Policy)
		if message != "" || err != nil {
			return nil, message, err
		}
	}
	if principalOf(ctx) == nil && !d.engine.Flow(n.Policy).VerifyIdentity {
		return nil, fmt.Sprintf("Requests under policy %s cannot be created in public: nobody would verify them", n.Policy), nil
	}
	location, _ := isoLocation(text(n.Location))
	s := dsr.Submission{
		Policy: n.Policy, Identities: ids, ExternalID: text(n.ExternalID), RequestedAt: n.RequestedAt.time(),
		Location: location, Source: text(n.Source), Labels: n.labels(), Verified: verified, By: by(ctx, ""),
	}
	if n.CustomFields.value != nil {
		s.Fields = n.CustomFields.value.fields()
	}
	if n.Key != nil {
		s.Encryption.Key = []byte(*n.Key)
	}
	req, err := d.engine.Requests().Submit(ctx, s)
	var faults *graph.FaultError
	switch {
	case err == nil:
		return req, "", nil
	case req != nil:
		callOf(ctx).note(err)
		if req.Status == dsr.StatusUnverified {
			return req, "Verification message could not be sent.", nil
		}
		return req, "", nil // stored; the executor finds it by itself
	case errors.As(err, &faults):
		if principalOf(ctx) == nil {
			callOf(ctx).note(ofHost(faults))
			return nil, notAdded, nil
		}
		return nil, faultText(faults), nil
	case errors.Is(err, dsr.ErrNotFound): // another process deleted it
		message, err := d.noPolicy(ctx, n.Policy)
		return nil, message, err
	case ctx.Err() != nil, errors.Is(err, dsr.ErrUnavailable), errors.Is(err, dsr.ErrUnknown):
		return nil, "", err
	}
	callOf(ctx).note(err)
	return nil, notAdded, nil
}

// ofHost are the faults of what the host configured: those of what came in may
// quote it, and have no place in a log.
func ofHost(err *graph.FaultError) error {
	var rest graph.Diagnostics
	for _, fault := range err.Faults {
		what, _, _ := strings.Cut(fault.Subject, " ")
		if !slices.Contains([]string{"submission", "identity", "field", "label"}, what) {
			rest = append(rest, fault)
		}
	}
	if len(rest) == 0 {
		return errors.New("fides: the submission has faults")
	}
	return rest.Err()
}

// notAdded is all that is said of what is wrong on this side. Whoever may call
// without a token is told nothing else: faults name what the host configured.
const notAdded = "This record could not be added"

// oneIdentity is what strangers are told who send more than a code can prove:
// whoever reads one mailbox would have the data of whomever they name beside it.
const oneIdentity = "Without a token a request has one identity, since a verification code proves no more than one: " +
	"send one alone, or let your own server, which knows the data subject, create the request at /privacy-request/authenticated"

// given are identities from both places.
func (n *newRequest) given() []identity {
	if n.Identity.value == nil {
		return n.Identities
	}
	return slices.Concat([]identity{*n.Identity.value}, n.Identities)
}

// oneValue reports whether there is one kind of identity with one value, however
// often and in whatever letters. The engine refuses what is not one to it either.
func oneValue(ids dsr.Identities) bool {
	if len(ids) != 1 {
		return false
	}
	for kind, list := range ids {
		for _, v := range list[1:] {
			a, b := strings.TrimSpace(list[0]), strings.TrimSpace(v)
			if a != b && (kind != kindEmail || dsr.Fold(a) != dsr.Fold(b)) {
				return false
			}
		}
	}
	return true
}

// labels are what is kept and shown, and nothing here depends on.
func (n *newRequest) labels() dsr.Labels {
	labels := n.identityLabels()
	for key, value := range map[string]*string{labelProperty: n.PropertyID, labelConsent: n.ConsentID} {
		if text(value) != "" {
			labels[key] = *value
		}
	}
	return labels
}

// opened is what the answer shows of what was just sealed.
func (n *newRequest) opened(ctx context.Context, req *dsr.Request) *dsr.Opened {
	return &dsr.Opened{
		Source: text(n.Source), Labels: n.labels(),
		Remarks: []dsr.Remark{{Time: req.CreatedAt, Action: "received", Actor: by(ctx, "").Actor}},
	}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
