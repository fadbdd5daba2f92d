// Package sqlitestore is a [dsr.Store] in one SQLite file: the embedded store
// for a service on one machine. Several processes of that machine may share
// the file.
//
//	store, err := sqlitestore.Open(ctx, "/var/lib/shop/dsr.db", nil)
//	...
//	defer store.Close()
//
// A commit is on disk when it returns (WAL with synchronous=FULL). The file can
// be read by its owner only. What is deleted is overwritten, and after a key
// was shredded, or a plain entry replaced or removed, the write-ahead log is
// emptied too, so that no byte of the key or of the entry's secrets stays in
// the files; copies that the file system or a backup made are beyond reach.
package sqlitestore
