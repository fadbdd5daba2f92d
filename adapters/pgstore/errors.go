package pgstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/godsr/dsr/adapters/internal/sqlrows"
)

// SQLSTATEs that are looked at.
const (
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	foreignKeyViolation  = "23503"
	undefinedColumn      = "42703"
	insufficientRight    = "42501"
	undefinedTable       = "42P01"
	undefinedSchema      = "3F000"
	tooLarge             = "54000"
	diskFull             = "53100"
	readOnly             = "25006"
	lockTimeout          = "55P03"
	ioError              = "58030"
	shutDown             = "57P01"
	crashed              = "57P02"
)

// broken reports whether a connection was lost that had been made before.
func broken(err error) bool {
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return false
	}
	var refused *pgconn.PgError
	return !errors.As(err, &refused) || refused.Code == shutDown || refused.Code == crashed
}

// transient reports whether the same change may succeed when it is tried again,
// and nothing of it is stored.
func transient(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		return refused.Code == serializationFailure || refused.Code == deadlockDetected
	}
	return pgconn.SafeToRetry(err)
}

// orphan reports whether a row names a request that there is not.
func orphan(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == foreignKeyViolation
}

// hookError is what [Options.InTx] returned.
type hookError struct{ err error }

func (e *hookError) Error() string { return "InTx: " + e.err.Error() }

func (e *hookError) Unwrap() error { return e.err }

// plain replaces an error of the server, whose message and details may quote
// what is stored, by one that says what to do. Other errors pass: they are of
// contexts, of the network, or ours. What goes by itself is
// [dsr.ErrUnavailable], whichever method it came from.
func plain(err error) error {
	said := reworded(err)
	if passing(err) {
		return sqlrows.Unavailable(said)
	}
	return said
}

// passing reports whether an error is likely to go away by itself: the server
// cannot be reached, ended the connection, starts, stops, or lacks connections,
// memory or room.
func passing(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch code := refused.Code; code {
		case serializationFailure, deadlockDetected, readOnly, lockTimeout, ioError:
			return true
		default:
			return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P")
		}
	}
	var connect *pgconn.ConnectError
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &connect): // also when that took too long
		return !unsafe(err)
	case sqlrows.Ended(err):
		return false
	}
	return sqlrows.Lost(err) || pgconn.SafeToRetry(err) || closed(err)
}

// closed reports whether an error says that the connection was broken before,
// which pgx says in words only.
func closed(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if err.Error() == "conn closed" {
			return true
		}
	}
	return false
}

// unsafe reports whether the connection was given up because it cannot be
// encrypted as it was asked for, which somebody has to mend.
func unsafe(err error) bool {
	var certificate *tls.CertificateVerificationError
	return errors.As(err, &certificate) || strings.Contains(err.Error(), "server refused TLS connection")
}

func reworded(err error) error {
	var hook *hookError
	if errors.As(err, &hook) {
		return fmt.Errorf("InTx: %w", plain(hook.err))
	}
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return err // nothing was sent yet
	}
	reason := "PostgreSQL refused"
	switch code := refused.Code; {
	case code == serializationFailure || code == deadlockDetected:
		reason = fmt.Sprintf("other transactions came in between %d times", attempts)
	case code == insufficientRight:
		reason = "the role lacks a right; let it own the schema, or create the schema for it"
	case code == undefinedTable || code == undefinedSchema || code == undefinedColumn:
		reason = "the tables are not as this program made them; restore a backup"
	case code == tooLarge:
		reason = "an ID is too long; some 2,000 bytes are possible"
	case code == diskFull:
		reason = "the server's disk is full"
	case code == readOnly:
		reason = "the server takes no changes; use a pool that leads to the primary"
	case strings.HasPrefix(code, "53"):
		reason = "the server lacks connections or memory"
	case strings.HasPrefix(code, "57"):
		reason = "the server canceled the statement or is shutting down"
	}
	return fmt.Errorf("%s (SQLSTATE %s)", reason, refused.Code)
}
