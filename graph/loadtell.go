package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxTold bounds the errors that are told of a file, and the warnings: a
	// few bytes can be wrong in a way that takes hundreds to tell.
	maxTold = 1000
	// maxSuggested bounds the unknown categories of a file that known ones are
	// compared with.
	maxSuggested = 30
	// maxSubject and maxMessage bound the bytes of a diagnostic, which may
	// quote what stands in the file.
	maxSubject = 300
	maxMessage = 1000
)

// teller gathers the diagnostics of one file, each once.
type teller struct {
	told   Diagnostics
	seen   map[Diagnostic]bool
	counts [2]int       // by severity
	more   [2]*Position // where the first one of a severity was left out
}

// hears reports whether one more diagnostic of the severity can be told. If not,
// [teller.all] says that there are more.
func (t *teller) hears(severity Severity, pos Position) bool {
	if t.counts[severity] < maxTold {
		return true
	}
	if t.more[severity] == nil {
		t.more[severity] = &pos
	}
	return false
}

// add tells a diagnostic, also where there are too many already.
func (t *teller) add(d Diagnostic) {
	d.Subject, d.Message = cut(d.Subject, maxSubject), cut(d.Message, maxMessage)
	if t.seen[d] {
		return
	}
	if t.seen == nil {
		t.seen = make(map[Diagnostic]bool)
	}
	t.seen[d] = true
	t.counts[d.Severity]++
	t.told = append(t.told, d)
}

// all returns the diagnostics in the order of the file, which is decoded by
// rule, not from top to bottom, and then what tells that there are more.
func (t *teller) all() Diagnostics {
	slices.SortStableFunc(t.told, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
	for severity, pos := range t.more {
		if pos != nil {
			message := fmt.Sprintf("these are not all: the file has more than %d %ss", maxTold, Severity(severity))
			t.told = append(t.told, Diagnostic{Severity: Severity(severity), Pos: *pos, Message: message})
		}
	}
	return t.told
}

// cut takes so much out of the middle of a long text that it has most bytes or
// fewer.
func cut(text string, most int) string {
	const gap = " … "
	if len(text) <= most {
		return text
	}
	half := (most - len(gap)) / 2
	return strings.ToValidUTF8(text[:half], "") + gap + strings.ToValidUTF8(text[len(text)-half:], "")
}

func (d *decoder) tell(severity Severity, n *yaml.Node, subject, format string, args []any) {
	if d.hears(severity, d.pos(n)) {
		d.add(Diagnostic{Severity: severity, Pos: d.pos(n), Subject: subject, Message: fmt.Sprintf(format, args...)})
	}
}

// errorf tells what makes the file unusable.
func (d *decoder) errorf(n *yaml.Node, subject, format string, args ...any) {
	d.tell(Error, n, subject, format, args)
}

// syntaxError tells why the file can be read no further.
func (d *decoder) syntaxError(n *yaml.Node, message string) {
	d.add(Diagnostic{Severity: Error, Pos: d.pos(n), Message: message, Syntax: true})
}

// doubt is how bad it is that something is read but has no effect.
func (d *decoder) doubt() Severity {
	if d.opts.Strict {
		return Error
	}
	return Warning
}

// doubtf tells what is read but has no effect: an error in strict mode.
func (d *decoder) doubtf(n *yaml.Node, subject, format string, args ...any) {
	d.tell(d.doubt(), n, subject, format, args)
}

// notef tells what has no effect and is meant to have none.
func (d *decoder) notef(n *yaml.Node, subject, format string, args ...any) {
	d.tell(Warning, n, subject, format, args)
}

// nearest returns the known category that was probably meant by an unknown one;
// empty when nothing comes near, and for those beyond the first [maxSuggested].
func (d *decoder) nearest(c Category) Category {
	near, known := d.near[c]
	if !known && len(d.near) < maxSuggested {
		near, _ = d.opts.Taxonomy.Nearest(c)
		d.near[c] = near
	}
	return near
}
