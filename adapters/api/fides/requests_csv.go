package fides

import (
	"cmp"
	"context"
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// maxRows is how many requests are answered as CSV, as in Fides.
const maxRows = 100_000

// listAnswer is a page, or a table.
type listAnswer struct {
	page  *requestList
	table func(w http.ResponseWriter) error
}

func (a *listAnswer) respond(w http.ResponseWriter, _ *http.Request) error {
	if a.table != nil {
		return a.table(w)
	}
	writeJSON(w, http.StatusOK, a.page)
	return nil
}

// pageRows is how many requests are read at a time for a table.
const pageRows = 1000

// maxColumns is how many kinds of identity and custom fields together a table
// has columns for.
const maxColumns = 1000

// columns are those of a table that depend on its rows.
type columns struct{ kinds, labels []string }

// table answers all requests of a selection as CSV, one after the other, so that
// no table is held in memory. It goes through them twice: first for the columns.
func (d *Door) table(ctx context.Context, s *selected) (*listAnswer, error) {
	s.Page, s.Size, s.Open = 0, pageRows, true
	if !s.none && s.match == nil {
		total, err := d.engine.Requests().Count(ctx, s.Filter)
		if err != nil {
			return nil, unlisted(err)
		}
		if total > maxRows {
			return nil, refuse(http.StatusBadRequest, "Requested privacy request report would contain %d rows. A maximum of %d rows is permitted. Please narrow your date range and try again.", total, maxRows)
		}
	}
	columns, err := d.columns(ctx, s)
	if err != nil {
		return nil, err
	}
	return &listAnswer{table: func(w http.ResponseWriter) error {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", "attachment; filename=privacy_requests_download_"+d.options.Clock().UTC().Format(time.DateOnly)+".csv")
		out := csv.NewWriter(w)
		head := []string{"Status", "Request Type", "Time Received", "Deadline", "Reviewed By", "Request ID", "Time Approved/Denied", "Denial Reason", "Last Updated", "Completed On"}
		for _, kind := range columns.kinds {
			head = append(head, harmless(kind))
		}
		for _, label := range columns.labels {
			head = append(head, "Custom Field "+label)
		}
		_ = out.Write(head) // its error is told at the end
		if err := d.rows(ctx, s, columns, out); err != nil {
			callOf(ctx).note(err)
			panic(http.ErrAbortHandler) //nolint:forbidigo // half a table must not look like a whole one
		}
		return nil
	}}, nil
}

// each goes through the requests of a selection with what is sealed of them.
func (d *Door) each(ctx context.Context, s *selected, do func(*dsr.Request, *dsr.Opened) error) error {
	if s.none {
		return nil
	}
	for req, err := range d.engine.Requests().All(ctx, s.Filter) {
		if err != nil {
			return err
		}
		if s.match != nil && !s.match(req) {
			continue
		}
		o, err := d.opened(ctx, req)
		if err != nil {
			return err
		}
		if o == nil {
			o = &dsr.Opened{}
		}
		if err := do(req, o); err != nil {
			return err
		}
	}
	return nil
}

func (d *Door) columns(ctx context.Context, s *selected) (*columns, error) {
	kinds, labels := map[string]bool{}, map[string]bool{}
	for _, kind := range d.engine.IdentityKinds() {
		kinds[kind] = true
	}
	err := d.each(ctx, s, func(_ *dsr.Request, o *dsr.Opened) error {
		for kind := range o.Identities {
			kinds[kind] = true
		}
		for key, f := range o.Fields {
			labels[labelOf(key, f)] = true
		}
		if len(kinds)+len(labels) > maxColumns {
			return refuse(http.StatusBadRequest, "The table would have more than %d columns of identities and custom fields. Please narrow your date range and try again.", maxColumns)
		}
		return nil
	})
	return &columns{slices.Sorted(maps.Keys(kinds)), slices.Sorted(maps.Keys(labels))}, unlisted(err)
}

// labelOf is what a custom field is called.
func labelOf(key string, f dsr.Field) string { return cmp.Or(f.Label, key) }

func (d *Door) rows(ctx context.Context, s *selected, c *columns, out *csv.Writer) error {
	err := d.each(ctx, s, func(req *dsr.Request, o *dsr.Opened) error { return out.Write(c.row(req, o)) })
	if err != nil {
		return err
	}
	out.Flush()
	return out.Error()
}

// row is a request as a line of the table.
func (c *columns) row(req *dsr.Request, o *dsr.Opened) []string {
	actions := make([]string, len(req.Actions))
	for i, a := range req.Actions {
		actions[i] = string(a)
	}
	review, reason := reviewOf(req, o), ""
	if review.Action == "denied" {
		reason = review.Reason
	}
	cells := append(make([]string, 0, 10+len(c.kinds)+len(c.labels)),
		string(req.Status), strings.Join(actions, "+"), cell(req.CreatedAt), cell(req.DeadlineAt), review.Actor, req.ID, cell(req.ReviewedAt), reason,
		cell(req.UpdatedAt), cell(req.FinishedAt))
	for _, kind := range c.kinds {
		cells = append(cells, strings.Join(o.Identities[kind], ", "))
	}
	fields := map[string][]string{}
	for _, key := range slices.Sorted(maps.Keys(o.Fields)) {
		label := labelOf(key, o.Fields[key])
		fields[label] = append(fields[label], fieldTexts(o.Fields[key].Value)...)
	}
	for _, label := range c.labels {
		cells = append(cells, strings.Join(fields[label], ", "))
	}
	for i, text := range cells {
		cells[i] = harmless(text)
	}
	return cells
}

func cell(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(stampLayout)
}

// harmless keeps a spreadsheet from taking a cell for a formula, as the tables
// of data packages do.
func harmless(c string) string {
	first := strings.TrimLeft(c, " \"")
	if first != "" && strings.ContainsAny(first[:1], "=+-@'\t\r\n;") || slices.ContainsFunc([]string{"＝", "＋", "－", "＠"}, func(s string) bool { return strings.HasPrefix(first, s) }) {
		return "'" + c
	}
	return c
}
