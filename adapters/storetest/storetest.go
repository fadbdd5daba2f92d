// Package storetest checks that a [dsr.Store] keeps what the port promises.
// A store's own test calls [Run]:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func() (dsr.Store, error) { return mystore.Open(...) })
//	}
package storetest

import (
	"context"
	"fmt"
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
	// newStore once, for an empty store, which it leaves open unless the
	// check is about closing it.
	Run func(ctx context.Context, newStore func() (dsr.Store, error)) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"not found", "a request that does not exist is ErrNotFound; its journal, its events and its audit trail are empty", on(notFound, "r1")},
		{"round trip", "a record is returned as it was committed, in its newest version", on(roundTrip)},
		{"conflict", "a change that expects another version than the stored one is refused with ErrConflict", on(conflict, "r1")},
		{"expired holder", "a change under an epoch below the stored one is refused with ErrConflict", on(expiredHolder, "r1")},
		{"atomic", "of a change that is refused, nothing is stored", on(atomic, "r1")},
		{"one winner", "of many changes that expect the same version, exactly one is stored", on(oneWinner)},
		{"canceled", "a write under a context that is over fails and stores nothing; one that is canceled on its way is stored as a whole or not at all", on(canceled, "r1")},
		{"hostile ids", "an ID is taken literally, or refused with nothing stored", on(hostileIDs)},
		{"separate", "a change of one request leaves all others as they are", on(separate, "r1", "r10", "R1")},
		{"times", "times keep their microsecond, whatever their zone; the zero time stays zero", on(times)},
		{"shredded", "a key that a newer version lacks is gone", on(shredded, "r1")},
		{"removed", "a request is removed with all that hangs on it but its audit trail, and nothing else is", on(removed)},
		{"removed twice", "removing a request that is not there is no error", on(removedTwice, "r1", "r2")},
		{"filters", "a query selects exactly, and its fields are joined by AND", on(filters)},
		{"counts", "a count is that of the whole list, whatever After, Offset and Limit are", on(counts)},
		{"sorting", "lists are sorted by the given time and then by ID, records without that time first, or the other way round", on(sorting)},
		{"pages", "pages that follow each other hold every record once, in order, while others insert", on(pages)},
		{"limit", "a page holds at most Limit records, 100 unless told", on(limit)},
		{"journal order", "chunks are numbered from 1 without a gap, and are returned in order, after and limit observed", on(journalOrder, "r1", "r2")},
		{"ticks", "a tick marks its chunk with its counts, and no other", on(ticks, "r1")},
		{"drop", "DropJournal deletes the whole journal and only that; what is appended then starts from 1", on(drop, "r1")},
		{"events order", "events are numbered from 1 as they are added, and are returned in order, after and limit observed", on(eventsOrder, "r1", "r2")},
		{"drop log", "DropEvents deletes the whole log and only that; what is added then starts from 1", on(dropLog, "r1")},
		{"audit order", "audit entries are returned by request ID and number, after, limit and request observed", on(auditOrder)},
		{"unsigned heads", "the ends of all chains that grew since a checkpoint held them are listed by request ID, and no others", on(unsignedHeads)},
		{"checkpoints", "checkpoints are numbered from 1 without a gap, any other number is ErrConflict, and they are returned as saved", on(checkpoints)},
		{"message round trip", "a message is returned as it was saved, in its newest version, until it is removed", on(messageRoundTrip, "r1")},
		{"message filters", "a query for messages selects exactly, and its fields are joined by AND", on(messageFilters, "r1", "r10")},
		{"message order", "messages are sorted by DueAt and then by ID, also those beyond the times that a store can keep", on(messageOrder)},
		{"message pages", "pages of messages that follow each other hold each of them once", on(messagePages, "r1")},
		{"message limit", "at most Limit messages are returned, 100 unless told", on(messageLimit, "r1")},
		{"messages atomic", "of a list of changes to messages all are saved, in their order, or none", on(messagesAtomic, "r1")},
		{"message conflict", "a change of a message that expects another version than the stored one is refused with ErrConflict", on(messageConflict, "r1")},
		{"one message winner", "of many changes of a message that expect the same version, exactly one is saved", on(oneMessageWinner, "r1")},
		{"messages of nobody", "a message of a request that there is not is refused with ErrNotFound", on(messagesOfNobody, "r1")},
		{"no orphans", "a message that is saved while its request is removed is refused, or gone with it", on(noOrphans)},
		{"messages with the request", "messages are stored with the change of their request, or nothing is; those of others are refused", on(messagesWithRequest)},
		{"messages removed", "the messages of a request vanish with it, and no others do", on(messagesRemoved)},
		{"entry round trip", "an entry is returned as it was saved, in its newest version, until it is removed; the store gives Since", on(entryRoundTrip)},
		{"entry filters", "a query for entries selects exactly, and its fields are joined by AND", on(entryFilters)},
		{"entry order", "entries are sorted by Kind and then by Key, by their bytes, and so are pages of them", on(entryOrder)},
		{"entry limit", "at most Limit entries are returned, 100 unless told", on(entryLimit)},
		{"entries atomic", "of a list of changes to entries all are saved, as one version of the catalogue, or none", on(entriesAtomic)},
		{"entry conflict", "a change of an entry that expects another version than the stored one, or another sort, is refused with ErrConflict", on(entryConflict)},
		{"one entry winner", "of many changes of an entry that expect the same version, exactly one is saved", on(oneEntryWinner)},
		{"versions in order", "of many saves at once each makes a version of the catalogue, without a gap, that holds those before it", on(versionsInOrder)},
		{"entries as they were", "a version of the catalogue never changes, also where entries were removed since and came again", on(entriesAsTheyWere)},
		{"plain entries", "a plain entry makes no version of the catalogue, is in none, and is replaced", on(plainEntries)},
		{"copies given", "what is given to a store is left as it is, and what a caller changes in it later does not reach the store", on(copiesGiven)},
		{"copies returned", "what a caller changes in a returned value does not reach the store", on(copiesReturned)},
		{"nothing personal", "an error quotes nothing that the store was given but IDs, keys and versions", on(silent, "r1")},
		{"closed", "a store that can be closed can be closed twice, and answers with an error from then on", on(closed, "r1")},
	}
}

// on makes a check of one store that has records of those IDs.
func on(check func(context.Context, dsr.Store) error, ids ...string) func(context.Context, func() (dsr.Store, error)) error {
	return func(ctx context.Context, newStore func() (dsr.Store, error)) error {
		s, err := newStore()
		if err != nil {
			return fmt.Errorf("make a store: %w", err)
		}
		for _, id := range ids {
			if err := create(ctx, s, sample(id)); err != nil {
				return err
			}
		}
		return check(ctx, s)
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
