package sqlconn_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/sqlconn"
)

// addressOf returns the address that a type opens for secrets.
func addressOf(d sqlconn.Dialect, o sqlconn.TypeOptions, secrets dsr.Secrets) (string, error) {
	var address string
	o.Open = func(a string) (*sql.DB, error) { address = a; return sql.OpenDB(nil), nil }
	c, err := sqlconn.ConnectionType(d, &o).Connect(dsr.ConnectionSettings{Key: "db", Secrets: secrets})
	if err == nil {
		err = c.(io.Closer).Close()
	}
	return address, err
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	const hostile = "p:@/?#%&=' \"\\\x01\xff)é"
	for _, test := range []struct {
		dialect sqlconn.Dialect
		secrets dsr.Secrets
		want    string
	}{
		{
			sqlconn.PostgreSQL, dsr.Secrets{"host": "db.shop.example", "username": "ada", "password": "secret"},
			"postgres://db.shop.example:5432/?connect_timeout=10&database=ada&passfile=%2Fdev%2Fnull&password=secret&sslmode=prefer&user=ada",
		},
		{
			sqlconn.PostgreSQL,
			dsr.Secrets{"host": "::1", "port": "6000", "dbname": "a/b?c&d=e", "db_schema": "x", "username": "u@:/", "password": hostile, "ssl_mode": "VERIFY_FULL", "ssh_required": "False"},
			"postgres://[::1]:6000/?connect_timeout=10&database=a%2Fb%3Fc%26d%3De&passfile=%2Fdev%2Fnull" +
				"&password=p%3A%40%2F%3F%23%25%26%3D%27%20%22%5C%01%FF%29%C3%A9&sslmode=verify-full&user=u%40%3A%2F",
		},
		{sqlconn.PostgreSQL, dsr.Secrets{"host": "h"}, "postgres://h:5432/?connect_timeout=10&database=&passfile=%2Fdev%2Fnull&password=&sslmode=prefer&user="},
		{
			sqlconn.MySQL, dsr.Secrets{"host": "10.0.0.7", "dbname": "a/b?c", "username": "u@/", "password": hostile, "ssl_mode": "required"},
			"u@/:" + hostile + "@tcp(10.0.0.7:3306)/a%2Fb%3Fc?parseTime=true&timeout=10s&tls=skip-verify",
		},
		{sqlconn.MySQL, dsr.Secrets{"host": "::1", "port": "1", "dbname": "d"}, ":@tcp([::1]:1)/d?parseTime=true&timeout=10s&tls=preferred"},
	} {
		got, err := addressOf(test.dialect, sqlconn.TypeOptions{}, test.secrets)
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
}

func TestAddressFaults(t *testing.T) {
	t.Parallel()
	const name = "sqlconn: the host is neither a name nor an IP address"
	for _, test := range []struct {
		dialect sqlconn.Dialect
		secrets dsr.Secrets
		want    string
	}{
		{sqlconn.PostgreSQL, dsr.Secrets{"host": "a,b"}, name},
		{sqlconn.PostgreSQL, dsr.Secrets{"host": "/var/run/postgresql"}, name},
		{sqlconn.PostgreSQL, dsr.Secrets{"host": "h?sslrootcert=/etc/passwd"}, name},
		{sqlconn.PostgreSQL, dsr.Secrets{"host": "fe80::1%eth0"}, name},
		{sqlconn.MySQL, dsr.Secrets{"host": "x)/?allowAllFiles=true&a=("}, name},
		{sqlconn.MySQL, dsr.Secrets{"host": "canary:canary@h"}, name},
		{sqlconn.MySQL, dsr.Secrets{"host": "h", "username": "canary:x"}, "sqlconn: the driver takes no username with a colon"},
		{
			sqlconn.PostgreSQL,
			dsr.Secrets{"host": "", "port": "canary", "password": "canary\x00", "ssh_required": "true", "ssl_mode": "canary"},
			"sqlconn: password has a zero byte; the host is neither a name nor an IP address; the port is not a number from 1 to 65535; " +
				"ssh_required can only be false: there are no SSH tunnels; open one beside this process, and give its address as the host; " +
				"there is no such ssl_mode; there are: allow, disable, prefer, require, verify-ca, verify-full",
		},
		{"oracle", nil, `sqlconn: the dialect "oracle" is unknown; the dialects are "postgresql", "mysql" and "sqlite"`},
	} {
		_, err := addressOf(test.dialect, sqlconn.TypeOptions{}, test.secrets)
		require.EqualError(t, err, test.want)
		if test.dialect != "oracle" { // of which the settings are not at fault
			var says dsr.ReasonError
			require.ErrorAs(t, err, &says)
			require.Equal(t, strings.TrimPrefix(test.want, "sqlconn: "), says.Reason())
		}
	}
}

func TestAllow(t *testing.T) {
	t.Parallel()
	list := []string{"db.shop.example", "*.db.shop.example", "10.0.0.0/8", "192.0.2.7", "2001:db8::/32"}
	for host, allowed := range map[string]bool{
		"db.shop.example": true, "DB.shop.example.": true, "eu.db.shop.example": true, "eu.db.shop.example.evil.example": false,
		"evildb.shop.example": false, "10.1.2.3": true, "::ffff:10.1.2.3": true, "11.0.0.1": false, "192.0.2.7": true, "192.0.2.8": false,
		"2001:db8::5": true, "::1": false, "127.1": false, "0x0a000001": false, "localhost": false, "169.254.169.254": false,
	} {
		_, err := addressOf(sqlconn.PostgreSQL, sqlconn.TypeOptions{Allow: list}, dsr.Secrets{"host": host})
		if allowed {
			require.NoError(t, err, host)
		} else {
			require.EqualError(t, err, fmt.Sprintf("sqlconn: the host %q is not among those that connections may go to", host))
		}
	}
	_, err := addressOf(sqlconn.MySQL, sqlconn.TypeOptions{Allow: []string{"h", "10.0.0.0/33"}}, dsr.Secrets{"host": "h"})
	require.EqualError(t, err, `sqlconn: TypeOptions.Allow holds "10.0.0.0/33", which is no network`)
	_, err = addressOf(sqlconn.MySQL, sqlconn.TypeOptions{Allow: []string{}}, dsr.Secrets{"host": "h", "dbname": "d"})
	require.Error(t, err)
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "other.db"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a b?.db"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o700))
	require.NoError(t, os.Symlink(filepath.Join(outside, "other.db"), filepath.Join(dir, "link.db")))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "away")))
	options := sqlconn.TypeOptions{Dir: dir}
	got, err := addressOf(sqlconn.SQLite, options, dsr.Secrets{"path": "a b?.db"})
	require.NoError(t, err)
	require.Equal(t, "file://"+dir+"/a%20b%3F.db?_pragma=busy_timeout%2810000%29&_pragma=foreign_keys%281%29&mode=rw", got)
	_, err = addressOf(sqlconn.SQLite, options, dsr.Secrets{"path": "later.db"})
	require.NoError(t, err)
	const shape = `sqlconn: the path must be that of a file below the host's directory, such as "shop.db"`
	const away = "sqlconn: open: the path leads out of the host's directory, or may not be opened"
	for path, want := range map[string]string{
		filepath.Join(outside, "other.db"): shape, "../other.db": shape, "sub/../../x": shape, "": shape, "a\x00b": shape,
		"link.db": away, "away/other.db": away, "sub": "sqlconn: open: the path is not that of a file",
	} {
		_, err = addressOf(sqlconn.SQLite, options, dsr.Secrets{"path": path})
		require.EqualError(t, err, want, path)
	}
	_, err = addressOf(sqlconn.SQLite, sqlconn.TypeOptions{}, dsr.Secrets{"path": "shop.db"})
	require.EqualError(t, err, "sqlconn: the host names no directory for files of SQLite (TypeOptions.Dir)")
}

func TestOpenTellsNoSecret(t *testing.T) {
	t.Parallel()
	settings := dsr.ConnectionSettings{Secrets: dsr.Secrets{"host": "h", "dbname": "d", "password": "canary"}}
	_, err := sqlconn.ConnectionType(sqlconn.MySQL, nil).Connect(settings)
	require.EqualError(t, err, `sqlconn: this process has no database driver "mysql": the host imports one, or sets TypeOptions.Driver or Open`)
	_, err = sqlconn.ConnectionType(sqlconn.MySQL, &sqlconn.TypeOptions{
		Open: func(address string) (*sql.DB, error) { return nil, errors.New(address) },
	}).Connect(settings)
	require.EqualError(t, err, "sqlconn: the database driver does not take the address that the settings make")
}

func TestTypes(t *testing.T) {
	t.Parallel()
	for dialect, want := range map[sqlconn.Dialect][]string{
		sqlconn.PostgreSQL: {"host", "port", "dbname", "db_schema", "username", "password", "ssl_mode", "ssh_required"},
		sqlconn.MySQL:      {"host", "port", "dbname", "username", "password", "ssl_mode", "ssh_required"},
		sqlconn.SQLite:     {"path"},
	} {
		var names []string
		for _, f := range sqlconn.ConnectionType(dialect, nil).Fields {
			names = append(names, f.Name)
			require.Equal(t, f.Name == "password", f.Sensitive)
			require.NotEmpty(t, f.Title)
		}
		require.Equal(t, want, names)
	}
}

func TestTitles(t *testing.T) {
	t.Parallel()
	require.Equal(t, "MySQL", sqlconn.ConnectionType(sqlconn.MySQL, nil).Title)
	require.Equal(t, "MariaDB", sqlconn.ConnectionType(sqlconn.MySQL, &sqlconn.TypeOptions{Title: "MariaDB"}).Title)
}
