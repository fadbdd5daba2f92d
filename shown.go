package dsr

import (
	"context"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

// shownNames are the names that the packages of a request show.
type shownNames struct {
	names       *redact.Names
	collections map[graph.Address]*shownName
	every       bool // every column was looked through for documents
	matter      bool // names may be replaced
}

// shownName is a collection's.
type shownName struct{ dataset, collection *redact.Name }

// key is how packages call a collection.
func (n *shownNames) key(a graph.Address) string {
	c := n.collections[a]
	return c.dataset.String() + ":" + c.collection.String()
}

// message is what a package says about a collection. It may quote names, as
// when a database failed: where any are replaced, it stays in the request's
// log.
func (n *shownNames) message(text string) string {
	if text == "" || !n.names.Any() {
		return text
	}
	return "the reason is in the request's log"
}

// survey settles which names the packages show, and which columns the tables
// among them have. Documents are looked through where they may hold names that
// no dataset declares.
func (r *run) survey(ctx context.Context, parcels []*parcel, every bool) error {
	patterns := r.gen.redaction()
	names := redact.NewNames(patterns)
	r.shown = &shownNames{names: names, collections: map[graph.Address]*shownName{}, every: every}
	for _, d := range r.gen.config.Datasets {
		names.Add(nil, d.Key, redact.Setting(d.Redact))
	}
	for _, s := range r.steps {
		at := r.showAddress(s.Address())
		for path, f := range s.Collection.All() {
			field := at
			for _, name := range path[:len(path)-1] {
				field = names.Add(field, name, redact.Default)
			}
			names.Add(field, path[len(path)-1], redact.Setting(f.Redact))
		}
		for _, column := range s.columns {
			names.Add(at, column, redact.Default)
		}
	}
	for _, skip := range r.plan.Skipped {
		r.showAddress(skip.Address)
	}
	r.surveyManual()
	r.shown.matter = patterns.Any() || names.Any()
	for _, p := range parcels {
		p.shapes = map[*step]*shape{}
		for _, s := range r.steps {
			if sel := s.selection(p.rule.Key); sel != nil && s.rows > 0 && (r.shown.matter || p.options.Format.Tabular()) {
				if err := r.surveyRows(ctx, s, p, sel); err != nil {
					return err
				}
			}
		}
	}
	if names.OverBudget() {
		r.engine.config.Logger.WarnContext(ctx, "the patterns of names took too long: names that were not matched in time are not shown", "request", r.id)
	}
	return names.Number()
}

// showAddress adds the names of a collection and its dataset.
func (r *run) showAddress(a graph.Address) *redact.Name {
	names := r.shown.names
	own := redact.Default
	if c, ok := r.gen.datamap.Collection(a); ok {
		own = redact.Setting(c.Redact)
	}
	dataset := names.Add(nil, a.Dataset, redact.Default)
	collection := names.Add(dataset, a.Collection, own)
	r.shown.collections[a] = &shownName{dataset, collection}
	return collection
}

// surveyRows looks through the documents of a step.
func (r *run) surveyRows(ctx context.Context, s *step, p *parcel, sel *graph.Selection) error {
	w := r.rowMaker(s, sel)
	root := &shape{children: map[string]*shape{}}
	room := &room{left: maxColumns, root: root}
	if p.options.Format.Tabular() {
		p.shapes[s] = root
	}
	var open []*rowColumn
	for i := range w.columns {
		c := &w.columns[i]
		looked := r.shown.every || s.open(c)
		root.children[s.columns[c.at]] = &shape{leaf: !looked, room: room}
		if looked {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return nil
	}
	cursors := make([]*redact.Cursor, len(open))
	for i, c := range open {
		cursors[i] = r.shown.names.Cursor(r.shown.names.Add(r.shown.collections[s.Address()].collection, s.columns[c.at], redact.Default))
	}
	var at [][]byte
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return err
		}
		if at, err = s.splitInto(at[:0], record); err != nil {
			return err
		}
		for i, c := range open {
			v, ok, err := w.value(c, at)
			if err != nil {
				return err
			}
			if ok {
				var found *shape
				if p.shapes[s] != nil {
					found = root.children[s.columns[c.at]]
				}
				found.see(v, 1, cursors[i])
			}
		}
	}
	return nil
}

// open reports whether a column may hold documents.
func (s *step) open(c *rowColumn) bool {
	if s.schema == nil || !c.pick.whole {
		return true
	}
	column, ok := s.schema.Column(s.columns[c.at])
	return !ok || column.Kind == ColumnAny || column.Kind == ColumnDocument
}

// rowMaker returns what makes the rows that a selection picks.
func (r *run) rowMaker(s *step, sel *graph.Selection) *rowMaker {
	w := &rowMaker{step: s}
	picks := picksOf(sel.Fields)
	for i, name := range s.columns {
		p := picks[name]
		if p == nil {
			continue
		}
		shown := r.shown.names.Add(r.shown.collections[s.Address()].collection, name, redact.Default)
		c := rowColumn{at: i, pick: p, match: s.match[i], name: append(value.AppendJSONString(nil, shown.String()), ':')}
		c.plain = r.shown.matter && !r.shown.every && !s.open(&c)
		if shown.Hides() {
			c.hide = &namedField{r.shown.names.Cursor(shown)}
		}
		w.columns = append(w.columns, c)
	}
	return w
}

// namedField renames what is inside of a field.
type namedField struct{ cursor *redact.Cursor }

func (n *namedField) rename(v any) any {
	if n == nil {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			shown := n.cursor.Enter(name)
			out[shown] = n.rename(e)
			n.cursor.Leave()
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = n.rename(e)
		}
		return out
	}
	return v
}

// show describes a step to the writer of a package.
func (r *run) show(s *step, p *parcel, w *rowMaker) *storage.Collection {
	at := r.shown.collections[s.Address()]
	c := &storage.Collection{Dataset: at.dataset.String(), Name: at.collection.String()}
	locale := p.options.About.Locale
	words := func(categories []graph.Category) (out []string) {
		for _, category := range categories {
			if label := r.engine.config.Taxonomy.Label(category, locale); !slices.Contains(out, label) {
				out = append(out, label)
			}
		}
		return out
	}
	all := slices.Clone(s.Collection.Categories)
	for i := range w.columns {
		name := s.columns[w.columns[i].at]
		field := r.shown.names.Add(at.collection, name, redact.Default)
		found := declared(s.Collection, name)
		if root := p.shapes[s]; root != nil {
			found = root.children[name]
		}
		found.columns(graph.Path{name}, []string{field.String()}, r.shown.names.Cursor(field), func(path graph.Path, shown []string, whole bool) {
			column := storage.Column{Path: shown, Whole: whole}
			if f, ok := s.Collection.Field(path); ok {
				column.Categories = words(f.Categories)
			}
			c.Columns = append(c.Columns, column)
		})
	}
	for path, f := range s.Collection.All() {
		if slices.ContainsFunc(w.columns, func(c rowColumn) bool { return s.columns[c.at] == path[0] && c.pick.holds(path[1:]) }) {
			all = append(all, f.Categories...)
		}
	}
	c.Categories = words(all)
	slices.Sort(c.Categories)
	return c
}

// holds reports whether a field below is picked.
func (p *pick) holds(path graph.Path) bool {
	if p == nil || p.whole || len(path) == 0 {
		return p != nil && p.whole
	}
	return p.children[path[0]].holds(path[1:])
}
