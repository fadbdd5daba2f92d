package dsr

import (
	"context"
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
	open := false
	for id, t := range p.Tasks {
		if t.Action != graph.Erasure {
			continue
		}
		open = open || t.State == TaskOpen
		if out := r.results.collection(t.Collection); out != nil && t.State != TaskOpen {
			out.Targeted, out.Masked, out.Message = 1, 0, "answered by a person, but not confirmed as erased: task "+id
			if t.confirmed() {
				out.Masked, out.Message = 1, "erased by a person"
			}
		}
	}
	if !open {
		return false, nil
	}
	return true, r.commit(ctx, func(d *draft) error {
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

// letGoOfRows shreds what only the databases were for, before a request waits
// for others at its end. From then on it can neither be canceled nor begin anew:
// others may have erased what they hold.
func (r *run) letGoOfRows(ctx context.Context, d *draft) error {
	d.shred(keyInputs, keySpool)
	if d.state.Flow.Keep.Journal == 0 {
		d.forget(lifecycle.Journal)
	}
	if err := r.setResults(d); err != nil {
		return err
	}
	return d.move(ctx, lifecycle.Event{Kind: lifecycle.Erase}, By{}, nil)
}
