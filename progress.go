package dsr

import "github.com/godsr/dsr/graph"

// Progress says how far a request is. It holds no personal value.
type Progress struct {
	RequestID string
	Stage     Stage
	// Done of Total: collections while collecting and journalling,
	// packages while delivering, rows while erasing.
	Done  int64
	Total int64
	// Rows counts the rows that the stage has handled so far.
	Rows int64
	// Collection is the one that the event is about; zero for none.
	Collection graph.Address
	// State is how the visit of Collection ended; empty while it goes on.
	State graph.State
}
