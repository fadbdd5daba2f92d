package sqlrows

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/godsr/dsr"
)

// Unavailable makes an error of a store one that is [dsr.ErrUnavailable] too. It
// says what it said before.
func Unavailable(err error) error {
	if err == nil || errors.Is(err, dsr.ErrUnavailable) {
		return err
	}
	return &unavailable{err}
}

type unavailable struct{ err error }

func (e *unavailable) Error() string   { return e.err.Error() }
func (e *unavailable) Unwrap() []error { return []error{dsr.ErrUnavailable, e.err} }

// Ended reports whether an error says that the caller's context is over.
func Ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Lost reports whether an error of a driver says that there is no connection to
// the database, or none any more.
func Lost(err error) bool {
	for _, known := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	var network net.Error // the numbers of the system, such as ECONNRESET, are as well
	return errors.As(err, &network)
}
