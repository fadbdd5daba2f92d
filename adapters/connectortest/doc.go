// Package connectortest checks that a [dsr.Connector] keeps the promises of
// that interface. An adapter runs the suite from one of its tests:
//
//	func TestConformance(t *testing.T) {
//		db, err := sql.Open("pgx", dsn)
//		...
//		connectortest.Run(t, connectortest.SQL(db, "postgres",
//			func(db *sql.DB, readOnly bool) (dsr.Connector, error) {
//				return myadapter.New(db, &myadapter.Options{ReadOnly: readOnly})
//			}))
//	}
//
// [SQL] serves the dialects "postgres", "mysql" (also MariaDB) and "sqlite"
// over the host's *sql.DB. For any other system, fill a [Harness] by hand: it
// creates tables that are described in neutral terms, and lets the suite read
// them back and change them behind the connector's back.
//
// What an adapter lacks it declares in [Harness.Lacks], each with a reason;
// [Run] prints what was left out for it. Everything else is checked.
//
// Run the suite with the race detector: the check of concurrency leaves part of
// its work to it.
package connectortest
