// Package storetest checks that a [dsr.Store] keeps what the port promises.
// A store's own test calls [Run]:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func() (dsr.Store, error) { return mystore.Open(...) })
//	}
package storetest

import (
	"context"
	"testing"

	"github.com/godsr/dsr"
)

// Check is one promise of the port.
type Check struct {
	// Name is short and unique.
	Name string
	// Explanation says what must hold, and is shown when it does not.
	Explanation string
	// Run returns an error that says what the store did wrong. It calls
	// newStore for an empty store, as often as it needs one.
	Run func(ctx context.Context, newStore func() (dsr.Store, error)) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"not found", "a request that does not exist is ErrNotFound; its journal and its events are empty", notFound},
		{"round trip", "a record is returned as it was committed, in its newest version", roundTrip},
		{"conflict", "a change that expects another version than the stored one is refused with ErrConflict", conflict},
		{"atomic", "of a change that is refused, nothing is stored", atomic},
		{"one winner", "of many changes that expect the same version, exactly one is stored", oneWinner},
		{"canceled", "a commit under a context that is over fails and stores nothing", canceled},
		{"hostile ids", "an ID is taken literally, or refused with nothing stored", hostileIDs},
		{"separate", "a change of one request leaves all others as they are", separate},
		{"times", "times keep their microsecond, whatever their zone; the zero time stays zero", times},
		{"shredded", "a key that a newer version lacks is gone", shredded},
		{"filters", "a filter selects exactly, and its fields are joined by AND", filters},
		{"pages", "pages that follow each other hold every record once, by CreatedAt and then by ID, while others insert", pages},
		{"limit", "a page holds at most Limit records, 100 unless told", limit},
		{"journal order", "chunks are numbered from 1 without a gap, and are returned in order, after and limit observed", journalOrder},
		{"ticks", "a tick marks its chunk with its counts, and no other", ticks},
		{"drop", "DropJournal deletes the whole journal; what is appended then starts from 1", drop},
		{"events order", "events are returned as they were added, oldest first", eventsOrder},
		{"copies given", "what a caller changes after Commit does not reach the store", copiesGiven},
		{"copies returned", "what a caller changes in a returned value does not reach the store", copiesReturned},
	}
}

// Run runs every check as a parallel subtest.
func Run(t *testing.T, newStore func() (dsr.Store, error)) {
	t.Helper()
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			if err := check.Run(t.Context(), newStore); err != nil {
				t.Errorf("%v\nmust hold: %s", err, check.Explanation)
			}
		})
	}
}
