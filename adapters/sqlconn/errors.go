package sqlconn

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/godsr/dsr"
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

	reason  string
	cause   error
	passing bool
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

// Is reports that a failure which is likely to go away by itself is
// [dsr.ErrUnavailable]: the database cannot be reached, is starting, stopping
// or overloaded, has no room left, was made read-only after it had been
// described as writable, or the transaction lost against another one or
// against a time-out.
func (e *Error) Is(target error) bool { return e.passing && target == dsr.ErrUnavailable }

// failure turns an error of a driver into one that holds no value. Errors that
// are ours already pass.
func failure(ctx context.Context, operation, table string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	e := &Error{Operation: operation, Table: table}
	var family Dialect
	family, e.Code = nativeCode(err)
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
	switch {
	case e.cause != nil:
		e.reason = e.cause.Error()
		e.passing = errors.Is(e.cause, driver.ErrBadConn) || errors.Is(e.cause, sql.ErrConnDone) ||
			errors.Is(e.cause, context.DeadlineExceeded) && ctx.Err() == nil // the driver's own patience is over
	case e.Code == "" && unsafe(err):
		e.reason = reasonUnsafe
	case e.Code == "" && lost(err):
		e.reason, e.passing = "the database cannot be reached, or ended the connection", true
	case strings.HasPrefix(err.Error(), "sql: database is closed"):
		e.reason = "the database handle is closed"
	default:
		e.reason, e.passing = reasonOf(family, e.Code), passing(family, e.Code)
	}
	return e
}

// lost reports whether an error without a code says that there is no connection
// any more. Some drivers say so in words only.
func lost(err error) bool {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		switch err.Error() {
		case "invalid connection", "conn closed":
			return true
		}
	}
	return false
}

// unsafe reports whether the connection was given up because it cannot be
// encrypted as it was asked for.
func unsafe(err error) bool {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "server refused TLS connection") || // pgx
		strings.Contains(text, "server does not support TLS") // go-sql-driver
}
