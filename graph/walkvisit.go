package graph

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// worker visits one unit after the other: a goroutine that has grown its stack
// for one visit has it for the next.
func (w *walk) worker(ctx context.Context) {
	for u := range w.jobs {
		w.work(ctx, u)
	}
}

// work visits a unit and reports, also when the visitor ends its goroutine, as
// a test does that fails inside of one.
func (w *walk) work(ctx context.Context, u int) {
	f := finished{unit: u, gone: true}
	for _, i := range w.units[u].steps {
		f.outcomes = append(f.outcomes, Outcome{Address: w.plan.Steps[i].Address(), State: Failed,
			Err: errGoexit, Message: errGoexit.Error()})
	}
	defer func() { w.finished <- f }()
	f.outcomes = w.visitUnit(ctx, u)
	f.gone = false
}

var errGoexit = errors.New("the visit ended its goroutine")

func (w *walk) visitUnit(ctx context.Context, u int) []Outcome {
	if !w.units[u].cycle {
		return []Outcome{w.call(ctx, w.units[u].steps[0], 0)}
	}
	return w.visitCycle(ctx, w.units[u].steps)
}

func (w *walk) call(ctx context.Context, step, round int) (o Outcome) {
	s := w.plan.Steps[step]
	if ctx.Err() != nil {
		return notVisited(ctx, s.Address())
	}
	defer func() {
		if r := recover(); r != nil {
			err := &PanicError{Stack: string(debug.Stack())}
			o = Outcome{State: Failed, Err: err, Message: err.Error()}
		}
		o.Address = s.Address()
	}()
	o = w.visit(ctx, Visit{Step: s, Round: round})
	switch o.State {
	case Done, Skipped, Failed, Suspended:
	default:
		// A forgotten state must not pass for a visit that went well.
		o.Err = fmt.Errorf("the visitor returned the unknown state %q", o.State)
		o.State, o.Message = Failed, o.Err.Error()
	}
	return o
}

// PanicError is the error of a visit, or of another call into the host's code,
// that panicked. What it panicked with is left out, since it may quote a row.
type PanicError struct {
	// Stack is the stack at the panic, without the values of arguments.
	Stack string
}

// Error says that a panic happened, without what it was about.
func (e *PanicError) Error() string {
	return "the code that was called panicked; see the stack in the error"
}
