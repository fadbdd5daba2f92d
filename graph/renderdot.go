package graph

import (
	"io"
	"strings"
)

// shade is the fill and the line of a node; done is green, skipped grey,
// failed red, suspended amber, and all others white.
func shade(s State) (fill, line string) {
	switch s {
	case Done:
		return "#d9f2dd", "#2e7d32"
	case Skipped:
		return "#e6e6e6", "#757575"
	case Failed:
		return "#f8d7da", "#b3261e"
	case Suspended:
		return "#ffecb3", "#b26a00"
	}
	return "#ffffff", "#37474f"
}

// DOT writes the plan in the language of Graphviz: identities as sources,
// collections as boxes, a solid arrow with the fields wherever values flow, a
// dashed one where only the order counts, and a frame around each cycle. Nil
// outcomes give the plan alone; otherwise boxes tell and show in colour how
// their visits ended. The same plan and outcomes give the same bytes. The error
// is that of w.
func (p *Plan) DOT(w io.Writer, outcomes []Outcome) error {
	pic := newPicture(p, outcomes)
	pic.printf("digraph plan {\n")
	pic.printf("  rankdir=LR;\n")
	pic.printf("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11, margin=\"0.15,0.08\"];\n")
	pic.printf("  edge [fontname=\"Helvetica\", fontsize=9, color=\"#37474f\"];\n")
	for i, kind := range p.Identities {
		pic.printf("  i%d [shape=ellipse, fillcolor=\"#dbe9ff\", color=\"#1a56b0\", label=%s];\n", i, dotText(nameText(kind)))
	}
	node := func(indent string, i int) {
		s := p.Steps[i]
		fill, line := shade(pic.state(s.Address()))
		pic.printf("%sn%d [fillcolor=%q, color=%q, label=%s];\n", indent, i, fill, line, dotText(pic.lines(s)...))
	}
	for i, s := range p.Steps {
		if s.Cycle == 0 {
			node("  ", i)
		}
	}
	for c, steps := range pic.cycleSteps() {
		pic.printf("  subgraph cluster_c%d {\n", c+1)
		pic.printf("    label=\"cycle %d\"; fontname=\"Helvetica\"; fontsize=9; color=\"#9e9e9e\"; style=\"rounded,dashed\";\n", c+1)
		for _, i := range steps {
			node("    ", i)
		}
		pic.printf("  }\n")
	}
	for _, a := range pic.arrows() {
		style := ""
		if a.order {
			style = ", style=dashed"
		}
		from, at := "n", a.from
		if a.identity >= 0 {
			from, at = "i", a.identity
		}
		pic.printf("  %s%d -> n%d [label=%s%s];\n", from, at, a.to, dotText(a.label), style)
	}
	pic.printf("}\n")
	return pic.flush(w)
}

// dotText quotes lines as one label. A backslash starts an escape and an
// ampersand an HTML entity, also inside quotes.
func dotText(lines ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `&`, `&amp;`)
	for i, line := range lines {
		lines[i] = escape.Replace(line)
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}
