package dsr

import (
	"context"

	"github.com/godsr/dsr/graph"
)

// Progress says how far a request is. It holds no personal value.
type Progress struct {
	RequestID string
	Stage     Stage
	// Done counts what the stage has finished: collections while
	// collecting and journalling, packages while delivering, rows while
	// erasing.
	Done int64
	// Total is what there is to do in the stage, in the unit of Done:
	// collections of the plan while collecting, those with something to
	// erase while journalling, access rules while delivering, journalled
	// rows while erasing. Done stays below it where rows were given to
	// somebody else meanwhile, which are left alone.
	Total int64
	// Rows counts the rows that the stage has handled so far.
	Rows int64
	// Collection is the one that the event is about; zero for none.
	Collection graph.Address
	// State is how the visit of Collection ended; empty while it goes on.
	State graph.State
}

// progress tells the host, one call at a time.
func (r *run) progress(ctx context.Context, p Progress) {
	r.progressMu.Lock()
	defer r.progressMu.Unlock()
	r.tell(ctx, p)
}

// collecting tells how far the walk is: of which step more rows were read, or
// how its visit ended.
func (r *run) collecting(ctx context.Context, s *step, state graph.State) {
	r.progressMu.Lock()
	defer r.progressMu.Unlock()
	if state != "" {
		r.collected++
	}
	r.rows += s.rows - s.told
	s.told = s.rows
	r.tell(ctx, Progress{Stage: StageCollect, Done: r.collected, Total: int64(len(r.steps)), Rows: r.rows, Collection: s.Address(), State: state})
}

func (r *run) tell(ctx context.Context, p Progress) {
	if r.engine.config.Progress == nil {
		return
	}
	p.RequestID = r.id
	r.engine.config.Progress(ctx, p)
}
