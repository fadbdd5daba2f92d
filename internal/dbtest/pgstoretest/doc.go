// Package pgstoretest tests the PostgreSQL store on a real server, and beside it
// what the SQLite store shares with it. It lies beside what starts a server, so
// that hosts of the stores need not require that.
package pgstoretest
