package dsr

import (
	"context"
	"encoding/hex"
	"fmt"
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
	rules := r.accessRules()
	if err := r.foretell(); err != nil {
		return err
	}
	var events []Event
	for i, rule := range rules {
		p, err := r.deliver(ctx, rule, len(rules) > 1)
		if err != nil {
			return fmt.Errorf("package of rule %q: %w", rule.Key, err)
		}
		r.results.Packages = append(r.results.Packages, p)
		events = append(events, Event{Kind: "delivered", Action: graph.Access, Status: logComplete, Rows: p.Rows, Message: "package of rule " + rule.Key + " to " + p.Destination})
		r.progress(ctx, Progress{Stage: StageDeliver, Done: int64(i + 1), Total: int64(len(rules)), Rows: p.Rows})
		fault.Point(ctx, "delivered "+rule.Key)
	}
	r.results.Former = slices.DeleteFunc(r.results.Former, func(f PackageOutcome) bool {
		return slices.ContainsFunc(r.results.Packages, f.same)
	})
	if !r.plan.Policy.Has(graph.Erasure) {
		return r.stage(ctx, StageFinish, r.deliveredFacts(), events...)
	}
	return r.stage(ctx, StageJournal, r.deliveredFacts(), events...)
}

// accessRules are those that each give a package.
func (r *run) accessRules() []graph.Rule {
	return slices.DeleteFunc(slices.Clone(r.plan.Policy.Rules), func(rule graph.Rule) bool { return rule.Action != graph.Access })
}

// foretell notes which packages the request may leave at its destinations. The
// commit that begins the delivery stores it: whatever comes in between, each
// package is known to the request before it is visible.
func (r *run) foretell() error {
	former := append(r.results.Former, r.results.Packages...)
	r.results.Packages = nil
	rules := r.accessRules()
	for _, rule := range rules {
		key, err := r.engine.destination(rule)
		if err != nil {
			return fmt.Errorf("package of rule %q: %w", rule.Key, err)
		}
		former = append(former, PackageOutcome{Rule: rule.Key, Destination: key, Name: r.packageName(rule, len(rules) > 1) + ".json"})
	}
	r.results.Former = nil
	for _, p := range former {
		if !slices.ContainsFunc(r.results.Former, p.same) {
			r.results.Former = append(r.results.Former, p)
		}
	}
	return nil
}

// same reports whether two packages have one place.
func (p PackageOutcome) same(o PackageOutcome) bool {
	return p.Destination == o.Destination && p.Name == o.Name
}

// packageName is the request's id, with the rule where there are several.
func (r *run) packageName(rule graph.Rule, several bool) string {
	if several {
		return r.id + "-" + rule.Key
	}
	return r.id
}

func (r *run) deliver(ctx context.Context, rule graph.Rule, several bool) (PackageOutcome, error) {
	key, err := r.engine.destination(rule)
	if err != nil {
		return PackageOutcome{}, err
	}
	dest, name := r.engine.config.Destinations[key], r.packageName(rule, several)
	watch := newWatch(ctx, deliverFor)
	defer watch.end()
	p, err := r.upload(watch, rule, dest, name)
	p.Destination = key
	return p, watch.explain(err)
}

// deliverFor is how long a destination may take over a step of an upload.
const deliverFor = 2 * time.Minute

// watchedUpload is an upload whose destination is watched while it is asked.
type watchedUpload struct {
	storage.Upload
	watch *watch
}

func (u *watchedUpload) Write(p []byte) (int, error) {
	u.watch.resume()
	defer u.watch.pause()
	return u.Upload.Write(p)
}

// upload writes a package and its manifest.
func (r *run) upload(watch *watch, rule graph.Rule, dest storage.Destination, name string) (PackageOutcome, error) {
	ctx := watch.ctx
	raw, err := dest.Create(ctx, name+".json")
	if err != nil {
		return PackageOutcome{}, err
	}
	defer func() { _ = raw.Abort() }()
	watch.pause()
	up := &watchedUpload{Upload: raw, watch: watch}
	out := storage.NewJSON(up)
	manifest := &storage.Manifest{
		RequestID: r.id, Policy: r.plan.Policy.Key, Rule: rule.Key,
		Created: r.engine.config.Clock(), Package: name + ".json",
	}
	if err := r.writeCollections(ctx, rule, out, manifest); err != nil {
		return PackageOutcome{}, err
	}
	if err := out.Close(); err != nil {
		return PackageOutcome{}, err
	}
	manifest.Bytes, manifest.SHA256, manifest.Rows = out.Bytes(), hex.EncodeToString(out.Sum()), out.Rows()
	watch.resume()
	if err := storage.WriteManifest(ctx, dest, name, manifest); err != nil {
		return PackageOutcome{}, err
	}
	if err := up.Commit(ctx); err != nil {
		return PackageOutcome{}, err
	}
	return PackageOutcome{
		Rule: rule.Key, Name: manifest.Package,
		Bytes: manifest.Bytes, SHA256: manifest.SHA256, Rows: manifest.Rows,
	}, nil
}

func (r *run) writeCollections(ctx context.Context, rule graph.Rule, out *storage.JSON, manifest *storage.Manifest) error {
	order := slices.Clone(r.steps)
	slices.SortFunc(order, func(a, b *step) int { return storage.CompareKeys(a.Address().String(), b.Address().String()) })
	for _, s := range order {
		before := out.Rows()
		outcome := r.results.Walk[s.number]
		message := outcome.Message
		if at := slices.IndexFunc(s.Access, func(sel graph.Selection) bool { return sel.Rule == rule.Key }); at >= 0 && s.rows > 0 {
			odd, err := r.writeRows(ctx, s, s.Access[at], out)
			if err != nil {
				return err
			}
			if odd > 0 {
				message = fmt.Sprintf("left out values that are no objects, though the dataset declares fields inside: %d; correct the dataset or the rows", odd)
			}
		}
		manifest.Collections = append(manifest.Collections, storage.ManifestCollection{
			Address: s.Address().String(), State: string(outcome.State), Rows: out.Rows() - before,
			Uncastable: outcome.Uncastable, Message: message,
		})
	}
	for _, skip := range r.plan.Skipped {
		manifest.Collections = append(manifest.Collections, storage.ManifestCollection{
			Address: skip.Address.String(), State: storage.StateSkipped, Message: skip.Reason,
		})
	}
	slices.SortFunc(manifest.Collections, func(a, b storage.ManifestCollection) int { return strings.Compare(a.Address, b.Address) })
	return nil
}

// writeRows writes what a rule selects of a step's rows. A row in which it
// selects nothing that is there is left out. It counts the values that could
// not be looked into, because they are no objects.
func (r *run) writeRows(ctx context.Context, s *step, sel graph.Selection, out *storage.JSON) (odd int64, err error) {
	picks := picksOf(sel.Fields)
	var at [][]byte
	var row []byte
	if err := out.Collection(s.Address().String()); err != nil {
		return odd, err
	}
	for record, err := range r.records(ctx, s) {
		if err != nil {
			return odd, err
		}
		if at, err = s.splitInto(at[:0], record); err != nil {
			return odd, err
		}
		if row, err = s.appendRow(row[:0], at, picks, &odd); err != nil {
			return odd, err
		}
		if len(row) == len("{}") {
			continue
		}
		if err := out.Row(row); err != nil {
			return odd, err
		}
	}
	return odd, nil
}

// pick is a tree of selected fields.
type pick struct {
	whole    bool
	children map[string]*pick
}

func picksOf(paths []graph.Path) map[string]*pick {
	root := &pick{}
	for _, path := range paths {
		node := root
		for _, name := range path {
			if node.children == nil {
				node.children = map[string]*pick{}
			}
			if node.children[name] == nil {
				node.children[name] = &pick{}
			}
			node = node.children[name]
		}
		node.whole = true
	}
	return root.children
}

// appendRow appends a row as a JSON object with the picked fields and counts
// odd values as pick does.
func (s *step) appendRow(dst []byte, at [][]byte, picks map[string]*pick, odd *int64) ([]byte, error) {
	dst = append(dst, '{')
	empty := true
	for i, name := range s.columns {
		p := picks[name]
		if p == nil {
			continue
		}
		start := len(dst)
		if !empty {
			dst = append(dst, ',')
		}
		dst = append(value.AppendJSONString(dst, name), ':')
		node := s.match[i]
		if p.whole && node == nil {
			var err error
			if dst, _, err = value.TranscodeJSON(dst, at[i]); err != nil {
				return nil, fmt.Errorf("dsr: a spooled row of %s is damaged: %w", s.Address(), err)
			}
			empty = false
			continue
		}
		v, _, err := value.Decode(at[i])
		if err != nil {
			return nil, fmt.Errorf("dsr: a spooled row of %s is damaged: %w", s.Address(), err)
		}
		if node != nil {
			belongs, _ := node.match(v)
			v = belongs.prune(v)
		}
		v, ok := p.pick(v, odd)
		if !ok {
			dst = dst[:start]
			continue
		}
		dst, empty = value.AppendJSON(dst, v), false
	}
	return append(dst, '}'), nil
}

// pick returns the picked part of a value; not ok when nothing of it is there.
// It counts values that hold something, but no object to pick from.
func (p *pick) pick(v any, odd *int64) (any, bool) {
	if p.whole {
		return v, true
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, child := range p.children {
			if e, ok := v[name]; ok {
				if e, ok = child.pick(e, odd); ok {
					out[name] = e
				}
			}
		}
		return out, len(out) > 0
	case []any:
		out := []any{}
		for _, e := range v {
			if e, ok := p.pick(e, odd); ok {
				out = append(out, e)
			}
		}
		return out, len(out) > 0
	}
	if v != nil && v != "" {
		*odd++
	}
	return nil, false
}
