package manualtask

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/manual"
)

// What the engine takes of assignees.
const (
	maxAssignees = 100
	maxAssignee  = 1000 // bytes
)

// New returns a connector that asks as the options say, which it copies;
// conditions are kept, and must not be changed afterwards. Its error names all
// that is wrong with the options.
func New(opts *Options) (*Connector, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := opts.Check(); err != nil {
		return nil, err
	}
	c := &Connector{collections: make(map[string]Collection, len(opts.Collections))}
	for name, col := range opts.Collections {
		col.Assignees = slices.Clone(col.Assignees)
		col.Fields = slices.Clone(col.Fields)
		for i := range col.Fields {
			f := &col.Fields[i]
			f.For = cmp.Or(f.For, graph.Access)
			f.Type = cmp.Or(f.Type, dsr.TaskText)
		}
		c.collections[name] = col
	}
	return c, nil
}

// Check returns an error that names all that is wrong with the options, each
// in a line, or nil.
func (o *Options) Check() error {
	if len(o.Collections) == 0 {
		return errors.New("manualtask: Collections is empty: give at least one, by the name that it has in the dataset")
	}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(o.Collections)) {
		col := o.Collections[name]
		col.check(func(format string, args ...any) {
			faults = append(faults, fmt.Errorf("manualtask: collection %q: "+format, append([]any{name}, args...)...))
		})
	}
	return errors.Join(faults...)
}

func (c *Collection) check(add func(format string, args ...any)) {
	type place struct {
		action graph.Action
		key    string
	}
	taken := make(map[place]bool)
	for i, f := range c.Fields {
		at := place{cmp.Or(f.For, graph.Access), f.Key}
		switch {
		case f.Key == "" || strings.TrimSpace(f.Key) != f.Key:
			add("field %d has no key, or one with blanks around it: name what it asks for", i+1)
		case taken[at]:
			add("two fields for %s have the key %q: rename one", at.action, f.Key)
		}
		taken[at] = true
		switch at.action {
		case graph.Access, graph.Erasure:
		case preference:
			add("field %q is for preference, which would never be asked: preferences are not carried out yet; take the field out", f.Key)
		default:
			add("field %q is for %q: it must be for access or erasure", f.Key, string(f.For))
		}
		switch f.Type {
		case "", dsr.TaskText, dsr.TaskCheckbox, dsr.TaskFile:
		default:
			add("field %q has the type %q: it must be text, checkbox or file", f.Key, string(f.Type))
		}
	}
	if len(c.Assignees) > maxAssignees {
		add("it has %d assignees, of which there can be %d: name a group", len(c.Assignees), maxAssignees)
	}
	for i, assignee := range c.Assignees {
		switch {
		case len(assignee) > maxAssignee || !utf8.ValidString(assignee):
			add("assignee %d has a name of more than %d bytes, or one that is no UTF-8: correct it", i+1, maxAssignee)
		case strings.TrimSpace(assignee) == "":
			add("assignee %d has no name: remove it", i+1)
		case slices.Contains(c.Assignees[:i], assignee):
			add("assignee %d is named before: remove it", i+1)
		}
	}
	if c.Due < 0 {
		add("Due is negative: give a duration, or 0 for no limit")
	}
	if c.Remind < 0 {
		add("Remind is negative: give a duration, or 0 for never")
	}
	if c.When == nil {
		return
	}
	var wrong *manual.FaultError
	if errors.As(c.When.Check(), &wrong) {
		for _, fault := range wrong.Faults {
			add("When: %s", fault)
		}
		return
	}
	for _, address := range c.When.Addresses() {
		if strings.HasPrefix(address, requestPrefix) && !isRequestField(address) {
			add("When looks at %q, which is no field of a request", address)
		}
	}
}
