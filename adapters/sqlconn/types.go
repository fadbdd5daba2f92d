package sqlconn

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// TypeOptions are the host's word on the connections of a [ConnectionType]. The
// zero value, and nil, are ready to use, but for SQLite, which needs Dir.
type TypeOptions struct {
	// Title is what people call the type, such as "MariaDB". Defaults to the
	// name of the dialect.
	Title string
	// Driver is the name of the database/sql driver, which the host links.
	// Defaults to "pgx" (github.com/jackc/pgx/v5/stdlib), "mysql"
	// (github.com/go-sql-driver/mysql) or "sqlite" (modernc.org/sqlite). The
	// addresses are those that these drivers read.
	Driver string
	// Open opens an address instead, for drivers that need more, such as a
	// dialer or certificates of their own: what pgx.ParseConfig or
	// mysql.ParseDSN make of it holds every setting. It must not wait for the
	// database. The text of its error is shown to nobody, since it may quote
	// the password. Defaults to [sql.Open] with Driver; for MySQL the address is
	// then parsed for each connection, since they would share what
	// go-sql-driver changes in it.
	Open func(address string) (*sql.DB, error)
	// Allow are the hosts that connections may go to: names, such as
	// "db.shop.example" and "*.db.shop.example", and networks, such as
	// "10.0.0.0/8", for hosts that are given as an IP address. Names are not
	// resolved, so that one which is not listed is refused wherever it leads.
	// Defaults to any: whoever may define connections can then make this
	// process call any address that it reaches, and learn what answers there.
	// An empty list that is not nil allows none.
	Allow []string
	// SSLMode is what connections have that say nothing themselves: a mode of
	// libpq (disable, allow, prefer, require, verify-ca, verify-full) or of
	// MySQL (disabled, preferred, required, verify-identity). Defaults to
	// prefer, or preferred, as in the clients of both: it encrypts where the
	// server can, and does not look at the certificate.
	SSLMode string
	// Dir is the directory that holds the files of SQLite. Whatever leads out
	// of it is refused. Nothing else may be in it, least of all the store of the
	// engine: whoever defines connections could read and change it by a
	// request. There is no default.
	Dir string
	// MaxConns is how many connections to a database are open at once.
	// Defaults to 8.
	MaxConns int
	// IdleTime is how long one that nobody uses stays open. Defaults to one
	// minute.
	IdleTime time.Duration
	// Timeout is how long connecting may take, in whole seconds. Defaults to
	// ten.
	Timeout time.Duration
	// Attempts is that of [Options].
	Attempts int
}

// ConnectionType returns the type of connections to databases of a dialect, for
// [dsr.Config]:
//
//	ConnectionTypes: map[string]dsr.ConnectionType{
//		"postgres": sqlconn.ConnectionType(sqlconn.PostgreSQL, nil),
//		"mariadb":  sqlconn.ConnectionType(sqlconn.MySQL, &sqlconn.TypeOptions{Title: "MariaDB"}),
//	}
//
// Its secrets are those of Fides: host, port, dbname, username, password,
// ssl_mode, ssh_required (which cannot be true), and db_schema for PostgreSQL.
// SQLite takes the path of a file below TypeOptions.Dir instead. There is no
// secret "url": an address can switch on what reads files of this machine.
//
// Nothing is connected before it is used. The connectors close their
// databases. docs/connectors.md says more, about who may connect where among it.
func ConnectionType(d Dialect, o *TypeOptions) dsr.ConnectionType {
	var opts TypeOptions
	if o != nil {
		opts = *o
		opts.Allow = slices.Clone(o.Allow)
	}
	opts.MaxConns = cmp.Or(max(opts.MaxConns, 0), 8)
	opts.IdleTime = cmp.Or(max(opts.IdleTime, 0), time.Minute)
	opts.Timeout = cmp.Or(max(opts.Timeout, 0), 10*time.Second)
	t := &connectionType{opts: opts, dialect: d}
	switch d {
	case PostgreSQL:
		t.driver, t.address = "pgx", t.postgresAddress
	case MySQL:
		t.driver, t.address = "mysql", t.mysqlAddress
	case SQLite:
		t.driver, t.address = "sqlite", t.sqliteAddress
	}
	t.driver = cmp.Or(opts.Driver, t.driver)
	return dsr.ConnectionType{Title: cmp.Or(opts.Title, titles(d)), Fields: fieldsOf(d), Connect: t.connect}
}

func titles(d Dialect) string {
	switch d {
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return string(d)
}

func fieldsOf(d Dialect) []dsr.SecretField {
	if d == SQLite {
		return []dsr.SecretField{{Name: "path", Title: "File", Description: `The path of a file that is there, below the one directory that this host has for SQLite, such as "shop.db".`}}
	}
	fields := []dsr.SecretField{
		{Name: "host", Title: "Host"},
		{Name: "port", Title: "Port", Optional: true},
		{Name: "dbname", Title: "Database", Optional: d == PostgreSQL},
		{Name: "db_schema", Title: "Schema", Optional: true},
		{Name: "username", Title: "User name", Optional: true},
		{Name: "password", Title: "Password", Optional: true, Sensitive: true},
		{Name: "ssl_mode", Title: "SSL mode", Optional: true},
		{Name: "ssh_required", Title: "SSH tunnel", Optional: true},
	}
	if d == MySQL {
		return slices.DeleteFunc(fields, func(f dsr.SecretField) bool { return f.Name == "db_schema" })
	}
	return fields
}

// connectionType makes the connectors of a type.
type connectionType struct {
	opts    TypeOptions
	dialect Dialect
	driver  string
	address func(*target) string
}

// closing is a connector that closes its database.
type closing struct {
	*Connector
	db *sql.DB
}

var (
	_ dsr.DryRunner = (*closing)(nil)
	_ io.Closer     = (*closing)(nil)
)

// Close closes the connections to the database.
func (c *closing) Close() error { return c.db.Close() }

// connect makes a connector. Its errors name every fault and quote nothing of
// what is secret.
func (t *connectionType) connect(s dsr.ConnectionSettings) (dsr.Connector, error) {
	if t.address == nil {
		return nil, fmt.Errorf("sqlconn: the dialect %q is unknown; the dialects are %q, %q and %q", t.dialect, PostgreSQL, MySQL, SQLite)
	}
	target := &target{secrets: s.Secrets}
	address := t.address(target)
	if target.faults != nil {
		return nil, settingsError(strings.Join(target.faults, "; "))
	}
	db, err := t.open(address)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(t.opts.MaxConns)
	db.SetMaxIdleConns(t.opts.MaxConns)
	db.SetConnMaxIdleTime(t.opts.IdleTime)
	c := New(db, t.dialect, &Options{ReadOnly: s.ReadOnly, Schema: s.Secrets["db_schema"], Attempts: t.opts.Attempts})
	if t.dialect == SQLite {
		c.ready = func() error { return inside(t.opts.Dir, s.Secrets["path"]) }
	}
	return &closing{c, db}, nil
}

// settingsError says what is wrong with settings, and quotes nothing of what is
// secret.
type settingsError string

func (e settingsError) Error() string { return "sqlconn: " + string(e) }

// Reason implements [dsr.ReasonError]: the whole text can be shown.
func (e settingsError) Reason() string { return string(e) }

func (t *connectionType) open(address string) (*sql.DB, error) {
	open := t.opts.Open
	if open == nil {
		if !slices.Contains(sql.Drivers(), t.driver) {
			return nil, fmt.Errorf("sqlconn: this process has no database driver %q: the host imports one, or sets TypeOptions.Driver or Open", t.driver)
		}
		open = func(address string) (*sql.DB, error) {
			if t.dialect == MySQL {
				return openPool(t.driver, address)
			}
			return sql.Open(t.driver, address)
		}
	}
	db, err := open(address)
	if err != nil || db == nil { // the error of a driver quotes the address
		return nil, errors.New("sqlconn: the database driver does not take the address that the settings make")
	}
	return db, nil
}
