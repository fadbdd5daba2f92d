// Package dbtest starts real database servers for tests, benchmarks and crash
// tests: PostgreSQL and MariaDB from the binaries of the machine, SQLite from
// the Go module.
//
// The short way is one call in a test:
//
//	db := dbtest.Postgres(t)
//
// The first call in a test binary starts one server, every call makes a fresh
// database in it and drops that database when the test ends. Calls may come
// from parallel tests. A missing binary fails the test with the command that
// installs it; nothing is ever skipped.
//
// The long way is [StartPostgres] and [StartMariaDB], which need no testing.TB
// and give a [Server] that can be stopped, killed and started again.
//
// [Chromium] and [AxeCore] find what tests of pages need.
//
// [S3] and [StartS3] do the same for an object store that speaks S3.
//
// [SMTP] and [StartSMTP] start a mail server in this process that keeps what it
// is handed, and fails as a test wants it to.
//
// Database servers listen on unix sockets only, the object store and the mail
// server on a port of the loopback address. Those that keep files keep them in
// a directory of their own. As root, database servers run as the user nobody,
// since they refuse to run as root. They die with the process that started them, however it ends, and
// their temporary directories go with them.
package dbtest
