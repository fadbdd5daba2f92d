package dsr

import "github.com/godsr/dsr/graph"

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
