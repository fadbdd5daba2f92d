package dsr

import (
	"context"
	"maps"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/lifecycle"
)

// askErasures lets people erase what they hold, once the databases are done.
func (r *run) askErasures(ctx context.Context) (waits bool, err error) {
	if r.plan == nil || !slices.ContainsFunc(r.steps, func(s *step) bool { return s.conn.asker != nil && s.erases() }) {
		return false, nil
	}
	p, err := r.papers(ctx)
	if err != nil {
		return false, err
	}
	open := slices.ContainsFunc(slices.Collect(maps.Values(p.Tasks)), func(t *paperTask) bool {
		return t.Action == graph.Erasure && t.State == TaskOpen
	})
	if !open {
		return false, r.tellErasures(ctx, p)
	}
	return true, r.commitResults(ctx, func(d *draft) error {
		awaits, err := r.keepTasks(ctx, d, func(t *paperTask) bool { return t.Action == graph.Erasure })
		if err != nil {
			return err
		}
		if err := r.letGoOfRows(ctx, d); err != nil {
			return err
		}
		return d.move(ctx, lifecycle.Event{Kind: lifecycle.AskPerson, Awaits: awaits}, By{}, nil)
	})
}

// tellErasures puts into the outcomes, the log and the audit trail what people
// said of what they were to erase, once.
func (r *run) tellErasures(ctx context.Context, p *papers) error {
	var facts []fact
	var events []Event
	was := r.results.Collections
	r.results.Collections = slices.Clone(was)
	for _, id := range slices.Sorted(maps.Keys(p.Tasks)) {
		t := p.Tasks[id]
		s := r.index[t.Collection]
		if t.Action != graph.Erasure || s == nil {
			continue
		}
		out := r.results.collection(t.Collection)
		if out.Targeted > 0 { // told before
			continue
		}
		out.Targeted, out.Message = 1, "answered by a person, but not confirmed as erased: task "+id
		kind, status := "not confirmed as erased", logSkipped
		if t.confirmed() {
			kind, status, out.Masked, out.Message = "erased by a person", logComplete, 1, "erased by a person"
		}
		facts = append(facts, fact{kind, map[string]string{"collection": t.Collection.String(), "task": id}})
		e := s.line(kind, status, graph.Erasure)
		e.Rows, e.Message, e.Fields = out.Masked, out.Message, s.erased()
		events = append(events, e)
	}
	if len(facts) == 0 {
		return nil
	}
	err := r.commit(ctx, func(d *draft) error {
		for _, f := range facts {
			if err := d.note(ctx, f.action, "", f.details); err != nil {
				return err
			}
		}
		d.event(events...)
		return r.setResults(d)
	})
	if err != nil {
		r.results.Collections = was
	}
	return err
}

// confirmed reports whether a person says that all is erased.
func (t *paperTask) confirmed() bool {
	yes := t.State == TaskCompleted
	for key, a := range t.Answers {
		if f := t.field(key); f != nil && f.Type == TaskCheckbox && (a.Skipped || !a.Checked) {
			yes = false
		}
	}
	return yes
}

// unconfirmed names the collections and forms of which people were to say what
// they erased, and did not say that it was everything.
func (r *run) unconfirmed(ctx context.Context) (names []string, err error) {
	if !slices.Contains(r.record().Actions, graph.Erasure) {
		return nil, nil
	}
	p, err := r.papers(ctx)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(p.Tasks)) {
		if t := p.Tasks[id]; t.Action == graph.Erasure && r.index[t.Collection] != nil && !t.confirmed() {
			names = append(names, t.Collection.String())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.Forms)) {
		if up := p.Forms[id]; up.Action == graph.Erasure && !up.confirmed() {
			names = append(names, r.engine.forms.name(up.Form))
		}
	}
	return names, nil
}

// confirmed reports whether a form says that all is erased, or that there was
// nothing. What is left blank beside other fields is not confirmed.
func (p *paper) confirmed() bool {
	return p.Upload.Empty || !slices.ContainsFunc(p.Upload.Labels, func(label string) bool { return p.Upload.Values[label] != true })
}

// tellPackages tells the data subject of packages that were delivered, once,
// before the request waits for others. Where a person finalizes, that one looks
// at all of it first.
func (r *run) tellPackages(ctx context.Context, d *draft) error {
	if r.results.PackagesTold || len(r.results.Packages) == 0 || d.state.Flow.Finalize {
		return nil
	}
	if err := d.notify(ctx, Notice{Kind: NoticePackage, Packages: r.results.packageNames()}); err != nil {
		return err
	}
	r.results.PackagesTold = true
	return nil
}

func (res *results) packageNames() (names []string) {
	for _, p := range res.Packages {
		names = append(names, p.Name)
	}
	return names
}

// completion is the notice that a request came to its good end.
func (res *results) completion() Notice {
	n := Notice{Kind: NoticeComplete, Unconfirmed: res.Unconfirmed}
	if !res.PackagesTold {
		n.Packages = res.packageNames()
	}
	for _, v := range res.Vendors {
		if !v.AskedAt.IsZero() {
			n.Asked = append(n.Asked, v.Name)
		}
	}
	return n
}

// letGoOfRows shreds what only the databases were for and tells of the packages,
// before a request waits for others at its end. From then on it can neither be canceled nor begin anew:
// others may have erased what they hold.
func (r *run) letGoOfRows(ctx context.Context, d *draft) error {
	d.shred(keyInputs, keySpool)
	if d.state.Flow.Keep.Journal == 0 {
		d.forget(lifecycle.Journal)
	}
	if err := r.tellPackages(ctx, d); err != nil {
		return err
	}
	if err := r.setResults(d); err != nil {
		return err
	}
	return d.move(ctx, lifecycle.Event{Kind: lifecycle.Erase}, By{}, nil)
}
