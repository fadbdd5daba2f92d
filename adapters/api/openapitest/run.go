package openapitest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	maxSilences = 3   // after which an operation is left alone
	maxKinds    = 300 // of violations that are told
)

// runner is one run.
type runner struct {
	config  *Config
	doc     *document
	maker   *maker
	pool    *pool
	send    sender
	report  *Report
	kinds   map[string]int // place in report.Violations by a finding's key
	silent  map[*operation]int
	reached map[*operation]bool
}

// Run sends requests until Count or Duration is reached or the context ends,
// and tells all that it saw. The report is nil only if the configuration or
// the document is wrong. The error tells that, or the end of the context, or
// that the report has violations or operations that never succeeded.
func Run(ctx context.Context, config Config) (*Report, error) {
	doc, err := parse(config.Document)
	if err != nil {
		return nil, err
	}
	if err := config.complete(doc); err != nil {
		return nil, err
	}
	p := newPool(config.Known)
	r := &runner{
		config: &config, doc: doc, pool: p, send: config.sender(),
		maker:  newMaker(config.Seed, doc, p),
		report: newReport(&config, doc),
		kinds:  map[string]int{}, silent: map[*operation]int{}, reached: map[*operation]bool{},
	}
	return r.report, errors.Join(r.run(ctx), r.report.Err())
}

func (r *runner) run(ctx context.Context) error {
	start := time.Now()
	defer func() { r.report.Elapsed = time.Since(start) }()
	for {
		for _, op := range r.round() {
			switch {
			case ctx.Err() != nil:
				return endedEarly(ctx)
			case r.config.Count > 0 && r.report.Sent >= r.config.Count,
				r.config.Duration > 0 && time.Since(start) >= r.config.Duration:
				return nil
			case r.silent[op] >= maxSilences:
				continue
			}
			if err := r.try(ctx, op); err != nil {
				return err
			}
		}
		if !slices.ContainsFunc(r.doc.operations, func(op *operation) bool { return r.silent[op] < maxSilences }) {
			return nil
		}
	}
}

// round lists operations in an order in which things are created before they
// are used and deleted last. Operations that never succeeded come more often.
// The first round only reads, while there is nothing.
func (r *runner) round() []*operation {
	var list []*operation
	if r.report.Sent == 0 {
		for _, op := range r.doc.operations {
			if op.Method == http.MethodGet {
				list = append(list, op)
			}
		}
		if len(list) > 0 {
			return list
		}
	}
	for _, op := range r.doc.operations {
		times := 1
		if !r.reached[op] && !r.config.Partial {
			times = 3
		} else if op.Method == http.MethodDelete && r.maker.chance(50) {
			times = 0
		}
		for range times {
			list = append(list, op)
		}
	}
	if len(list) == 0 {
		list = slices.Clone(r.doc.operations)
	}
	r.maker.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	slices.SortStableFunc(list, func(a, b *operation) int { return cmp.Compare(turn(a.Method), turn(b.Method)) })
	return list
}

// turn is when operations of a method come in a round: what creates first, what
// deletes last.
func turn(method string) int {
	switch method {
	case http.MethodPost:
		return 0
	case http.MethodPut:
		return 1
	case http.MethodPatch:
		return 2
	case http.MethodDelete:
		return 4
	}
	return 3
}

// try sends one request to an operation and learns from the answer.
func (r *runner) try(ctx context.Context, op *operation) error {
	a, err := r.attempt(op)
	if err != nil {
		return err
	}
	got, err := r.send(ctx, a)
	if ctx.Err() != nil {
		return endedEarly(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s: a request that cannot be sent: %w", op.ID, err)
	}
	r.report.Sent++
	r.report.count(op, got.status)
	astray := r.doc.astray(a)
	for _, f := range r.config.check(a, got, astray) {
		r.tell(ctx, a, got, f)
	}
	if got.rule == RuleSilence {
		r.silent[op]++
	}
	if got.rule == "" && got.status >= 200 && got.status < 300 && !astray {
		r.reached[op] = true
		r.learn(a, got)
	}
	return nil
}

func endedEarly(ctx context.Context) error {
	return fmt.Errorf("the run ended early: %w", ctx.Err())
}

// attempt makes the next request for an operation.
func (r *runner) attempt(op *operation) (*attempt, error) {
	a, err := r.whole(op)
	if err != nil {
		return nil, err
	}
	callers := r.config.Callers(op.Operation)
	for _, caller := range callers {
		r.pool.guardHeader(caller)
	}
	if len(callers) > 0 && a.caller.Name == "" {
		a.caller = callers[0]
	}
	r.pool.guardHeader(a.caller)
	if r.report.Sent < len(r.doc.operations) {
		return a, nil // what comes first meets an API that holds nothing yet
	}
	if len(callers) > 1 && r.maker.chance(15) {
		// Nothing else is wrong, so that the request comes as far as it can.
		a.caller = pick(r.maker.Rand, callers[1:])
		return a, nil
	}
	share := 45
	if !r.reached[op] {
		share = 20
	}
	if r.maker.chance(share) {
		r.maker.mutate(a)
	}
	return a, nil
}

// whole makes a request with nothing wrong in it, of an example now and then.
func (r *runner) whole(op *operation) (*attempt, error) {
	share := 75
	if r.reached[op] {
		share = 33
	}
	if r.config.Example != nil && r.maker.chance(share) {
		if e := r.config.Example(op.Operation); e != nil {
			return r.maker.example(op, e)
		}
	}
	return r.maker.valid(op), nil
}

// learn keeps what a success showed, for later requests.
func (r *runner) learn(a *attempt, got answer) {
	noun := nounBefore(a.op.Path, "")
	if a.op.Method == http.MethodDelete {
		for _, arg := range a.arguments {
			if arg.in == "path" && len(arg.values) == 1 && r.maker.chance(70) {
				r.pool.forget(arg.name, nounBefore(a.op.Path, arg.name), arg.values[0])
			}
		}
		return
	}
	if value, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body)); err == nil {
		r.pool.harvest(noun, "", value)
		r.pool.guardAnswer("", value)
	}
	if a.bodied && a.raw == nil {
		r.pool.harvest(noun, "", a.tree)
	}
	for _, arg := range a.arguments {
		if arg.in == "path" && len(arg.values) == 1 {
			r.pool.keep(nounBefore(a.op.Path, arg.name), arg.name, arg.values[0])
		}
	}
	if to := got.header.Get("Location"); to != "" {
		r.pool.keep(noun, "id", path.Base(to))
	}
}

// tell records a finding, made small if it is the first of its kind.
func (r *runner) tell(ctx context.Context, a *attempt, got answer, f finding) {
	if i, ok := r.kinds[f.key]; ok {
		r.report.Violations[i].Times++
		return
	}
	if len(r.report.Violations) >= maxKinds {
		r.report.More++
		return
	}
	r.kinds[f.key] = len(r.report.Violations)
	small, its, same := r.shrink(ctx, a, got, f)
	r.report.Violations = append(r.report.Violations, Violation{
		Operation: a.op.Operation, Rule: f.rule, Detail: r.pool.hide(same.detail), Caller: a.caller.Name,
		Broken: slices.Clone(a.broken), Request: r.pool.hide(small.text(r.config.Prefix)), Answer: r.pool.hide(its.String()),
		Times: 1, Number: r.report.Sent,
	})
}

// forget drops a value that was deleted, under the names that a path
// parameter is filled by.
func (p *pool) forget(name, noun, value string) {
	for _, key := range []string{plain(name), noun + plain(name), noun + "id", noun + "key"} {
		p.seen[key] = slices.DeleteFunc(p.seen[key], func(v string) bool { return v == value })
	}
}
