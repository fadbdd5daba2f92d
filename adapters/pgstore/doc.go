// Package pgstore is a [dsr.Store] in a schema of a PostgreSQL database, for
// services on several machines. It works over the host's own pool of
// connections:
//
//	store, err := pgstore.Open(ctx, pool, nil)
//
// # Durability
//
// A commit is one transaction. It waits for the disk also where the host has
// set synchronous_commit to off; other settings of it, such as waiting for
// replicas, stay as they are. With fsync off nothing is durable.
//
// # Jobs in the same transaction
//
// [Options.InTx] is called in the transaction of each commit, so that an
// executor can enqueue there what the change asks for: the job is there if and
// only if the change is.
//
// # What deleting does not reach
//
// A key is shredded by deleting its row: no query returns it from then on.
// PostgreSQL does not overwrite what is deleted. The bytes of the wrapped key
// stay in the table's file until VACUUM has freed the space and another row was
// written there; in the write-ahead log until its segments are recycled; and in
// replicas, archived logs and base backups for as long as you keep those.
// VACUUM FULL writes the table anew, but reaches neither logs nor copies. The
// same holds for journals that were dropped, and for what plain entries were
// before.
//
// What is left is a key that is wrapped: it opens nothing without the key of
// the [dsr.Keyring] that wrapped it. So whoever holds both, old files of
// PostgreSQL and that key, can open what was shredded, if copies of the sealed
// data are left too. Once the keyring's key is destroyed nobody can. Rotate it,
// and destroy the old one when no open request needs it: that is what makes
// shredding final here. Package sqlitestore overwrites.
package pgstore
