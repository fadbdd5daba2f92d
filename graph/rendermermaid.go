package graph

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Mermaid writes the plan as a Mermaid flowchart, which many viewers of
// Markdown draw. It shows what [Plan.DOT] shows, in the same colours; so do the
// outcomes, and nil gives the plan alone. The same plan and outcomes give the
// same bytes. The error is that of w.
func (p *Plan) Mermaid(w io.Writer, outcomes []Outcome) error {
	pic := newPicture(p, outcomes)
	pic.printf("flowchart LR\n")
	for i, kind := range p.Identities {
		pic.printf("  i%d([%s]):::identity\n", i, mermaidText(nameText(kind)))
	}
	used := map[State]bool{}
	node := func(indent string, i int) {
		s := p.Steps[i]
		pic.printf("%sn%d[%s]", indent, i, mermaidText(pic.lines(s)...))
		switch state := pic.state(s.Address()); state {
		case Done, Skipped, Failed, Suspended:
			used[state] = true
			pic.printf(":::%s", state)
		}
		pic.printf("\n")
	}
	for i, s := range p.Steps {
		if s.Cycle == 0 {
			node("  ", i)
		}
	}
	for c, steps := range pic.cycleSteps() {
		pic.printf("  subgraph c%d[\"cycle %d\"]\n", c+1, c+1)
		for _, i := range steps {
			node("    ", i)
		}
		pic.printf("  end\n")
	}
	for _, a := range pic.arrows() {
		line := "-->"
		if a.order {
			line = "-.->"
		}
		from, at := "n", a.from
		if a.identity >= 0 {
			from, at = "i", a.identity
		}
		pic.printf("  %s%d %s|%s| n%d\n", from, at, line, mermaidText(a.label), a.to)
	}
	pic.printf("  classDef identity fill:#dbe9ff,stroke:#1a56b0,color:#111111\n")
	for _, state := range []State{Done, Skipped, Failed, Suspended} {
		if used[state] {
			fill, line := shade(state)
			pic.printf("  classDef %s fill:%s,stroke:%s,color:#111111\n", state, fill, line)
		}
	}
	return pic.flush(w)
}

// mermaidText quotes lines as one label. Inside quotes, only letters, digits
// and a few signs are sure to mean themselves; all else is written as the
// entity code of its rune.
func mermaidText(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, line := range lines {
		if i > 0 {
			b.WriteString("<br/>")
		}
		for _, r := range line {
			if unicode.In(r, unicode.Letter, unicode.Digit) || strings.ContainsRune(" _-.,:()→", r) {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}
