package graph

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Text writes the plan for people to read in a terminal: its collections level
// by level, how each finds its rows, what every rule does there, and what is
// left out and why. Nil outcomes give the plan alone; otherwise each collection
// also tells how its visit ended, and those without an outcome are waiting. The
// same plan and outcomes give the same bytes. The error is that of w.
func (p *Plan) Text(w io.Writer, outcomes []Outcome) error {
	pic := newPicture(p, outcomes)
	pic.textHead()
	width := 0
	for _, s := range p.Steps {
		width = max(width, utf8.RuneCountInString(addressText(s.Address())))
	}
	for i, s := range p.Steps {
		if i == 0 || s.Level != p.Steps[i-1].Level {
			pic.printf("\nlevel %d\n", s.Level)
		}
		pic.textStep(s, width)
	}
	if len(p.Cycles) > 0 {
		pic.printf("\ncycles, visited until nothing new is found\n")
		for i, cycle := range p.Cycles {
			names := make([]string, len(cycle))
			for n, a := range cycle {
				names[n] = addressText(a)
			}
			pic.printf("  %d  %s\n", i+1, strings.Join(names, ", "))
		}
	}
	pic.textSkipped()
	return pic.flush(w)
}

func (pic *picture) textHead() {
	p := pic.plan
	levels := 0
	for _, s := range p.Steps {
		levels = max(levels, s.Level+1)
	}
	parts := []string{countText(int64(len(p.Steps)), "collection"), countText(int64(levels), "level")}
	if len(p.Cycles) > 0 {
		parts = append(parts, countText(int64(len(p.Cycles)), "cycle"))
	}
	if len(p.Skipped) > 0 {
		parts = append(parts, fmt.Sprintf("%d left out", len(p.Skipped)))
	}
	pic.printf("policy %s from %s: %s\n", nameText(p.Policy.Key), namesText(p.Identities), strings.Join(parts, ", "))
	if !pic.live {
		return
	}
	count, rows := map[State]int{}, int64(0)
	for _, s := range p.Steps {
		o := pic.outcomes[s.Address()]
		count[o.State]++
		rows += o.Rows
	}
	parts = nil
	for _, state := range []State{Done, Skipped, Failed, Suspended, ""} {
		if n := count[state]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, cmp.Or(string(state), "waiting")))
		}
	}
	pic.printf("%s; %s\n", strings.Join(parts, ", "), countText(rows, "row"))
}

// mark is what stands before a collection, so that the eye finds what went
// wrong.
func (pic *picture) mark(a Address) string {
	if !pic.live {
		return "•"
	}
	switch pic.state(a) {
	case Done:
		return "✓"
	case Failed:
		return "✗"
	case Suspended:
		return "‖"
	case Skipped:
		return "-"
	}
	return "…"
}

func (pic *picture) textStep(s *Step, width int) {
	a := s.Address()
	name := addressText(a)
	if pic.live {
		name += strings.Repeat(" ", width-utf8.RuneCountInString(name)) + "  " + pic.stateText(a)
	}
	pic.printf("  %s %s\n", pic.mark(a), name)
	line := func(key, format string, args ...any) {
		pic.printf("      %-12s%s\n", key, fmt.Sprintf(format, args...))
	}
	if o, ok := pic.outcomes[a]; ok {
		if o.Message != "" {
			line("note", "%s", proseText(o.Message))
		}
		if o.Uncastable > 0 {
			line("not asked", "%s that the type of a field cannot take", countText(o.Uncastable, "value"))
		}
	}
	key := "found by"
	for _, in := range s.Inputs {
		fields := fieldsText(in.Fields)
		if in.Identity != "" {
			line(key, "%s = identity %s", fields, nameText(in.Identity))
			key = "or by"
		}
		for _, src := range in.Sources {
			line(key, "%s = %s %s", fields, addressText(src.From), fieldsText(src.Fields))
			key = "or by"
		}
	}
	if waits := s.waitsOnly(); len(waits) > 0 {
		line("after", "%s", addressesText(waits))
	}
	if s.Cycle > 0 {
		line("cycle", "%d", s.Cycle)
	}
	for _, sel := range s.Access {
		line("hands over", "%s", wrapped(pathTexts(sel.Fields), rulesText([]string{sel.Rule})))
	}
	if s.Erase != nil {
		s.Erase.text(line)
	}
	if len(s.EraseAfter) > 0 {
		line("erase after", "%s", addressesText(s.EraseAfter))
	}
}

func (e *Erase) text(line func(key, format string, args ...any)) {
	by := rulesText(e.Rules)
	switch {
	case e.Delete:
		line("deletes", "its rows %s", by)
	case len(e.Fields) > 0:
		line("masks", "%s", wrapped(maskTexts(e.Fields), by))
	default:
		line("masks", "nothing %s", by)
	}
	for _, k := range e.Kept {
		line("keeps", "%s: %s", pathText(k.Path), proseText(k.Reason))
	}
}

// rulesText names the rules that do something, in brackets.
func rulesText(rules []string) string {
	noun := "rule"
	if len(rules) > 1 {
		noun = "rules"
	}
	return "(" + noun + " " + namesText(rules) + ")"
}

// wrapped joins items and breaks between them where a line would get long.
func wrapped(items []string, end string) string {
	const most = 76
	var b strings.Builder
	width := 0
	put := func(item, separator string) {
		n := utf8.RuneCountInString(item)
		if width > 0 && width+n > most {
			b.WriteString(strings.TrimRight(separator, " ") + "\n" + strings.Repeat(" ", 18))
			width = 0
		} else if width > 0 {
			b.WriteString(separator)
		}
		b.WriteString(item)
		width += n + 2
	}
	for _, item := range items {
		put(item, ", ")
	}
	put(end, " ")
	return b.String()
}

// waitsOnly returns the steps that are waited for without taking values from
// them.
func (s *Step) waitsOnly() []Address {
	feeds := map[Address]bool{}
	for _, in := range s.Inputs {
		for _, src := range in.Sources {
			feeds[src.From] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(s.Upstream), func(a Address) bool { return feeds[a] })
}

func addressesText(addresses []Address) string {
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = addressText(a)
	}
	return strings.Join(texts, ", ")
}

func (pic *picture) textSkipped() {
	if len(pic.plan.Skipped) == 0 {
		return
	}
	width := 0
	for _, s := range pic.plan.Skipped {
		width = max(width, utf8.RuneCountInString(addressText(s.Address)))
	}
	pic.printf("\nleft out\n")
	for _, s := range pic.plan.Skipped {
		name := addressText(s.Address)
		pic.printf("  - %s%s  %s\n", name, strings.Repeat(" ", width-utf8.RuneCountInString(name)), proseText(s.Reason))
	}
}
