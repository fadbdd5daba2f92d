package dsr

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact/mask"
	"github.com/godsr/dsr/storage"
)

// builder makes a generation of what Config and a version of the catalogue say.
// What cannot be used is left out and told; where that would make requests miss
// data, no policy can be planned until it is mended.
type builder struct {
	*generation
	shelf   *shelf
	hooks   map[string]Hook  // by connection
	reasons map[string]error // of connections that are left out
	// patience is how long a type may take to make something.
	patience time.Duration
}

// build makes the generation of a version. Its error is that of the store or the
// keyring; no fault of a definition is one.
func (e *Engine) build(ctx context.Context, version int64) (*generation, error) {
	shelf, err := e.shelf(ctx, version)
	if err != nil {
		return nil, err
	}
	b := &builder{generation: e.newGeneration(version), shelf: shelf, hooks: map[string]Hook{}, reasons: map[string]error{}, patience: makeFor}
	built := false
	defer func() {
		if s := &e.generations; !built { // it failed, or panicked
			s.mu.Lock()
			defer s.mu.Unlock()
			s.close(b.generation)
		}
	}()
	b.seen, b.defined = shelf.newest, shelf.defs.Policies
	if b.standing, err = e.stands(ctx); err != nil {
		return nil, err
	}
	if err := b.addDestinations(ctx); err != nil {
		return nil, err
	}
	if err := b.addConnections(ctx); err != nil {
		return nil, err
	}
	b.addDatasets()
	b.addPolicies()
	b.addFlows()
	b.addForms()
	if err := b.addRedaction(); err != nil {
		return nil, err
	}
	built = true
	b.logCauses(ctx)
	return b.generation, nil
}

// logCauses tells the operator what types said of why they made nothing, once for
// each connection and destination, whatever goes through it.
func (b *builder) logCauses(ctx context.Context) {
	for _, p := range b.problems {
		if p.Cause != "" && (p.Kind == CatalogueConnection || p.Kind == CatalogueDestination) {
			b.engine.config.Logger.WarnContext(ctx, "something of the catalogue cannot be used", "kind", string(p.Kind), "key", p.Key,
				"reason", p.Reason, "cause", p.Cause)
		}
	}
}

// secrets returns the secrets of a definition, and which they are. They are the
// newest, whatever the version; so they must be those of the same thing.
func (b *builder) secrets(ctx context.Context, kind CatalogueKind, key string, d *Defined, names []string) (Secrets, int64, error) {
	place := secretPlace(kind, key)
	if born, ok := b.standing.born[place]; !ok || !born.Equal(d.CreatedAt) {
		return nil, 0, errRemoved
	}
	entry := b.standing.secrets[place]
	if entry == nil {
		if len(names) > 0 {
			return nil, 0, errRemoved
		}
		return Secrets{}, 0, nil
	}
	s, err := b.engine.unsealSecrets(ctx, entry)
	return s, entry.Version, err
}

// errRemoved says that there is no such thing any more in the newest version.
var errRemoved = errors.New("it was removed from the catalogue since")

// lasting reports whether secrets are gone for good, so that it is no use to
// wait for the keyring.
func lasting(err error) bool { return errors.Is(err, errRemoved) || errors.Is(err, errSpoilt) }

// id names what is opened of an entry: the same entry with the same secrets is
// opened once.
func (b *builder) id(kind CatalogueKind, key, what string, secrets int64) string {
	entry := b.shelf.entries[EntryPlace{string(kind), key}]
	return fmt.Sprintf("%s %s %s@%d/%d", what, kind, key, entry.Since, secrets)
}

func (b *builder) addConnections(ctx context.Context) error {
	maps.Copy(b.connections, b.engine.generations.base.connections)
	for _, key := range slices.Sorted(maps.Keys(b.shelf.defs.Connections)) {
		d := b.shelf.defs.Connections[key]
		if d.Fixed {
			continue
		}
		if err := b.addConnection(ctx, key, d); err != nil {
			return err
		}
		if reason := b.reasons[key]; reason != nil {
			b.unusable(CatalogueConnection, key, "", reason)
		}
	}
	return nil
}

// addConnection opens the connector and the hook of a connection, or says why
// not.
func (b *builder) addConnection(ctx context.Context, key string, d *ConnectionDefinition) error {
	t, ok := b.engine.config.ConnectionTypes[d.Type]
	switch {
	case !ok:
		b.reasons[key] = fmt.Errorf("this process has no type %q", d.Type)
		return nil
	case slices.ContainsFunc(b.engine.config.Connections, func(c Connection) bool { return c.Key == key }):
		b.reasons[key] = errors.New("the host's configuration has one of the same key")
		return nil
	case d.Disabled, t.Connect == nil && t.Hook == nil:
		return nil
	}
	secrets, version, err := b.secrets(ctx, CatalogueConnection, key, &d.Defined, d.SecretNames)
	switch {
	case lasting(err):
		b.reasons[key] = err
		return nil
	case err != nil:
		return err
	}
	if missing := checkFields("secret", t.Fields, secrets); len(missing) > 0 {
		b.reasons[key] = errors.New(strings.Join(missing, "; "))
		return nil
	}
	if faults := t.optionFaults(d.Options); len(faults) > 0 {
		b.reasons[key] = errors.New(strings.Join(faults, "; "))
		return nil
	}
	settings := func() ConnectionSettings {
		return ConnectionSettings{Key: key, ReadOnly: d.ReadOnly, Secrets: maps.Clone(secrets), Options: bytes.Clone(d.Options)}
	}
	if t.Hook != nil {
		o, err := b.open(ctx, b.id(CatalogueConnection, key, "hook", version), func() (any, error) { return t.Hook(settings()) })
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			b.reasons[key] = b.cannot("it cannot be called", err)
		} else if b.hooks[key], ok = o.value.(Hook); !ok {
			b.reasons[key] = errors.New("its type made no hook")
		}
	}
	if t.Connect == nil {
		return nil
	}
	o, err := b.open(ctx, b.id(CatalogueConnection, key, "connector", version), func() (any, error) { return t.Connect(settings()) })
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		b.reasons[key] = b.cannot("it cannot be opened", err)
		return nil
	}
	if o.conn == nil {
		connector, ok := o.value.(Connector)
		if !ok {
			b.reasons[key] = errors.New("its type made no connector")
			return nil
		}
		o.conn = newConnection(&Connection{Key: key, Connector: connector, ReadOnly: d.ReadOnly, Concurrency: 4, Timeout: 2 * time.Minute}, b.config.Retry.Limit)
	}
	return nil
}

// connected returns the connection of a key that was opened.
func (b *builder) connected(key string) *connection {
	for _, o := range b.opened {
		if o.conn != nil && o.conn.Key == key {
			return o.conn
		}
	}
	return nil
}

var errNoDatasets = errors.New("its type has no datasets in this process")

// addDatasets joins the datasets of Config and of the catalogue to one data map.
// What is wrong with one of the catalogue keeps all policies from being planned,
// since a request would miss what it describes.
func (b *builder) addDatasets() {
	datasets := slices.Clone(b.config.Datasets)
	base := map[string]bool{}
	for _, d := range datasets {
		base[d.Key] = true
	}
	block := func(key, format string, args ...any) {
		b.problem(CatalogueDataset, key, format, args...)
		b.blocked = append(b.blocked, catalogueFault(CatalogueDataset, key, "it cannot be used: "+format, args...))
	}
	for _, key := range slices.Sorted(maps.Keys(b.shelf.defs.Datasets)) {
		def := b.shelf.defs.Datasets[key]
		if def.Fixed {
			continue
		}
		conn := b.shelf.defs.Connections[def.Connection]
		dataset, err := b.engine.dataset(key, def.Source)
		lack := func(reason error) {
			through := fmt.Sprintf("connection %q: ", def.Connection)
			why := b.unusable(CatalogueDataset, key, through, reason)
			b.blocked = append(b.blocked, catalogueFault(CatalogueDataset, key, "it cannot be used: %s", why))
			b.lacking[key] = fmt.Errorf("%s%w", through, reason)
		}
		switch {
		case base[key]:
			block(key, "the host's configuration has one of the same key")
		case err != nil:
			block(key, "%v", err)
		case conn == nil:
			block(key, "there is no connection %q", def.Connection)
		case conn.Disabled:
			aside := *dataset
			aside.Collections = slices.Clone(dataset.Collections)
			for i, c := range dataset.Collections {
				skipped := *c
				skipped.SkipProcessing = true
				aside.Collections[i] = &skipped
				b.setAside = append(b.setAside, graph.Skip{
					Address: graph.Address{Dataset: key, Collection: c.Name}, Reason: fmt.Sprintf("connection %q is disabled", def.Connection),
				})
			}
			datasets = append(datasets, &aside)
		case b.connected(def.Connection) == nil:
			lack(cmp.Or(b.reasons[def.Connection], errNoDatasets))
		default:
			datasets = append(datasets, dataset)
			b.connections[key] = b.connected(def.Connection)
		}
	}
	m, err := graph.NewDataMap(datasets...)
	if err != nil {
		for key, reason := range mapFaults(datasets, err) {
			b.problem(CatalogueDataset, key, "%s", reason)
			b.blocked = append(b.blocked, catalogueFault(CatalogueDataset, key, "%s", reason))
		}
		m = b.engine.generations.base.datamap
	}
	b.config.Datasets, b.datamap = datasets, m
	if m == nil {
		return
	}
	for _, a := range m.Addresses() {
		c, _ := m.Collection(a)
		for path, f := range c.All() {
			if f.Masking == nil || base[a.Dataset] {
				continue
			}
			if err := mask.Check(f.Masking.Strategy, f.Masking.Configuration); err != nil {
				block(a.Dataset, "%s: %v", graph.FieldAddress{Address: a, Path: path}, err)
			}
		}
	}
}

// addPolicies adds the policies that are ready.
func (b *builder) addPolicies() {
	b.config.Policies = slices.Clone(b.config.Policies)
	for _, key := range slices.Sorted(maps.Keys(b.shelf.defs.Policies)) {
		d := b.shelf.defs.Policies[key]
		if d.Fixed {
			continue
		}
		p := graph.Policy{Key: key, Name: d.Name, Rules: slices.Clone(d.Rules), AllowEmptyTargets: d.AllowEmptyTargets}
		if reason := b.unready(&p); reason != "" {
			b.problem(CataloguePolicy, key, "%s", reason)
			continue
		}
		b.config.Policies = append(b.config.Policies, p)
	}
	b.policies = map[string]*graph.Policy{}
	for i := range b.config.Policies {
		b.policies[b.config.Policies[i].Key] = &b.config.Policies[i]
	}
}

// unready says what a policy lacks.
func (b *builder) unready(p *graph.Policy) string {
	var reasons []string
	if slices.ContainsFunc(b.engine.config.Policies, func(o graph.Policy) bool { return o.Key == p.Key }) {
		reasons = append(reasons, "the host's configuration has one of the same key")
	}
	for _, d := range p.Check(b.config.Taxonomy) {
		if d.Severity == graph.Error {
			reasons = append(reasons, d.Message)
		}
	}
	for _, r := range p.Rules {
		if r.Action == graph.Access {
			if _, err := b.destination(r); err != nil {
				reasons = append(reasons, fmt.Sprintf("rule %q: %v", r.Key, err))
			}
			if err := storage.CheckName("id-" + r.Key); err != nil {
				reasons = append(reasons, fmt.Sprintf("rule %q: its key becomes part of a package's name: %v", r.Key, err))
			}
		}
		if r.Action == graph.Erasure && r.Masking != nil {
			if err := mask.Check(r.Masking.Strategy, r.Masking.Configuration); err != nil {
				reasons = append(reasons, fmt.Sprintf("rule %q: %v", r.Key, err))
			}
		}
	}
	return strings.Join(reasons, "; ")
}

// addFlows adds to the flows of Config what policies have of their own.
func (b *builder) addFlows() {
	b.config.Hooks, b.config.Flows = maps.Clone(b.config.Hooks), maps.Clone(b.config.Flows)
	if b.config.Hooks == nil {
		b.config.Hooks = map[string]Hook{}
	}
	if b.config.Flows == nil {
		b.config.Flows = map[string]Flow{}
	}
	var always []string
	for _, h := range b.shelf.defs.PreApproval {
		b.checks = append(b.checks, h.Key)
		if b.addHook(h, true) {
			always = append(always, h.Key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.policies)) {
		flow := b.engine.generations.base.flow(key)
		flow.PreApproval = append(flow.PreApproval, slices.DeleteFunc(slices.Clone(always), func(check string) bool { return slices.Contains(flow.PreApproval, check) })...)
		if d := b.shelf.defs.Policies[key]; d != nil && !d.Fixed && b.engine.generations.base.policies[key] == nil {
			if d.Timeframe > 0 {
				flow.Timeframe = d.Timeframe
			}
			flow.Before = append(flow.Before, b.hookings(d.Before, true)...)
			flow.After = append(flow.After, b.hookings(d.After, false)...)
		}
		b.config.Flows[key] = flow
	}
}

func (b *builder) hookings(defs []HookDefinition, before bool) (list []Hooking) {
	for _, h := range defs {
		if b.addHook(h, before && h.TwoWay) {
			list = append(list, Hooking{Hook: h.Key, TwoWay: h.TwoWay})
		}
	}
	return list
}

// addHook adds a hook. One that is meant to be called and cannot be keeps
// policies from being planned, and requests that were planned before from ending
// without it. One whose connection is disabled is left out, unless it is a gate,
// which requests would pass unasked.
func (b *builder) addHook(h HookDefinition, gate bool) bool {
	switch host := &b.engine.config; {
	case host.Hooks[h.Key] != nil:
		b.unhook(h.Key, "", errors.New("the host's configuration has a hook of the same key"))
		return false
	case host.asksHost(h.Key):
		b.unhook(h.Key, "", errors.New("the host answers a pre-approval check of the same key itself: give the hook another key"))
		return true
	}
	if conn := b.shelf.defs.Connections[h.Connection]; conn != nil && conn.Disabled {
		if gate {
			b.unhook(h.Key, "", fmt.Errorf("connection %q is %w: enable it, or remove the hook", h.Connection, errDisabled))
			return true
		}
		b.problem(CatalogueHook, h.Key, "connection %q is disabled: it is not called", h.Connection)
		return false
	}
	if hook := b.hooks[h.Connection]; hook != nil {
		b.config.Hooks[h.Key] = hook
	} else {
		b.unhook(h.Key, fmt.Sprintf("connection %q: ", h.Connection), cmp.Or(b.reasons[h.Connection], errors.New("its type has no hooks in this process")))
	}
	return true
}

func (b *builder) unhook(key, through string, reason error) {
	why := b.unusable(CatalogueHook, key, through, reason)
	b.blocked = append(b.blocked, catalogueFault(CatalogueHook, key, "it cannot be called: %s", why))
	b.lacking[lackingHook(key)] = fmt.Errorf("%s%w", through, reason)
}

// lackingHook is what generation.lacking calls a hook.
func lackingHook(key string) string { return "hook " + key }

// addForms takes the forms over, those of Config among them.
func (b *builder) addForms() {
	b.forms = map[string]*manual.Form{}
	for key, def := range b.shelf.defs.Forms {
		b.forms[key] = cloneForm(&def.Form)
	}
}

func (b *builder) addRedaction() error {
	if b.shelf.defs.Redaction == nil {
		return nil
	}
	patterns, err := b.engine.compiled(b.shelf.defs.Redaction)
	if err != nil { // they were checked when they were stored
		return fmt.Errorf("dsr: the redaction patterns of the catalogue: %w", err)
	}
	b.patterns = patterns
	return nil
}
