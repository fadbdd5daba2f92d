package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// settling is a driver that writes, as it connects, into what it parsed of the
// address.
type settling struct{ parsed atomic.Int32 }

type settled struct {
	from    *settling
	address string
	used    bool
}

type emptyConn struct{ driver.Conn }

func (emptyConn) Close() error { return nil }

func (s *settling) Open(string) (driver.Conn, error) { return nil, errors.New("not by this way") }

func (s *settling) OpenConnector(address string) (driver.Connector, error) {
	s.parsed.Add(1)
	return &settled{from: s, address: address}, nil
}

func (s *settled) Connect(ctx context.Context) (driver.Conn, error) {
	if s.used || s.address != "the address" {
		return nil, errors.New("changed by another connection")
	}
	s.used = true
	return emptyConn{}, ctx.Err()
}

func (s *settled) Driver() driver.Driver { return s.from }

func TestConnectionsOfMySQLShareNoSettings(t *testing.T) {
	t.Parallel()
	d := &settling{}
	sql.Register("sqlconn settling", d)
	typ := &connectionType{dialect: MySQL, driver: "sqlconn settling"}
	db, err := typ.open("the address")
	require.NoError(t, err)
	for range 3 {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer conn.Close()
	}
	require.Same(t, d, db.Driver())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = db.Conn(ended)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, db.Close())
}
