package fides

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// maxLines is how many lines a verbose list shows for each dataset, as in Fides.
const maxLines = 1000

// Statuses of lines that are told apart here, by Fides' names.
const (
	statusError    = "error"
	statusRetrying = "retrying"
)

// system is who decided what no person did, as in Fides.
const system = "system"

// verbose adds what was done in each dataset and, as datasets of their own, what
// was decided.
func (d *Door) verbose(ctx context.Context, item *requestView, req *dsr.Request, o *dsr.Opened) error {
	events, err := d.engine.Requests().Log(ctx, req.ID, 0, 0)
	if err != nil {
		return requestFailure(req.ID, err)
	}
	item.Results, item.Tasks = map[string][]logLine{}, worst(events)
	add := func(l *logLine) {
		if name := text(l.DatasetName); len(item.Results[name]) < maxLines {
			item.Results[name] = append(item.Results[name], *l)
		}
	}
	for i := range events {
		e := &events[i]
		if e.Kind == "complete" { // the decision tells it
			continue
		}
		l := lineOf(e)
		if e.Kind == "hook told" && strings.HasPrefix(e.Message, string(dsr.HookPreApproval)+" ") {
			l.DatasetName, l.Status = textOf("Triggered pre-approval webhooks"), "pre_approval_webhook_triggered"
		}
		add(&l)
	}
	decided, err := d.decisions(ctx, req, o)
	if err != nil {
		return err
	}
	for i := range decided {
		add(&decided[i])
	}
	return nil
}

// decisions are what was decided on a request, by the audit trail, in the words
// of Fides' audit log. Who did it, and why, is known until the request is
// forgotten.
func (d *Door) decisions(ctx context.Context, req *dsr.Request, o *dsr.Opened) ([]logLine, error) {
	if o == nil {
		o = &dsr.Opened{}
	}
	var lines []logLine
	var admitted time.Time // without a decision since; zero for none
	for e, err := range d.engine.Audit().Entries(ctx, req.ID) {
		if err != nil {
			return nil, err
		}
		l := logLine{Fields: []touchedField{}, UpdatedAt: stampOf(e.Time), UserID: textOf(system)}
		if e.Actor != "" {
			m := remarkOf(o, &e)
			l.UserID, l.Message = textOf(m.Actor), textOf(m.Reason)
		}
		add := func(dataset, status string) {
			l.DatasetName, l.Status = textOf(dataset), status
			lines = append(lines, l)
		}
		switch e.Action {
		case "received", "identity verified", "resubmitted":
			admitted = e.Time
		case "approved":
			admitted = time.Time{}
			add("Request approved", "approved")
		case "denied":
			admitted = time.Time{}
			add("Request denied", "denied")
		case "canceled":
			admitted = time.Time{}
			add("Request canceled", "canceled")
		case "pre-approval answered":
			l.Message = textOf("check " + e.Details["check"] + " answered: eligible")
			add("Pre-approval webhook answered", "pre_approval_eligible")
		case "pre-approved":
			if removed := e.Details["removed"]; removed != "" { // nobody answered now
				l.Message = textOf("removed: " + removed)
			} else {
				l.Message = textOf("check " + e.Details["check"] + " answered: eligible")
				add("Pre-approval webhook answered", "pre_approval_eligible")
				l.Message = nil
			}
			add("Request auto-approved by pre-approval webhooks", "pre_approval_eligible")
			admitted, l.Message = time.Time{}, textOf("all checks answered: eligible")
			add("Request approved", "approved")
		case "pre-approval refused":
			l.Message = textOf("check " + e.Details["check"] + " answered: not eligible")
			add("Request flagged for manual review by pre-approval webhooks", "pre_approval_not_eligible")
		case "started":
			lines, admitted = appendAutomatic(lines, admitted), time.Time{}
		case "finalized":
			add("Request finalized", "complete")
			l.UserID, l.Message = textOf(system), nil
			add("Request finished", "finished")
		case "completed":
			add("Request finished", "finished")
		}
	}
	if req.Status == dsr.StatusApproved {
		lines = appendAutomatic(lines, admitted)
	}
	return lines, nil
}

// appendAutomatic adds the approval of a request that nobody had to approve.
func appendAutomatic(lines []logLine, admitted time.Time) []logLine {
	if admitted.IsZero() {
		return lines
	}
	return append(lines, logLine{
		DatasetName: textOf("Request approved"), Status: "approved", Fields: []touchedField{}, UpdatedAt: stampOf(admitted), UserID: textOf(system),
	})
}

// remarkOf is what whoever is named in an entry of the audit trail said.
func remarkOf(o *dsr.Opened, e *dsr.AuditEntry) dsr.Remark {
	for _, m := range o.Remarks {
		if m.Action == e.Action && m.Time.Equal(e.Time) {
			return m
		}
	}
	return dsr.Remark{}
}

// worst is the worst status by dataset, as the collections of the newest plan
// have them; it leaves out what is done or goes on, as Fides does.
func worst(events []dsr.Event) map[string]string {
	type task struct {
		collection string
		action     graph.Action
	}
	latest := map[task]string{}
	for i := range events {
		e := &events[i]
		if e.Kind == "planned" {
			clear(latest)
		}
		if strings.Contains(e.Collection, ":") {
			latest[task{e.Collection, e.Action}] = e.Status
		}
	}
	bad := []string{statusError, "awaiting_processing", "polling", statusRetrying, "skipped"}
	found := map[string]string{}
	for t, status := range latest {
		dataset, _, _ := strings.Cut(t.collection, ":")
		rank, before := slices.Index(bad, status), slices.Index(bad, found[dataset])
		if rank >= 0 && (before < 0 || rank < before) {
			found[dataset] = status
		}
	}
	return found
}
