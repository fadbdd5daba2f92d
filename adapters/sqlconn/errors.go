package sqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Error is a failure of the database. Its text says what was done with which
// table and which code the database gave; the driver's own message, which may
// quote values, is dropped for good, so that unwrapping does not reach it
// either. Errors of a context can be found with [errors.Is].
type Error struct {
	// Operation is "describe", "read", "apply" or "ping".
	Operation string
	// Table is empty for a ping.
	Table string
	// Code is the SQLSTATE of PostgreSQL, the error number of MySQL, the
	// result code of SQLite, or empty where the driver tells none.
	Code string

	reason string
	cause  error
}

// Error names operation, table, reason and code.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("sqlconn: " + e.Operation)
	if e.Table != "" {
		b.WriteString(" " + e.Table)
	}
	b.WriteString(": " + e.reason)
	if e.Code != "" {
		b.WriteString(" (code " + e.Code + ")")
	}
	return b.String()
}

// Unwrap returns the error of the context, or one of the sentinels of
// database/sql, if that was the cause.
func (e *Error) Unwrap() error { return e.cause }

// failure turns an error of a driver into one that holds no value. Errors that
// are ours already pass.
func failure(ctx context.Context, operation, table string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Operation: operation, Table: table, Code: codeOf(err)}
	for _, sentinel := range []error{
		context.Canceled, context.DeadlineExceeded, sql.ErrConnDone, sql.ErrTxDone, driver.ErrBadConn,
	} {
		if errors.Is(err, sentinel) {
			e.cause = sentinel
			break
		}
	}
	if ctxErr := ctx.Err(); ctxErr != nil {
		e.cause = ctxErr
	}
	var network net.Error
	switch {
	case e.cause != nil:
		e.reason = e.cause.Error()
	case e.Code == "" && errors.As(err, &network):
		e.reason = "the database cannot be reached"
	case strings.HasPrefix(err.Error(), "sql: database is closed"):
		e.reason = "the database handle is closed"
	default:
		e.reason = reasonOf(e.Code)
	}
	return e
}

var (
	mysqlCode  = regexp.MustCompile(`^Error (\d{4})\b`)
	sqliteText = regexp.MustCompile(`^(database is locked|database table is locked)`)
)

// codeOf finds the database's code through what drivers offer: a method
// SQLState (pgx, lib/pq), a method Code (SQLite), the number at the start of
// the message (MySQL).
func codeOf(err error) string {
	var state interface{ SQLState() string }
	if errors.As(err, &state) {
		return state.SQLState()
	}
	var code interface{ Code() int }
	if errors.As(err, &code) {
		return strconv.Itoa(code.Code())
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if m := mysqlCode.FindStringSubmatch(err.Error()); m != nil {
			return m[1]
		}
		if sqliteText.MatchString(err.Error()) {
			return sqliteBusy
		}
	}
	return ""
}

// These are SQLITE_BUSY, SQLITE_LOCKED and SQLITE_READONLY; extended codes carry
// them in their lowest byte.
const (
	sqliteBusy     = "5"
	sqliteLocked   = "6"
	sqliteReadOnly = "8"
)

// sqliteClass strips what extends a result code of SQLite.
func sqliteClass(code string) string {
	n, err := strconv.Atoi(code)
	if err != nil {
		return code
	}
	return strconv.Itoa(n & 0xff)
}

// retryable reports whether the same transaction may succeed when it is tried
// again.
func retryable(d dialect, err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.cause != nil {
		return false
	}
	switch d.(type) {
	case postgres:
		return e.Code == "40001" || e.Code == "40P01"
	case mysql:
		return e.Code == "1213" || e.Code == "1205" || e.Code == "1020"
	default:
		class := sqliteClass(e.Code)
		return class == sqliteBusy || class == sqliteLocked
	}
}

// reasonOf says in our words what a code means, as far as it helps.
func reasonOf(code string) string {
	if len(code) == 5 {
		switch code[:2] {
		case "08", "57":
			return "the database ended the connection or the statement"
		case "22":
			return "a value does not fit its column"
		case "23":
			return "a constraint of the table refuses the change"
		case "25":
			return "the transaction may not write"
		case "40":
			return "the transaction collided with others"
		case "53":
			return "the database is out of a resource"
		}
		switch code {
		case "42501":
			return "permission denied"
		case "42P01", "42703":
			return "the table changed: describe it again"
		}
		return "the database refused the statement"
	}
	switch code {
	case "1062", "1451", "1452", "1048", "3819", "4025", "19", "1555", "2067", "1299", "787", "275":
		return "a constraint of the table refuses the change"
	case "1264", "1265", "1366", "1292", "1406", "20":
		return "a value does not fit its column"
	case "1213", "1205", "1020":
		return "the transaction collided with others"
	case "1290", "1792", "1836", "8", "264", "776":
		return "the database may not be written to"
	case "1044", "1045", "1142", "1143":
		return "permission denied"
	case "1146", "1054":
		return "the table changed: describe it again"
	case "5", "6", "261", "517", "262":
		return "the database is busy"
	}
	return "the database refused the statement"
}
