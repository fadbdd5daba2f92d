// Package pgstoretest tests the PostgreSQL store on a real server. It lies
// beside what starts one, so that hosts of the store need not require that.
package pgstoretest
