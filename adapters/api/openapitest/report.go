package openapitest

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Report tells what a run saw.
type Report struct {
	// Seed is that of the Config.
	Seed uint64
	// Sent counts requests, without those that made a failing one smaller.
	Sent int
	// Elapsed is how long the run took.
	Elapsed time.Duration
	// Operations are in the order of the document's paths.
	Operations []Coverage
	// Violations are in the order in which they were seen, each kind once per
	// operation; More counts those beyond 300 kinds.
	Violations []Violation
	More       int

	partial bool
}

// Coverage tells what one operation answered.
type Coverage struct {
	Operation
	// Statuses counts answers by status; 0 stands for none.
	Statuses map[int]int
	// Excuse is the reason why no success is needed.
	Excuse string
}

// Succeeded tells whether the operation gave a 2xx.
func (c Coverage) Succeeded() bool {
	for status := range c.Statuses {
		if status >= 200 && status < 300 {
			return true
		}
	}
	return false
}

// Violation is one kind of fault at one operation, with a small request that
// shows it. Values of callers' headers, and values under names such as
// "password", are hidden in its texts.
type Violation struct {
	Operation
	// Rule is one of the Rule constants, Detail what broke it.
	Rule, Detail string
	// Caller is who sent it, Broken what was done to the request on purpose.
	Caller string
	Broken []string
	// Request and Answer are as sent, cut where they are long.
	Request, Answer string
	// Times counts how often the kind was seen, Number is the request, from 1,
	// that showed it first.
	Times, Number int
}

func newReport(c *Config, d *document) *Report {
	r := &Report{Seed: c.Seed, partial: c.Partial}
	for _, op := range d.operations {
		r.Operations = append(r.Operations, Coverage{Operation: op.Operation, Statuses: map[int]int{}, Excuse: c.Excuse[op.ID]})
	}
	return r
}

func (r *Report) count(op *operation, status int) {
	for i := range r.Operations {
		if r.Operations[i].Method == op.Method && r.Operations[i].Path == op.Path {
			r.Operations[i].Statuses[status]++
		}
	}
}

// Missed are the operations that never succeeded and are not excused. It is
// empty for a partial run.
func (r *Report) Missed() []string {
	var missed []string
	for _, c := range r.Operations {
		if !r.partial && !c.Succeeded() && c.Excuse == "" {
			missed = append(missed, c.ID)
		}
	}
	return missed
}

// Err is nil if there is no violation and no missed operation. Otherwise its
// text tells these, without what every operation answered.
func (r *Report) Err() error {
	if faults := r.faults(); faults != "" {
		return errors.New(r.head() + faults)
	}
	return nil
}

// String tells what every operation answered, then the violations, alike ones
// of several operations together.
func (r *Report) String() string {
	var out strings.Builder
	out.WriteString(r.head() + "\nanswers by operation:\n")
	for _, c := range r.Operations {
		fmt.Fprintf(&out, "  %s:", c.ID)
		for _, status := range slices.Sorted(maps.Keys(c.Statuses)) {
			fmt.Fprintf(&out, " %d×%d", status, c.Statuses[status])
		}
		switch {
		case c.Excuse != "" && c.Succeeded():
			out.WriteString(" (excused, but succeeded)")
		case c.Excuse != "":
			fmt.Fprintf(&out, " (excused: %s)", c.Excuse)
		}
		out.WriteString("\n")
	}
	return out.String() + r.faults()
}

func (r *Report) head() string {
	return fmt.Sprintf("openapitest: %d requests in %v, seed %d\n", r.Sent, r.Elapsed.Round(time.Millisecond), r.Seed)
}

// faults are the violations, and the operations that were missed.
func (r *Report) faults() string {
	var out strings.Builder
	told := map[string]bool{}
	for i, v := range r.Violations {
		same := v.Rule + "\n" + v.Detail
		if told[same] {
			continue
		}
		told[same] = true
		fmt.Fprintf(&out, "\n%s", v)
		var also []string
		for _, other := range r.Violations[i+1:] {
			if other.Rule == v.Rule && other.Detail == v.Detail {
				also = append(also, other.ID)
			}
		}
		if len(also) > 0 {
			fmt.Fprintf(&out, "  also: %s\n", strings.Join(also, ", "))
		}
	}
	if r.More > 0 {
		fmt.Fprintf(&out, "\nand %d more\n", r.More)
	}
	if missed := r.Missed(); len(missed) > 0 {
		fmt.Fprintf(&out, "\nnever succeeded: %s\n", strings.Join(missed, ", "))
	}
	return out.String()
}

// String is what was broken where, and the request and answer that show it.
func (v Violation) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n  %s %s (%s), request %d, seen %d times, as %s\n", v.Rule, indent(v.Detail), v.Method, v.Path, v.ID, v.Number, v.Times, v.Caller)
	if len(v.Broken) > 0 {
		fmt.Fprintf(&out, "  broken on purpose: %s\n", strings.Join(v.Broken, "; "))
	}
	fmt.Fprintf(&out, "  > %s\n  < %s\n", indent(v.Request), indent(v.Answer))
	return out.String()
}

func indent(text string) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

// text is the request without headers of the caller.
func (a *attempt) text(prefix string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s %s", a.op.Method, short(a.target(prefix), 1000))
	for _, arg := range a.arguments {
		if arg.in == "header" || arg.in == "cookie" {
			fmt.Fprintf(&out, "\n%s %s: %q", arg.in, arg.name, short(strings.Join(arg.values, ","), 300))
		}
	}
	if a.bodied {
		fmt.Fprintf(&out, "\nContent-Type: %s", a.media)
		if a.gzipped {
			out.WriteString("\nContent-Encoding: gzip")
		}
		if a.chunked {
			out.WriteString("\nTransfer-Encoding: chunked")
		}
		fmt.Fprintf(&out, "\n%s", readable(a.body()))
	}
	return out.String()
}

// String is the status and the body.
func (a answer) String() string {
	if a.status == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%d %s, Content-Type: %s\n%s", a.status, http.StatusText(a.status), a.header.Get("Content-Type"), readable(a.body))
}

func readable(body []byte) string {
	text := short(string(body), 1500)
	if !utf8.Valid(body) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' }) {
		return fmt.Sprintf("%q", short(string(body), 1500))
	}
	return text
}
