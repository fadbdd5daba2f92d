package sqlconntest_test

import (
	"database/sql"
	"testing"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/connectortest"
	"github.com/godsr/dsr/adapters/sqlconn"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		open    func(testing.TB) *sql.DB
		dialect sqlconn.Dialect
		suite   string
		lacks   map[connectortest.Feature]string
	}{
		{"PostgreSQL", dbtest.Postgres, sqlconn.PostgreSQL, "postgres", nil},
		{"MariaDB", dbtest.MariaDB, sqlconn.MySQL, "mysql", nil},
		{"SQLite", dbtest.SQLite, sqlconn.SQLite, "sqlite", map[connectortest.Feature]string{
			connectortest.Times: "SQLite stores points in time as text or numbers, which stay what they are",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := connectortest.SQL(test.open(t), test.suite, func(db *sql.DB, readOnly bool) (dsr.Connector, error) {
				return sqlconn.New(db, test.dialect, &sqlconn.Options{ReadOnly: readOnly}), nil
			})
			for feature, reason := range test.lacks {
				h.Lacks[feature] = reason
			}
			connectortest.Run(t, h)
		})
	}
}
