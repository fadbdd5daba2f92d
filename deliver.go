package dsr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/storage"
)

// deliverStage writes one data package for each access rule. A package that
// cannot be delivered stops the request before anything is erased.
func (r *run) deliverStage(ctx context.Context) error {
	if err := r.loadCollected(ctx); err != nil {
		return err
	}
	if err := r.foretell(ctx); err != nil {
		return err
	}
	parcels, err := r.parcels(ctx)
	if err != nil {
		return err
	}
	if r.answers, err = r.papers(ctx); err != nil {
		return err
	}
	if r.manual = nil; len(parcels) > 0 {
		r.manual = r.answers.manualCollections()
	}
	events, err := r.deliverAll(ctx, parcels, false)
	if errors.Is(err, errDocument) {
		r.engine.config.Logger.WarnContext(ctx, "a column held documents that its schema does not tell of: all columns are looked through", "request", r.id)
		events, err = r.deliverAll(ctx, parcels, true)
	}
	if err != nil {
		return err
	}
	r.results.Former = slices.DeleteFunc(r.results.Former, func(f PackageOutcome) bool {
		return slices.ContainsFunc(r.results.Packages, f.same)
	})
	if !r.plan.Policy.Has(graph.Erasure) {
		return r.stage(ctx, StageFinish, r.deliveredFacts(), events...)
	}
	return r.stage(ctx, StageJournal, r.deliveredFacts(), events...)
}

// deliverAll settles the names and writes every package. Every column is looked
// through for documents if so wanted, else those that may hold some.
func (r *run) deliverAll(ctx context.Context, parcels []*parcel, every bool) (events []Event, err error) {
	if err := r.survey(ctx, parcels, every); err != nil {
		return nil, err
	}
	r.results.Packages = nil
	for i, p := range parcels {
		out, err := r.deliver(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("package of rule %q: %w", p.rule.Key, err)
		}
		r.results.Packages = append(r.results.Packages, out)
		events = append(events, Event{Kind: "delivered", Action: graph.Access, Status: logComplete, Rows: out.Rows, Message: "package of rule " + p.rule.Key + " to " + out.Destination})
		r.progress(ctx, Progress{Stage: StageDeliver, Done: int64(i + 1), Total: int64(len(parcels)), Rows: out.Rows})
		fault.Point(ctx, "delivered "+p.rule.Key)
	}
	return events, nil
}

// accessRules are those that each give a package.
func (r *run) accessRules() []graph.Rule {
	return slices.DeleteFunc(slices.Clone(r.plan.Policy.Rules), func(rule graph.Rule) bool { return rule.Action != graph.Access })
}

// foretell notes which packages the request may leave at its destinations. The
// commit that begins the delivery stores it: whatever comes in between, each
// package is known to the request before it is visible.
func (r *run) foretell(ctx context.Context) error {
	parcels, err := r.parcels(ctx)
	if err != nil {
		return err
	}
	former := append(r.results.Former, r.results.Packages...)
	r.results.Packages = nil
	for _, p := range parcels {
		former = append(former, p.outcome())
	}
	r.results.Former = nil
	for _, p := range former {
		if !slices.ContainsFunc(r.results.Former, p.same) {
			r.results.Former = append(r.results.Former, p)
		}
	}
	return nil
}

// same reports whether two packages have one place. In another version of the
// catalogue a destination may be another place.
func (p PackageOutcome) same(o PackageOutcome) bool {
	return p.Destination == o.Destination && p.Catalogue == o.Catalogue && p.Name == o.Name
}

// parcel is a package that is to be delivered.
type parcel struct {
	rule    graph.Rule
	key     string // of the destination
	from    int64  // the version of the catalogue that has it
	to      Destination
	options storage.PackageOptions
	shapes  map[*step]*shape // for a tabular format
	first   bool             // takes what people answered outside of the data map
	attach  func(*paperFile) (string, error)
	paths   map[string]string // of attached files, by ID
}

// outcome is what is known of a parcel before it is written.
func (p *parcel) outcome() PackageOutcome {
	return PackageOutcome{
		Rule: p.rule.Key, Destination: p.key, Catalogue: p.from,
		Name: p.options.FileName(), Manifest: p.options.Name + storage.ManifestSuffix,
	}
}

// parcels are the packages of the request, named after it, and after the rule
// where there are several.
func (r *run) parcels(ctx context.Context) ([]*parcel, error) {
	rules := r.accessRules()
	if len(rules) == 0 {
		return nil, nil
	}
	sub, err := r.subject(ctx)
	if err != nil {
		return nil, err
	}
	rec, c := r.record(), &r.gen.config
	about := &storage.About{RequestID: r.id, RequestedAt: rec.RequestedAt, Created: c.Clock().UTC(), Locale: sub.Locale}
	for _, kind := range Identities(sub.Identities).Kinds() {
		about.Identities = append(about.Identities, storage.Identity{Kind: kind, Values: sub.Identities[kind]})
	}
	var parcels []*parcel
	for _, rule := range rules {
		key, err := r.destination(rule)
		if err != nil {
			return nil, fmt.Errorf("package of rule %q: %w", rule.Key, err)
		}
		p := &parcel{rule: rule, key: key, from: r.gen.provenance(key), first: len(parcels) == 0, to: c.Destinations[key], options: storage.PackageOptions{Name: r.id, About: about}}
		if len(rules) > 1 {
			p.options.Name += "-" + rule.Key
		}
		if p.options.Format = p.to.Format; p.options.Format == nil {
			p.options.Format = storage.JSON{}
		}
		if err := r.gen.encrypt(&p.options, &p.to, sub.encryption()); err != nil {
			return nil, fmt.Errorf("package of rule %q: %w", rule.Key, err)
		}
		parcels = append(parcels, p)
	}
	return parcels, nil
}

func (r *run) deliver(ctx context.Context, p *parcel) (PackageOutcome, error) {
	watch := newWatch(ctx, deliverFor)
	defer watch.end()
	out, err := r.upload(watch, p)
	return out, watch.explain(err)
}

// deliverFor is how long a destination may take over a step of an upload.
const deliverFor = 2 * time.Minute

// watchedStorage is a destination that is watched while it is asked, and only
// then.
type watchedStorage struct {
	storage.Destination
	watch *watch
}

func (d *watchedStorage) Create(ctx context.Context, name string) (storage.Upload, error) {
	d.watch.resume()
	defer d.watch.pause()
	up, err := d.Destination.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	return &watchedUpload{Upload: up, watch: d.watch}, nil
}

type watchedUpload struct {
	storage.Upload
	watch *watch
}

func (u *watchedUpload) Write(p []byte) (int, error) {
	u.watch.resume()
	defer u.watch.pause()
	return u.Upload.Write(p)
}

func (u *watchedUpload) Commit(ctx context.Context) error {
	u.watch.resume()
	defer u.watch.pause()
	return u.Upload.Commit(ctx)
}

// upload writes a package and its manifest.
func (r *run) upload(watch *watch, p *parcel) (PackageOutcome, error) {
	ctx := watch.ctx
	watch.pause()
	pack, err := storage.Create(ctx, &watchedStorage{p.to.Storage, watch}, p.options)
	if err != nil {
		return PackageOutcome{}, err
	}
	defer func() { _ = pack.Abort() }()
	p.paths = map[string]string{}
	p.attach = func(f *paperFile) (string, error) { return pack.Attach(watch.attachment(r.attachment(f))) }
	manifest := &storage.Manifest{RequestID: r.id, Policy: r.plan.Policy.Key, Rule: p.rule.Key, Created: p.options.About.Created}
	if manifest.Collections, err = r.writeCollections(ctx, p, pack); err != nil {
		return PackageOutcome{}, err
	}
	if err := r.attach(watch, p, pack); err != nil {
		return PackageOutcome{}, err
	}
	if err := pack.Commit(ctx, manifest); err != nil {
		return PackageOutcome{}, err
	}
	out := p.outcome()
	out.Bytes, out.SHA256, out.Rows = manifest.Bytes, manifest.SHA256, manifest.Rows
	return out, nil
}

// attach adds the host's files. What the host does is watched as a destination
// is.
func (r *run) attach(watch *watch, p *parcel, out storage.Writer) (err error) {
	from := r.engine.config.Attachments
	if from == nil {
		return nil
	}
	defer recovered(&err)
	watch.resume()
	files, err := from(watch.ctx, r.record().show(&r.results), p.rule.Key)
	watch.pause()
	if err != nil {
		return fmt.Errorf("dsr: Config.Attachments: %w", err)
	}
	for _, file := range files {
		if file == nil || file.Open == nil {
			return errors.New("dsr: Config.Attachments: a file has no Open")
		}
		if _, err := out.Attach(watch.attachment(file)); err != nil {
			return err
		}
	}
	return nil
}

// attachment is a file that is watched while it is read.
func (w *watch) attachment(a *storage.Attachment) *storage.Attachment {
	watched := *a
	watched.Open = func(ctx context.Context) (io.ReadCloser, error) {
		w.resume()
		defer w.pause()
		r, err := a.Open(ctx)
		if err != nil {
			return nil, err
		}
		return &watchedFile{r, w}, nil
	}
	return &watched
}

type watchedFile struct {
	io.ReadCloser
	watch *watch
}

func (f *watchedFile) Read(p []byte) (int, error) {
	f.watch.resume()
	defer f.watch.pause()
	return f.ReadCloser.Read(p)
}

func (r *run) writeCollections(ctx context.Context, p *parcel, out storage.Writer) ([]storage.ManifestCollection, error) {
	order := slices.Clone(r.steps)
	slices.SortFunc(order, func(a, b *step) int { return storage.CompareKeys(r.shown.key(a.Address()), r.shown.key(b.Address())) })
	var told []storage.ManifestCollection
	for _, s := range order {
		before := out.Rows()
		outcome := r.results.Walk[s.number]
		message := outcome.Message
		if sel := s.selection(p.rule.Key); sel != nil && s.rows > 0 {
			odd, err := r.writeRows(ctx, s, p, sel, out)
			if err != nil {
				return nil, err
			}
			if odd > 0 {
				message = fmt.Sprintf("left out values that are no objects, though the dataset declares fields inside: %d; correct the dataset or the rows", odd)
			}
		}
		told = append(told, storage.ManifestCollection{
			Address: r.shown.key(s.Address()), State: string(outcome.State), Rows: out.Rows() - before,
			Uncastable: outcome.Uncastable, Message: r.shown.message(message),
		})
	}
	for _, skip := range r.plan.Skipped {
		told = append(told, storage.ManifestCollection{
			Address: r.shown.key(skip.Address), State: storage.StateSkipped, Message: r.shown.message(skip.Reason),
		})
	}
	if p.first {
		answers, err := r.writeManual(p, out)
		if err != nil {
			return nil, err
		}
		told = append(told, answers...)
	}
	slices.SortFunc(told, func(a, b storage.ManifestCollection) int { return strings.Compare(a.Address, b.Address) })
	return told, nil
}

// selection is what a rule selects of a step; nil for nothing.
func (s *step) selection(rule string) *graph.Selection {
	at := slices.IndexFunc(s.Access, func(sel graph.Selection) bool { return sel.Rule == rule })
	if at < 0 {
		return nil
	}
	return &s.Access[at]
}

// writeRows writes what a rule selects of a step's rows. A row in which it
// selects nothing that is there is left out. It counts the values that could
// not be looked into, because they are no objects.
func (r *run) writeRows(ctx context.Context, s *step, p *parcel, sel *graph.Selection, out storage.Writer) (odd int64, err error) {
	w := r.rowMaker(s, sel)
	if s.conn.asker != nil {
		if r.dropUnasked(s, w); len(w.columns) == 0 {
			return 0, nil
		}
	}
	if err := out.Collection(r.show(s, p, w)); err != nil {
		return 0, err
	}
	var at [][]byte
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return w.odd, err
		}
		if s.conn.asker != nil {
			if record, err = r.withFiles(s, p, w, record); err != nil {
				return w.odd, err
			}
		}
		if at, err = s.splitInto(at[:0], record); err != nil {
			return w.odd, err
		}
		row, err := w.row(at)
		if err != nil {
			return w.odd, err
		}
		if len(row) == len("{}") {
			continue
		}
		if err := out.Row(row); err != nil {
			return w.odd, err
		}
	}
	return w.odd, nil
}

// rowMaker makes the rows of a package from what was spooled of a step.
type rowMaker struct {
	step    *step
	columns []rowColumn
	odd     int64 // values that are no objects to pick from
	buf     []byte
}

// errDocument says that a value holds names that were not looked at.
var errDocument = errors.New("a document is where its column's kind has none")

// rowColumn is a picked column.
type rowColumn struct {
	at    int
	pick  *pick
	match *matchNode
	name  []byte // as it is shown, in JSON, with a colon
	hide  *namedField
	plain bool // no documents are expected, and names in them would be missed
}

// row returns a spooled row as a JSON object with the picked fields. The slice
// is valid until the next call.
func (w *rowMaker) row(at [][]byte) ([]byte, error) {
	dst := append(w.buf[:0], '{')
	for i := range w.columns {
		c := &w.columns[i]
		start := len(dst)
		if start > 1 {
			dst = append(dst, ',')
		}
		dst = append(dst, c.name...)
		if c.plain && value.IsDocument(at[c.at]) {
			return nil, fmt.Errorf("%s.%s: %w", w.step.Address(), w.step.columns[c.at], errDocument)
		}
		if c.pick.whole && c.match == nil && c.hide == nil {
			var err error
			if dst, _, err = value.TranscodeJSON(dst, at[c.at]); err != nil {
				return nil, w.step.damaged(err)
			}
			continue
		}
		v, ok, err := w.value(c, at)
		if err != nil {
			return nil, err
		}
		if !ok {
			dst = dst[:start]
			continue
		}
		dst = value.AppendJSON(dst, c.hide.rename(v))
	}
	w.buf = append(dst, '}')
	return w.buf, nil
}

// value is what is picked of a column; not ok for nothing that is there.
func (w *rowMaker) value(c *rowColumn, at [][]byte) (any, bool, error) {
	v, _, err := value.Decode(at[c.at])
	if err != nil {
		return nil, false, w.step.damaged(err)
	}
	if c.match != nil {
		belongs, _ := c.match.match(v)
		v = belongs.prune(v)
	}
	v, ok := c.pick.pick(v, &w.odd)
	return v, ok, nil
}

func (s *step) damaged(err error) error {
	return fmt.Errorf("dsr: a spooled row of %s is damaged: %w", s.Address(), err)
}
