package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// openPool opens a database of MySQL whose connections share no settings.
// go-sql-driver parses an address once for all of them and, where a server takes
// no TLS and "preferred" lets that be, takes TLS out of what it parsed: without a
// lock, and for all connections to come, also once the server takes it.
func openPool(name, address string) (*sql.DB, error) {
	db, err := sql.Open(name, address)
	if err != nil {
		return nil, err
	}
	d, ok := db.Driver().(driver.DriverContext)
	if !ok { // it parses the address for each connection by itself
		return db, nil
	}
	return sql.OpenDB(&parsing{d, db.Driver(), address}), db.Close()
}

// parsing parses the address for each connection.
type parsing struct {
	context driver.DriverContext
	driver  driver.Driver
	address string
}

var _ driver.Connector = (*parsing)(nil)

// Connect implements [driver.Connector].
func (p *parsing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.context.OpenConnector(p.address)
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx)
}

// Driver implements [driver.Connector].
func (p *parsing) Driver() driver.Driver { return p.driver }
