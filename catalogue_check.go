package dsr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact/mask"
)

// checkDefinitions returns every fault of what a change would make of the
// catalogue. What is only incomplete is none.
func (e *Engine) checkDefinitions(before, after *Definitions) error {
	c := &definitionCheck{engine: e, defs: after}
	if c.gone() {
		return c.faults.Err()
	}
	c.fixedOnes(before)
	for _, key := range slices.Sorted(maps.Keys(after.Connections)) {
		c.connection(key, before.Connections[key], after.Connections[key])
	}
	for _, key := range slices.Sorted(maps.Keys(after.Datasets)) {
		c.dataset(key, before.Datasets[key], after.Datasets[key])
	}
	for _, key := range slices.Sorted(maps.Keys(after.Destinations)) {
		c.destination(key, after.Destinations[key])
	}
	c.byDefault(before)
	for _, key := range slices.Sorted(maps.Keys(after.Policies)) {
		c.policy(key, after.Policies[key])
	}
	for _, key := range slices.Sorted(maps.Keys(after.Forms)) {
		c.form(key, after.Forms[key])
	}
	c.hooks()
	for _, key := range slices.Sorted(maps.Keys(after.Settings)) {
		c.key(CatalogueSetting, key, key)
		c.json(CatalogueSetting, key, after.Settings[key])
	}
	if _, err := e.compiled(after.Redaction); err != nil {
		return errors.Join(c.faults.Err(), err) // a *redact.PatternsError
	}
	return c.faults.Err()
}

type definitionCheck struct {
	engine *Engine
	defs   *Definitions
	faults graph.Diagnostics
}

func (c *definitionCheck) fault(kind CatalogueKind, key, format string, args ...any) {
	c.faults = append(c.faults, catalogueFault(kind, key, format, args...))
}

// gone tells of entries that are nil, which mean nothing.
func (c *definitionCheck) gone() bool {
	nilOnes(c, CatalogueConnection, c.defs.Connections)
	nilOnes(c, CatalogueDataset, c.defs.Datasets)
	nilOnes(c, CatalogueDestination, c.defs.Destinations)
	nilOnes(c, CataloguePolicy, c.defs.Policies)
	nilOnes(c, CatalogueForm, c.defs.Forms)
	return len(c.faults) > 0
}

func nilOnes[T any](c *definitionCheck, kind CatalogueKind, defs map[string]*T) {
	for _, key := range slices.Sorted(maps.Keys(defs)) {
		if defs[key] == nil {
			c.fault(kind, key, "it is nil; delete it from the map instead")
		}
	}
}

// fixedOnes tells of changes to what comes from Config.
func (c *definitionCheck) fixedOnes(before *Definitions) {
	const message = "it comes from the host's configuration and cannot be changed here"
	compare(before.Connections, c.defs.Connections, func(d *ConnectionDefinition) bool { return d.Fixed },
		func(key string) { c.fault(CatalogueConnection, key, message) })
	for _, key := range slices.Sorted(maps.Keys(c.defs.Connections)) {
		if d := c.defs.Connections[key]; d.Fixed && d.Secrets != nil {
			c.fault(CatalogueConnection, key, "it comes from the host's configuration and takes no secrets here")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.defs.Destinations)) {
		if d := c.defs.Destinations[key]; d.Fixed && d.Secrets != nil {
			c.fault(CatalogueDestination, key, "it comes from the host's configuration and takes no secrets here")
		}
	}
	compare(before.Datasets, c.defs.Datasets, func(d *DatasetDefinition) bool { return d.Fixed },
		func(key string) { c.fault(CatalogueDataset, key, message) })
	compare(before.Destinations, c.defs.Destinations, func(d *DestinationDefinition) bool { return d.Fixed },
		func(key string) { c.fault(CatalogueDestination, key, message) })
	compare(before.Policies, c.defs.Policies, func(d *PolicyDefinition) bool { return d.Fixed },
		func(key string) { c.fault(CataloguePolicy, key, message) })
}

func compare[T any](before, after map[string]*T, fixed func(*T) bool, fault func(key string)) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if fixed(before[key]) && (after[key] == nil || !fixed(after[key]) || !sameJSON(before[key], after[key])) {
			fault(key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if fixed(after[key]) && (before[key] == nil || !fixed(before[key])) {
			fault(key)
		}
	}
}

// key checks the name of a definition.
func (c *definitionCheck) key(kind CatalogueKind, key, own string) bool {
	switch {
	case !definedKey(key):
		c.fault(kind, key, "its key must have 1 to 200 letters, digits and . _ < > -, and not be . or ..")
		return false
	case key != own:
		c.fault(kind, key, "its Key says %q", own)
		return false
	}
	return true
}

// json checks what a front door keeps beside a definition.
func (c *definitionCheck) json(kind CatalogueKind, key string, data json.RawMessage) {
	if data != nil && !json.Valid(data) {
		c.fault(kind, key, "what is kept with it is no JSON")
	}
}

func (c *definitionCheck) connection(key string, before, d *ConnectionDefinition) {
	if d.Fixed || !c.key(CatalogueConnection, key, d.Key) {
		return
	}
	c.json(CatalogueConnection, key, d.Extra)
	t, ok := c.engine.config.ConnectionTypes[d.Type]
	if !ok {
		c.fault(CatalogueConnection, key, "there is no type %q; there are: %s", d.Type, keysOf(c.engine.config.ConnectionTypes))
		return
	}
	if d.Secrets != nil {
		for _, fault := range checkFields("secret", t.Fields, d.Secrets) {
			c.fault(CatalogueConnection, key, "%s", fault)
		}
	}
	if len(d.Options) == 0 {
		d.Options = nil
	}
	// Those that were there are told by Problems, should the type not take them any more.
	if before == nil || before.Type != d.Type || !sameJSON(before.Options, d.Options) {
		for _, fault := range t.optionFaults(d.Options) {
			c.fault(CatalogueConnection, key, "%s", fault)
		}
	}
}

func (c *definitionCheck) dataset(key string, before, d *DatasetDefinition) {
	if d.Fixed || !c.key(CatalogueDataset, key, d.Key) {
		return
	}
	c.json(CatalogueDataset, key, d.Extra)
	conn := c.defs.Connections[d.Connection]
	switch {
	case conn == nil:
		c.fault(CatalogueDataset, key, "there is no connection %q", d.Connection)
	case conn.Fixed:
		c.fault(CatalogueDataset, key, "connection %q comes from the host's configuration, which names its datasets", d.Connection)
	case c.engine.config.ConnectionTypes[conn.Type].Connect == nil:
		c.fault(CatalogueDataset, key, "connections of type %q, such as %q, have no datasets", conn.Type, d.Connection)
	}
	if before != nil && before.Source == d.Source {
		d.Dataset = before.Dataset
		return
	}
	dataset, err := c.engine.dataset(key, d.Source)
	var fault *graph.FaultError
	switch {
	case errors.As(err, &fault):
		c.faults = append(c.faults, fault.Faults...)
		return
	case err != nil:
		c.fault(CatalogueDataset, key, "%v", err)
		return
	}
	d.Dataset = dataset
}

func (c *definitionCheck) destination(key string, d *DestinationDefinition) {
	if d.Fixed || !c.key(CatalogueDestination, key, d.Key) {
		return
	}
	c.json(CatalogueDestination, key, d.Extra)
	t, ok := c.engine.config.DestinationTypes[d.Type]
	if !ok {
		c.fault(CatalogueDestination, key, "there is no type %q; there are: %s", d.Type, keysOf(c.engine.config.DestinationTypes))
		return
	}
	if _, ok := formatOf(d.Format); !ok {
		c.fault(CatalogueDestination, key, "there is no format %q; there are: json, csv, html", d.Format)
	}
	for _, fault := range checkFields("detail", t.Details, d.Details) {
		c.fault(CatalogueDestination, key, "%s", fault)
	}
	if d.Secrets != nil {
		for _, fault := range checkFields("secret", t.Fields, d.Secrets) {
			c.fault(CatalogueDestination, key, "%s", fault)
		}
	}
}

// byDefault checks that there is the default destination, and that no rule
// begins to deliver elsewhere because the one it went to was removed.
func (c *definitionCheck) byDefault(before *Definitions) {
	chosen, was := c.defs.DefaultDestination, before.DestinationByDefault()
	switch {
	case chosen != "" && c.defs.Destinations[chosen] == nil:
		c.fault(CatalogueDefault, chosen, "there is no destination of this key")
	case chosen != "" || was == "" || c.defs.Destinations[was] != nil || c.defs.DestinationByDefault() == "":
	default:
		for _, key := range slices.Sorted(maps.Keys(c.defs.Policies)) {
			for _, rule := range c.defs.Policies[key].Rules {
				if rule.Action == graph.Access && rule.Destination == "" {
					c.fault(CatalogueDestination, was, "rule %q of policy %q names no destination and goes there; name one, or a DefaultDestination, first", rule.Key, key)
				}
			}
		}
	}
}

// policy checks what is there of a policy; what is missing is a problem that
// can wait.
func (c *definitionCheck) policy(key string, d *PolicyDefinition) {
	if d.Fixed || !c.key(CataloguePolicy, key, d.Key) {
		return
	}
	c.json(CataloguePolicy, key, d.Extra)
	if d.Timeframe < 0 {
		c.fault(CataloguePolicy, key, "its Timeframe is negative")
	}
	add := func(format string, args ...any) {
		c.faults = append(c.faults, graph.Diagnostic{Severity: graph.Error, Message: fmt.Sprintf(format, args...)})
	}
	whole := &graph.Policy{Key: key}
	for _, rule := range d.Rules {
		if rule.Key == "." || rule.Key == ".." {
			c.fault(CataloguePolicy, key, "the key of a rule must not be . or ..")
		}
		if rule.Action == graph.Access && rule.Destination != "" && c.defs.Destinations[rule.Destination] == nil {
			c.fault(CataloguePolicy, key, "rule %q names destination %q, which there is not", rule.Key, rule.Destination)
		}
		if rule.Action == graph.Erasure && rule.Masking != nil {
			if err := mask.Check(rule.Masking.Strategy, rule.Masking.Configuration); err != nil {
				c.fault(CataloguePolicy, key, "rule %q: %v", rule.Key, err)
			}
		}
		if len(rule.Targets) == 0 {
			rule.Targets = []graph.Category{"user"} // to come
		}
		whole.Rules = append(whole.Rules, rule)
	}
	if len(whole.Rules) > 0 {
		c.faults = append(c.faults, slices.DeleteFunc(whole.Check(c.engine.config.Taxonomy), func(d graph.Diagnostic) bool { return d.Severity != graph.Error })...)
	}
	checkPackageNames(whole, add)
}

func (c *definitionCheck) form(key string, d *FormDefinition) {
	if !c.key(CatalogueForm, key, d.Key) {
		return
	}
	c.json(CatalogueForm, key, d.Extra)
	if key == attachmentsKey || key == commentsKey {
		c.fault(CatalogueForm, key, "packages keep files or comments under that key; choose another")
		return
	}
	made, err := manual.NewForm(d.Form)
	if err != nil {
		c.fault(CatalogueForm, key, "%v", err)
		return
	}
	d.Form = *made
}

// hooks checks that each is named once, and that its connection can be called.
func (c *definitionCheck) hooks() {
	seen := map[string]string{}
	check := func(of string, list []HookDefinition) {
		for _, h := range list {
			if !plainKey(h.Key) || !definedKey(h.Key) {
				c.fault(CatalogueHook, h.Key, "its key must have 1 to 64 letters, digits, dots, dashes and underscores, and not be . or ..")
				continue
			}
			if other, ok := seen[h.Key]; ok {
				c.fault(CatalogueHook, h.Key, "%s and %s both have a hook of this key", other, of)
			}
			seen[h.Key] = of
			switch {
			case c.engine.config.Hooks[h.Key] != nil:
				c.fault(CatalogueHook, h.Key, "the host's configuration has a hook of this key")
			case c.engine.config.asksHost(h.Key):
				c.fault(CatalogueHook, h.Key, "the host answers a pre-approval check of this key itself; choose another key")
			}
			conn := c.defs.Connections[h.Connection]
			switch {
			case conn == nil || conn.Fixed:
				c.fault(CatalogueHook, h.Key, "there is no connection %q", h.Connection)
			case c.engine.config.ConnectionTypes[conn.Type].Hook == nil:
				c.fault(CatalogueHook, h.Key, "connections of type %q, such as %q, cannot be called", conn.Type, h.Connection)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.defs.Policies)) {
		check("policy "+key, c.defs.Policies[key].Before)
		check("policy "+key, c.defs.Policies[key].After)
	}
	check("pre-approval", c.defs.PreApproval)
}
