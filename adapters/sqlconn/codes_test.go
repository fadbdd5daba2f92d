package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

func TestPassingCodes(t *testing.T) {
	t.Parallel()
	secret := errors.New("canary")
	of := map[Dialect]func(code string) error{
		PostgreSQL: func(code string) error { return fmt.Errorf("pgx: %w", coded{secret, code}) },
		MySQL: func(code string) error {
			return fmt.Errorf("mysql: %w", errors.New("Error "+code+" (HY000): canary"))
		},
		SQLite: func(code string) error {
			n, err := strconv.Atoi(code)
			require.NoError(t, err)
			return fmt.Errorf("sqlite: %w", numbered{secret, n})
		},
	}
	for _, test := range []struct {
		family  Dialect
		reason  string
		passing bool
		codes   []string
	}{
		{PostgreSQL, reasonUnreachable, true, []string{"08000", "08001", "08003", "08004", "08006", "08007", "08P01"}},
		{PostgreSQL, reasonResource, true, []string{"53000", "53200", "53300", "53400"}},
		{PostgreSQL, reasonFull, true, []string{"53100"}},
		{PostgreSQL, reasonEnded, true, []string{"57P01", "57P02", "57P03", "57P05", "57014", "25P03", "25P04"}},
		{PostgreSQL, reasonIO, true, []string{"58030"}},
		{PostgreSQL, reasonCollision, true, []string{"40000", "40001", "40003", "40P01"}},
		{PostgreSQL, reasonBusy, true, []string{"55P03"}},
		{PostgreSQL, reasonReadOnly, true, []string{"25006"}},
		{PostgreSQL, reasonConstraint, false, []string{"23505", "23503", "40002"}},
		{PostgreSQL, reasonUnfit, false, []string{"22001", "22P02"}},
		{PostgreSQL, reasonPermission, false, []string{"42501"}},
		{PostgreSQL, reasonChanged, false, []string{"42P01", "42703"}},
		// 57P04 is a database that was dropped.
		{PostgreSQL, reasonRefused, false, []string{"57P04", "25P02", "42601", "XX000", "0A000", "", "4"}},

		{MySQL, reasonUnreachable, true, []string{"1042", "1158", "1159", "1160", "1161", "2002", "2003", "2006", "2013"}},
		{MySQL, reasonResource, true, []string{"1037", "1040", "1041", "1135", "1203", "1226"}},
		{MySQL, reasonFull, true, []string{"20", "1021", "1114"}},
		{MySQL, reasonIO, true, []string{"3", "1026", "1030"}},
		{MySQL, reasonEnded, true, []string{"1047", "1053", "1080", "1317", "1927", "1969", "3024", "4031"}},
		{MySQL, reasonCollision, true, []string{"1020", "1180", "1213"}},
		{MySQL, reasonBusy, true, []string{"1205", "1206", "1637", "3572"}},
		{MySQL, reasonReadOnly, true, []string{"1290", "1836"}},
		{MySQL, reasonReadOnly, false, []string{"1792"}},
		{MySQL, reasonConstraint, false, []string{"1062", "1451"}},
		{MySQL, reasonUnfit, false, []string{"1406", "1366"}},
		{PostgreSQL, reasonCredentials, false, []string{"28P01", "28000"}},
		{PostgreSQL, reasonNoDatabase, false, []string{"3D000"}},
		{MySQL, reasonPermission, false, []string{"1044", "1142"}},
		{MySQL, reasonCredentials, false, []string{"1045", "1698"}},
		{MySQL, reasonNoDatabase, false, []string{"1049"}},
		{MySQL, reasonChanged, false, []string{"1054", "1146"}},
		{MySQL, reasonRefused, false, []string{"1064", "5", "13"}},

		{SQLite, reasonBusy, true, []string{"5", "261", "517", "773", "6", "262", "15"}},
		{SQLite, reasonFull, true, []string{"13"}},
		// 1290 is a folder that cannot be synchronised, not MySQL's read-only.
		{SQLite, reasonIO, true, []string{"10", "266", "778", "1290"}},
		{SQLite, reasonCantOpen, true, []string{"14", "270", "526"}},
		{SQLite, reasonResource, true, []string{"7"}},
		{SQLite, reasonReadOnly, false, []string{"8", "264", "776", "1032"}},
		{SQLite, reasonConstraint, false, []string{"19", "275", "787", "1299", "1555", "2067"}},
		{SQLite, reasonUnfit, false, []string{"20"}},
		{SQLite, reasonRefused, false, []string{"1", "11", "26"}},
	} {
		for _, code := range test.codes {
			err := failure(t.Context(), "apply", "people", of[test.family](code))
			told := ""
			if code != "" {
				told = " (code " + code + ")"
			}
			require.EqualError(t, err, "sqlconn: apply people: "+test.reason+told)
			require.Equal(t, test.passing, errors.Is(err, dsr.ErrUnavailable), "%s %s", test.family, code)
			require.NotErrorIs(t, err, dsr.ErrReadOnly)
		}
	}
}

func TestPassingWithoutCode(t *testing.T) {
	t.Parallel()
	const lostText = "sqlconn: read people: the database cannot be reached, or ended the connection"
	for _, test := range []struct {
		err     error
		text    string
		passing bool
	}{
		{driver.ErrBadConn, "sqlconn: read people: driver: bad connection", true},
		{sql.ErrConnDone, "sqlconn: read people: sql: connection is already closed", true},
		{sql.ErrTxDone, "sqlconn: read people: sql: transaction has already been committed or rolled back", false},
		{io.ErrUnexpectedEOF, lostText, true},
		{fmt.Errorf("canary: %w", io.EOF), lostText, true},
		{&net.OpError{Op: "dial", Net: "tcp canary", Err: syscall.ECONNREFUSED}, lostText, true},
		{&net.OpError{Op: "read", Net: "unix", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, lostText, true},
		{&net.DNSError{Name: "canary", IsNotFound: true}, lostText, true},
		{fmt.Errorf("canary: %w", net.ErrClosed), lostText, true},
		{errors.New("invalid connection"), lostText, true},
		{fmt.Errorf("canary: %w", errors.New("conn closed")), lostText, true},
		{errors.New("database or disk is full"), "sqlconn: read people: the database has no room left (code 13)", true},
		{errors.New("sqlite3: disk I/O error: canary"), "sqlconn: read people: the database cannot read or write its files (code 10)", true},
		{errors.New("unable to open database file: canary"), "sqlconn: read people: the database cannot open its file: there may be no such file (code 14)", true},
		{errors.New("database table is locked: canary"), "sqlconn: read people: the database is busy (code 5)", true},
		{errors.New("sql: database is closed"), "sqlconn: read people: the database handle is closed", false},
		{errors.New("canary: invalid connection string"), "sqlconn: read people: the database refused the statement", false},
		{errors.New("canary"), "sqlconn: read people: the database refused the statement", false},
		{context.DeadlineExceeded, "sqlconn: read people: context deadline exceeded", true},
	} {
		err := failure(t.Context(), "read", "people", test.err)
		require.EqualError(t, err, test.text)
		require.Equal(t, test.passing, errors.Is(err, dsr.ErrUnavailable), test.text)
	}

	// What ends with the caller's context says nothing about the database.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, cause := range []error{coded{errors.New("canary"), "57014"}, driver.ErrBadConn, io.ErrUnexpectedEOF} {
		err := failure(ctx, "read", "people", cause)
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, dsr.ErrUnavailable)
	}
}
