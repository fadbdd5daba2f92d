package graph

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// picture is what the renderings of a plan share.
type picture struct {
	plan     *Plan
	live     bool // outcomes were given
	outcomes map[Address]Outcome
	index    map[Address]int
	bytes.Buffer
}

func newPicture(p *Plan, outcomes []Outcome) *picture {
	pic := &picture{plan: p, live: outcomes != nil, outcomes: map[Address]Outcome{}, index: map[Address]int{}}
	for i, s := range p.Steps {
		pic.index[s.Address()] = i
	}
	for _, o := range outcomes {
		pic.outcomes[o.Address] = o
	}
	return pic
}

func (pic *picture) printf(format string, args ...any) { fmt.Fprintf(pic, format, args...) }

// flush writes the picture in one go.
func (pic *picture) flush(w io.Writer) error {
	if _, err := w.Write(pic.Bytes()); err != nil {
		return fmt.Errorf("graph: write the rendering of the plan: %w", err)
	}
	return nil
}

// arrow is one line between two nodes of a diagram.
type arrow struct {
	identity int // index into Plan.Identities, or -1
	from, to int // steps
	label    string
	order    bool // it only orders: after, erase_after
}

// arrows lists the lines of a diagram in plan order.
func (pic *picture) arrows() []arrow {
	var arrows []arrow
	for to, s := range pic.plan.Steps {
		feeds := map[Address]bool{}
		for _, in := range s.Inputs {
			if in.Identity != "" {
				if at := slices.Index(pic.plan.Identities, in.Identity); at >= 0 {
					arrows = append(arrows, arrow{identity: at, to: to, label: fieldsText(in.Fields)})
				}
			}
			for _, src := range in.Sources {
				feeds[src.From] = true
				if from, ok := pic.index[src.From]; ok {
					label := fieldsText(src.Fields) + " → " + fieldsText(in.Fields)
					arrows = append(arrows, arrow{identity: -1, from: from, to: to, label: label})
				}
			}
		}
		for _, a := range s.Upstream {
			if from, ok := pic.index[a]; ok && !feeds[a] {
				arrows = append(arrows, arrow{identity: -1, from: from, to: to, label: "after", order: true})
			}
		}
		for _, a := range s.EraseAfter {
			if from, ok := pic.index[a]; ok {
				arrows = append(arrows, arrow{identity: -1, from: from, to: to, label: "erase after", order: true})
			}
		}
	}
	return arrows
}

// cycleSteps returns the steps of each cycle, in plan order.
func (pic *picture) cycleSteps() [][]int {
	cycles := make([][]int, len(pic.plan.Cycles))
	for i, s := range pic.plan.Steps {
		if s.Cycle > 0 && s.Cycle <= len(cycles) {
			cycles[s.Cycle-1] = append(cycles[s.Cycle-1], i)
		}
	}
	return cycles
}

// lines are what a diagram's node says of a step: its name, how its visit
// ended, and what the rules do there.
func (pic *picture) lines(s *Step) []string {
	lines := []string{addressText(s.Address())}
	if pic.live {
		lines = append(lines, pic.stateText(s.Address()))
	}
	const most = 6 // fields; the text form has them all
	for _, sel := range s.Access {
		lines = append(lines, "hands over "+joinMost(pathTexts(sel.Fields), most)+" "+rulesText([]string{sel.Rule}))
	}
	if e := s.Erase; e != nil {
		switch {
		case e.Delete:
			lines = append(lines, "deletes its rows "+rulesText(e.Rules))
		case len(e.Fields) > 0:
			lines = append(lines, "masks "+joinMost(maskTexts(e.Fields), most)+" "+rulesText(e.Rules))
		}
		if len(e.Kept) > 0 {
			var kept []Path
			for _, k := range e.Kept {
				kept = append(kept, k.Path)
			}
			lines = append(lines, "keeps "+joinMost(pathTexts(kept), most))
		}
	}
	return lines
}

// state is how the step ended; empty while it has not.
func (pic *picture) state(a Address) State { return pic.outcomes[a].State }

func (pic *picture) stateText(a Address) string {
	o, ok := pic.outcomes[a]
	switch {
	case !ok:
		return "waiting"
	case o.State == Skipped, o.State != Done && o.Rows == 0:
		return nameText(string(o.State))
	}
	return nameText(string(o.State)) + ", " + countText(o.Rows, "row")
}

// maskTexts tells fields with how they are masked, which is said once for
// neighbours that share it.
func maskTexts(fields []EraseField) []string {
	how := func(f EraseField) string {
		text := " by " + nameText(f.Masking.Strategy)
		if f.Length > 0 {
			text += fmt.Sprintf(" (cut to %d)", f.Length)
		}
		return text
	}
	var texts []string
	for i, f := range fields {
		text := pathText(f.Path)
		if i+1 == len(fields) || how(fields[i+1]) != how(f) {
			text += how(f)
		}
		texts = append(texts, text)
	}
	return texts
}

func joinMost(texts []string, most int) string {
	if len(texts) > most {
		return strings.Join(texts[:most], ", ") + fmt.Sprintf(" and %d more", len(texts)-most)
	}
	return strings.Join(texts, ", ")
}

func namesText(names []string) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = nameText(n)
	}
	return strings.Join(texts, ", ")
}

func pathTexts(paths []Path) []string {
	texts := make([]string, len(paths))
	for i, p := range paths {
		texts[i] = pathText(p)
	}
	return texts
}

// fieldsText is one path, or a tuple of paths in parentheses.
func fieldsText(paths []Path) string {
	if len(paths) == 1 {
		return pathText(paths[0])
	}
	return "(" + strings.Join(pathTexts(paths), ", ") + ")"
}

func addressText(a Address) string { return nameText(a.Dataset) + ":" + nameText(a.Collection) }

// pathText quotes elements that hold a dot, so that they cannot be taken for
// two.
func pathText(p Path) string {
	var b strings.Builder
	for i, name := range p {
		if i > 0 {
			b.WriteByte('.')
		}
		if strings.ContainsRune(name, '.') {
			b.WriteString(strconv.Quote(name))
		} else {
			b.WriteString(nameText(name))
		}
	}
	return b.String()
}

// nameText leaves ordinary names as they are and quotes all others, in the
// syntax of Go, so that no name can look like something else or command a
// terminal.
func nameText(name string) string {
	odd := func(r rune) bool {
		return r == unicode.ReplacementChar ||
			!unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit) && !strings.ContainsRune("_-.<>$/@#+", r)
	}
	if name == "" || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}

// proseText keeps a sentence on its line: whatever does not print is escaped.
func proseText(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// countText writes "1 row", "2 rows", "1,234,567 rows".
func countText(n int64, noun string) string {
	digits := strconv.FormatInt(n, 10)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	if n != 1 {
		noun += "s"
	}
	return digits + " " + noun
}
