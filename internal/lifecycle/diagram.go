package lifecycle

import (
	"fmt"
	"slices"
	"strings"
)

// Diagram draws the table of moves as a Mermaid state diagram. Moves that share
// their ends share an arrow, three and more that differ in their starts alone
// meet first, and what can happen to every unfinished request starts at the box
// around those. Moves that stay where they are, and those that take nearly any
// request back into that box, are only in [Table].
func Diagram() string {
	var inside, outside []arrow
	for _, m := range moves {
		from := m.From
		if everyUnfinished(m) {
			from = []Status{box}
		}
		if m.To == Same || everyUnfinished(m) && boxed(m.To) {
			continue
		}
		for _, f := range from {
			if boxed(f) && boxed(m.To) {
				inside = join(inside, f, m.To, m.label())
			} else {
				outside = join(outside, f, m.To, m.label())
			}
		}
	}
	inside = meet(inside)
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	fmt.Fprintf(&b, "    state %q as %s {\n        state %s <<choice>>\n", "any unfinished request", box, admitted)
	for _, a := range inside {
		if strings.HasPrefix(string(a.from), "to_") {
			fmt.Fprintf(&b, "        state %s <<choice>>\n", a.from)
		}
		fmt.Fprintf(&b, "        %s\n", a)
	}
	b.WriteString("    }\n")
	for _, a := range outside {
		fmt.Fprintf(&b, "    %s\n", a)
	}
	return b.String()
}

// box is the composite state around all that is unfinished.
const box Status = "unfinished"

func boxed(s Status) bool { return s == admitted || slices.Contains(unfinished, s) }

// everyUnfinished reports whether a move takes any request that is not ended,
// up to one that has only to be finalized.
func everyUnfinished(m Move) bool {
	return !slices.ContainsFunc(unfinished, func(s Status) bool {
		return s != RequiresFinalization && !slices.Contains(m.From, s)
	})
}

// label names the event with its condition.
func (m Move) label() string {
	switch {
	case m.Event == admit && m.When.Name == "":
		return "else"
	case m.Event == admit:
		return m.When.Name
	case m.When.Name == "":
		return string(m.Event)
	}
	return string(m.Event) + "<br>(" + m.When.Name + ")"
}

// arrow is what leads from one status to another.
type arrow struct {
	from, to Status
	labels   []string
}

func join(arrows []arrow, from, to Status, label string) []arrow {
	i := slices.IndexFunc(arrows, func(a arrow) bool { return a.from == from && a.to == to })
	if i < 0 {
		return append(arrows, arrow{from, to, []string{label}})
	}
	if !slices.Contains(arrows[i].labels, label) {
		arrows[i].labels = append(arrows[i].labels, label)
	}
	return arrows
}

// meet leads arrows that differ in their starts alone through a point.
func meet(arrows []arrow) []arrow {
	var met []arrow
	for _, a := range arrows {
		alike := func(o arrow) bool { return o.to == a.to && slices.Equal(o.labels, a.labels) }
		starts := 0
		for _, o := range arrows {
			if alike(o) {
				starts++
			}
		}
		if starts < 3 {
			met = append(met, a)
			continue
		}
		point := "to_" + a.to
		if !slices.ContainsFunc(met, alike) {
			met = append(met, arrow{point, a.to, a.labels})
		}
		met = append(met, arrow{a.from, point, nil})
	}
	return met
}

// String is a line of Mermaid.
func (a arrow) String() string {
	if a.labels == nil {
		return fmt.Sprintf("%s --> %s", a.from, a.to)
	}
	from := string(a.from)
	if a.from == None {
		from = "[*]"
	}
	return fmt.Sprintf("%s --> %s : %s", from, a.to, strings.Join(a.labels, "<br>"))
}

// Table writes all moves as a Markdown table, in order: of the rows for an
// event and a status, the first whose condition holds counts.
func Table() string {
	var b strings.Builder
	b.WriteString("| event | from | when | to | audit trail |\n|---|---|---|---|---|\n")
	for _, m := range moves {
		to := "`" + string(m.To) + "`"
		if m.To == Same || m.To == admitted {
			to = string(m.To)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", m.Event, origins(m.From), m.When.Name, to, m.Action)
	}
	return b.String()
}

// origins names statuses, or those that are missing when they are fewer.
func origins(from []Status) string {
	var missing []Status
	for _, status := range Statuses() {
		if !slices.Contains(from, status) {
			missing = append(missing, status)
		}
	}
	switch {
	case slices.Contains(from, None):
		return "new"
	case slices.Contains(from, admitted):
		return string(admitted)
	case len(missing) == 0:
		return "any"
	case len(missing) < len(from):
		return "any but " + quoted(missing)
	}
	return quoted(from)
}

func quoted(statuses []Status) string {
	var names []string
	for _, s := range statuses {
		names = append(names, "`"+string(s)+"`")
	}
	return strings.Join(names, ", ")
}
