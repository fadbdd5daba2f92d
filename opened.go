package dsr

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Opened is what is sealed of a request: who it is about, what was said with
// it, and who did what to it. It prints as [redacted] under every verb.
type Opened struct {
	// Identities are those of the submission and those that hooks brought.
	Identities Identities
	// Fields, Source, Labels and Locale are those of the submission.
	Fields Fields
	Source string
	Labels Labels
	Locale string
	// Remarks are what people did to the request and said about it, oldest
	// first.
	Remarks []Remark
	// Err says in a list why nothing could be opened: [ErrShredded], or what
	// failed.
	Err error
}

// Format implements [fmt.Formatter] for every verb without showing anything.
func (o Opened) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing anything.
func (o Opened) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing anything.
func (o Opened) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Last returns the last remark about one of the actions; a zero one if there is
// none, as when nobody was named. So "received" tells who submitted a request,
// "approved" or "denied" who reviewed it, "paused", "finalized" and "deleted" who
// did that. One from before the request was resubmitted is returned as well: it
// is older than Request.ReviewedAt, or that is zero.
func (o *Opened) Last(actions ...string) Remark {
	for _, m := range slices.Backward(o.Remarks) {
		if slices.Contains(actions, m.Action) {
			return m
		}
	}
	return Remark{}
}

// Open returns all that is sealed of a request; [ErrShredded] once it was
// forgotten. It reads the request once and unwraps one key. For a page of
// requests see Filter.Open.
func (r *Requests) Open(ctx context.Context, id string) (*Opened, error) {
	rec, err := r.engine.config.Store.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.engine.open(ctx, rec)
}

// open opens what is sealed of a record that has its keys.
func (e *Engine) open(ctx context.Context, rec *Record) (*Opened, error) {
	return newRun(e, rec).opened(ctx)
}

// opened opens what is sealed of the request.
func (r *run) opened(ctx context.Context) (*Opened, error) {
	sub, err := r.subject(ctx)
	if err != nil {
		return nil, err
	}
	key, err := r.key(ctx, keyIdentity)
	if err != nil {
		return nil, err
	}
	remarks, err := openRemarks(r.record(), key)
	if err != nil {
		return nil, err
	}
	o := &Opened{Identities: sub.all(), Source: sub.Source, Labels: sub.Labels, Locale: sub.Locale, Remarks: remarks}
	for name, f := range sub.Fields {
		if o.Fields == nil {
			o.Fields = Fields{}
		}
		o.Fields[name] = Field(f)
	}
	return o, nil
}

// requestsOf shows the records of a list, with what is sealed of them where they
// are to be opened.
func (e *Engine) requestsOf(ctx context.Context, recs []*Record, open bool) ([]*Request, error) {
	var reqs []*Request
	for _, rec := range recs {
		reqs = append(reqs, rec.request())
	}
	if !open {
		return reqs, nil
	}
	return reqs, e.openAll(ctx, recs, reqs)
}

// openAtOnce is how many keys of a page are unwrapped at a time: a keyring may
// be a service elsewhere.
const openAtOnce = 8

// openAll opens what is sealed of the requests of a page, which are those of
// the records.
func (e *Engine) openAll(ctx context.Context, recs []*Record, reqs []*Request) error {
	var g errgroup.Group
	g.SetLimit(openAtOnce)
	for i, rec := range recs {
		g.Go(func() error {
			var err error
			func() {
				defer recovered(&err)
				reqs[i].Opened, err = e.open(ctx, rec)
			}()
			if err != nil {
				reqs[i].Opened = &Opened{Err: err}
			}
			return nil
		})
	}
	_ = g.Wait()
	return context.Cause(ctx)
}
