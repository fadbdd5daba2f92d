package dsr

import "errors"

// Errors that a host or an adapter branches on with [errors.Is].
var (
	// ErrNotFound: there is no such request, policy or part.
	ErrNotFound = errors.New("dsr: not found")
	// ErrConflict: somebody else changed the request first; read it again.
	ErrConflict = errors.New("dsr: the request was changed meanwhile")
	// ErrErasureBegun: the erasure of the request has begun and must be
	// finished. It is an [ErrConflict] as well.
	ErrErasureBegun error = conflictError("dsr: the erasure of the request has begun and must be finished")
	// ErrLeased: another process is advancing the request.
	ErrLeased = errors.New("dsr: the request is being advanced elsewhere")
	// ErrDeleted: the request was deleted.
	ErrDeleted = errors.New("dsr: the request was deleted")
	// ErrNoReason: what was asked for needs a reason.
	ErrNoReason = errors.New("dsr: a reason is needed")
	// ErrWrongCode: that is not the verification code that was sent.
	ErrWrongCode = errors.New("dsr: the verification code is wrong")
	// ErrCodeExpired: the verification code is too old, or void.
	ErrCodeExpired = errors.New("dsr: the verification code has expired")
	// ErrTooManyAttempts: too many wrong codes were entered, or codes sent.
	ErrTooManyAttempts = errors.New("dsr: too many attempts")
	// ErrKeyring: the keyring is not the one that the store was written with.
	ErrKeyring = errors.New("dsr: the store was written with another keyring")
	// ErrUnavailable: a connection, or the store, is down, or overloaded, or
	// has no room left. Connectors and stores that know wrap it; the request
	// then waits and tries again by itself.
	ErrUnavailable = errors.New("dsr: unavailable for now")
	// ErrUnknown: the store broke off, and whether it stored a request is
	// unknown. Look for it before it is submitted again.
	ErrUnknown = errors.New("dsr: whether the request was stored is unknown")
	// ErrNoCollection: the database has no such table or collection.
	ErrNoCollection = errors.New("dsr: no such collection in the database")
	// ErrEmptyQuery: a query or a chunk names no rows, or a selection no
	// requests, which some systems would read as all of them.
	ErrEmptyQuery = errors.New("dsr: an empty selector selects nothing, never everything")
	// ErrReadOnly: the connection may not be written to.
	ErrReadOnly = errors.New("dsr: the connection is read-only")
	// ErrChangedSince: rows were changed by others again and again, so
	// that they could not be erased.
	ErrChangedSince = errors.New("dsr: rows changed since they were collected")
	// ErrLinkExpired: the download link is too old.
	ErrLinkExpired = errors.New("dsr: the download link has expired")
	// ErrLinkUsed: the download link worked once, and was used.
	ErrLinkUsed = errors.New("dsr: the download link was used already")
	// ErrPackageGone: the data package was removed, or replaced by another,
	// or its destination was removed.
	ErrPackageGone = errors.New("dsr: the data package is no longer there")
	// ErrLimit: it would be more than a request may have of it, see [Limits],
	// or more than a call takes.
	ErrLimit = errors.New("dsr: a limit is reached")
	// ErrNoFiles: files are refused, since Config.Files is not set.
	ErrNoFiles = errors.New("dsr: Config.Files says where attached files are kept; it is not set")
	// ErrShredded: the key that sealed this was destroyed.
	ErrShredded = errors.New("dsr: the key was shredded")
)

// FailedError says that a request stopped with [StatusError]. The request can
// be advanced again with [Requests.Retry] once the cause is mended.
type FailedError struct {
	RequestID string
	Stage     Stage
	// Err is the cause.
	Err error
}

// Error names the request, the stage and the cause.
func (e *FailedError) Error() string {
	return "dsr: request " + e.RequestID + " failed at stage " + string(e.Stage) + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FailedError) Unwrap() error { return e.Err }

// conflictError is an [ErrConflict] that says which one.
type conflictError string

func (e conflictError) Error() string      { return string(e) }
func (conflictError) Is(target error) bool { return target == ErrConflict }

// limitError is an [ErrLimit] that says which one.
type limitError string

func (e limitError) Error() string      { return string(e) }
func (limitError) Is(target error) bool { return target == ErrLimit }

// emptyError is an [ErrEmptyQuery] that says what is empty.
type emptyError string

func (e emptyError) Error() string      { return string(e) }
func (emptyError) Is(target error) bool { return target == ErrEmptyQuery }
