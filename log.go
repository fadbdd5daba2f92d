package dsr

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"github.com/godsr/dsr/graph"
)

// Statuses of lines of the execution log, as Fides has them.
const (
	logComplete = "complete"
	logSkipped  = "skipped"
	logRetrying = "retrying"
	logError    = "error"
	logAwaiting = "awaiting_processing"
)

// line begins a line of the execution log about a collection.
func (s *step) line(kind, status string, action graph.Action) Event {
	return Event{Kind: kind, Collection: s.Address().String(), Connection: s.conn.Key, Action: action, Status: status}
}

// collectEvents tells what the walk came to, collection by collection.
func (r *run) collectEvents(outcomes []graph.Outcome) []Event {
	events := make([]Event, 0, len(outcomes)+len(r.plan.Skipped))
	for i, o := range outcomes {
		e := r.steps[i].line("collected", logComplete, graph.Access)
		if o.State == graph.Skipped {
			e.Kind, e.Status = "skipped", logSkipped
		}
		e.Rows, e.Message, e.Fields = o.Rows, o.Message, r.steps[i].selected()
		events = append(events, e)
	}
	for _, s := range r.plan.Skipped {
		events = append(events, Event{Kind: "skipped", Collection: s.Address.String(), Status: logSkipped, Message: s.Reason})
	}
	return events
}

// failEvents tells which collections a walk failed at.
func (r *run) failEvents(status string, err error) []Event {
	var walk *WalkError
	if errors.As(err, &walk) {
		var events []Event
		for i, o := range r.results.Walk {
			if o.State == graph.Failed {
				e := r.steps[i].line("failed", status, graph.Access)
				e.Message = o.Message
				events = append(events, e)
			}
		}
		return events
	}
	return []Event{{Kind: "failed", Status: status, Message: err.Error()}}
}

// eraseEvents tells what was erased, collection by collection.
func (r *run) eraseEvents() []Event {
	var events []Event
	for _, c := range r.results.Collections {
		s := r.index[c.Address]
		if c.Targeted == 0 || s == nil {
			continue
		}
		kind := "masked"
		if c.Deleted {
			kind = "deleted"
		}
		e := s.line(kind, logComplete, graph.Erasure)
		e.Rows, e.Message, e.Fields = c.Masked, c.Message, s.erased()
		events = append(events, e)
	}
	return events
}

// selected are the fields that access rules hand over.
func (s *step) selected() []FieldTouched {
	var fields []FieldTouched
	for _, sel := range s.Access {
		for _, path := range sel.Fields {
			f := s.touched(path)
			if !slices.ContainsFunc(fields, func(o FieldTouched) bool { return o.Path == f.Path }) {
				fields = append(fields, f)
			}
		}
	}
	return fields
}

// erased are the fields that erasure rules mask.
func (s *step) erased() []FieldTouched {
	var fields []FieldTouched
	for _, f := range s.Erase.Fields {
		fields = append(fields, s.touched(f.Path))
	}
	return fields
}

func (s *step) touched(path graph.Path) FieldTouched {
	t := FieldTouched{Path: path.String()}
	if f, ok := s.Collection.Field(path); ok {
		t.Categories = f.Categories
	}
	return t
}

// collectedFact sums the walk up for the audit trail.
func (r *run) collectedFact() fact {
	var rows, collections int64
	for _, o := range r.results.Walk {
		if rows += o.Rows; o.State == graph.Done {
			collections++
		}
	}
	return fact{"collected", map[string]string{"collections": strconv.FormatInt(collections, 10), "rows": strconv.FormatInt(rows, 10)}}
}

// deliveredFacts name the packages by what is in them.
func (r *run) deliveredFacts() []fact {
	var facts []fact
	for _, p := range r.results.Packages {
		facts = append(facts, fact{"delivered", map[string]string{
			"rule": p.Rule, "destination": p.Destination, "sha256": p.SHA256,
			"bytes": strconv.FormatInt(p.Bytes, 10), "rows": strconv.FormatInt(p.Rows, 10),
		}})
	}
	return facts
}

// erasedFacts say of each collection what became of its rows.
func (r *run) erasedFacts() []fact {
	var facts []fact
	for _, c := range r.results.Collections {
		if c.Targeted == 0 {
			continue
		}
		what := "masked"
		if c.Deleted {
			what = "deleted"
		}
		facts = append(facts, fact{"erased", map[string]string{
			"collection": c.Address.String(), "targeted": strconv.FormatInt(c.Targeted, 10), what: strconv.FormatInt(c.Masked, 10),
			"gone": strconv.FormatInt(c.Gone, 10), "changed": strconv.FormatInt(c.Changed, 10),
		}})
	}
	return facts
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
