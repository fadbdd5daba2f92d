package blob

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"gocloud.dev/gcerrors"
	"google.golang.org/api/googleapi"

	"github.com/godsr/dsr"
)

// Error is a failure of the object store. Its text says what was done in which
// bucket, why it failed, what can be done, and which code the service gave; the
// driver's own message, which quotes the object's key and may quote addresses,
// is dropped for good, so that unwrapping does not reach it either.
//
// [errors.Is] finds [fs.ErrNotExist] in it for a file that is not there,
// [dsr.ErrUnavailable] for what is likely to go away by itself, and errors of
// the context and of the operating system.
type Error struct {
	// Operation is what was done: "open a file".
	Operation string
	// Bucket is Options.Name.
	Bucket string
	// Status is the HTTP status that the service answered; 0 for none.
	Status int
	// Code is what the service calls the failure; empty where it does not.
	Code string

	reason  string
	cause   error
	passing bool
	unsure  bool // the file may be in place nevertheless
}

// Error names operation, bucket, reason and code.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("blob: ")
	if e.Bucket != "" {
		b.WriteString("bucket " + e.Bucket + ": ")
	}
	b.WriteString(e.Operation + ": " + e.reason)
	switch {
	case e.Code != "" && e.Status != 0:
		b.WriteString(" (code " + e.Code + ", status " + strconv.Itoa(e.Status) + ")")
	case e.Status != 0:
		b.WriteString(" (status " + strconv.Itoa(e.Status) + ")")
	case e.Code != "":
		b.WriteString(" (code " + e.Code + ")")
	}
	if e.unsure {
		b.WriteString("; whether the file is in place is unknown")
	}
	return b.String()
}

// Unwrap returns what caused the failure, where that is known and tells no
// name.
func (e *Error) Unwrap() error { return e.cause }

// Is reports that a failure which is likely to go away by itself is
// [dsr.ErrUnavailable]: the service cannot be reached, is overloaded or broken
// for the moment, or has no room left.
func (e *Error) Is(target error) bool { return e.passing && target == dsr.ErrUnavailable }

// What went wrong and what to do, in our words.
const (
	reasonNoFile      = "there is no such file"
	reasonNoBucket    = "the bucket is not there or may not be listed; check its name, region and permissions"
	reasonCredentials = "the service does not know the credentials, or they have expired; check those that the bucket is opened with, and the clock"
	reasonPermission  = "permission denied; give the account the permissions that docs/destinations.md lists"
	reasonRegion      = "the bucket is elsewhere; open it with its own region and address"
	reasonRefused     = "the service refused the request"
	reasonUnsupported = "the bucket's driver cannot do this the way it was opened"
	reasonBusy        = "the service is overloaded or broken for now"
	reasonUnreachable = "the service cannot be reached, or ended the connection"
	reasonFailed      = "the bucket's driver failed"
	reasonClosed      = "the bucket's driver refuses it: is the bucket closed?"
)

// credentialCodes are what services say of credentials, where their status does
// not.
var credentialCodes = map[string]bool{
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "ExpiredToken": true, "InvalidToken": true,
	"TokenRefreshRequired": true, "RequestTimeTooSkewed": true, "RequestExpired": true,
	"AuthenticationFailed": true, "InvalidAuthenticationInfo": true,
}

// noBucketCodes are what services say of a bucket that is not there.
var noBucketCodes = map[string]bool{"NoSuchBucket": true, "InvalidBucketName": true, "ContainerNotFound": true}

// passingCodes go away by themselves whatever their status.
var passingCodes = map[string]bool{
	"RequestTimeout": true, "OperationAborted": true, "SlowDown": true, "Throttling": true, "ThrottlingException": true,
	"InternalError": true, "ServiceUnavailable": true, "ServerBusy": true, "OperationTimedOut": true, "ContainerBeingDeleted": true,
}

// fail turns an error of a driver into one that tells no name. Errors that are
// ours already pass. ended is why the context is over, if it is: everything
// else follows from that.
func (d *Destination) fail(ended error, doing string, err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	e := &Error{Operation: doing, Bucket: d.opts.Name}
	if ended != nil {
		e.reason, e.cause = ended.Error(), ended
		return e
	}
	if e.Status, e.Code = answer(err); e.Status != 0 || e.Code != "" {
		e.explainAnswer()
		return e
	}
	e.explain(err)
	return e
}

// explainAnswer says what an answer of the service means. What a driver makes of
// it counts less: that of Google Cloud Storage takes a permission that is
// missing for a file that is.
func (e *Error) explainAnswer() {
	switch {
	case passingCodes[e.Code]:
		e.reason, e.passing = reasonBusy, true
	case credentialCodes[e.Code]:
		e.reason = reasonCredentials
	case noBucketCodes[e.Code]:
		e.reason = reasonNoBucket
	case e.Status == http.StatusNotFound:
		e.reason, e.cause = reasonNoFile, fs.ErrNotExist
	case e.Status == http.StatusUnauthorized:
		e.reason = reasonCredentials
	case e.Status == http.StatusForbidden || e.Code == "AccessDenied":
		e.reason, e.cause = reasonPermission, fs.ErrPermission
	case e.Status >= 300 && e.Status < 400:
		e.reason = reasonRegion
	case e.Status == http.StatusRequestTimeout, e.Status == http.StatusTooManyRequests,
		e.Status >= 500 && e.Status != http.StatusNotImplemented:
		e.reason, e.passing = reasonBusy, true
	default:
		e.reason = reasonRefused
	}
}

// explain says what an error means that is no answer of a service.
func (e *Error) explain(err error) {
	var network net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &number):
		e.reason, e.cause = number.Error(), number
		e.passing = lost(err) || number == syscall.ENOSPC || number == syscall.EDQUOT
	case errors.As(err, &network), lost(err):
		e.reason, e.passing = reasonUnreachable, true
	default:
		e.explainCode(gcerrors.Code(err))
	}
}

// lost reports whether an error says that the connection is gone.
func lost(err error) bool {
	var operation *net.OpError
	return errors.As(err, &operation) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// explainCode says what is left to say of an error that only the driver knows.
func (e *Error) explainCode(code gcerrors.ErrorCode) {
	e.reason = reasonFailed
	switch code {
	case gcerrors.NotFound:
		e.reason, e.cause = reasonNoFile, fs.ErrNotExist
	case gcerrors.PermissionDenied:
		e.reason, e.cause = reasonPermission, fs.ErrPermission
	case gcerrors.Unimplemented:
		e.reason, e.cause = reasonUnsupported, errors.ErrUnsupported
	case gcerrors.FailedPrecondition:
		e.reason = reasonClosed
	case gcerrors.ResourceExhausted, gcerrors.DeadlineExceeded, gcerrors.Canceled:
		e.reason, e.passing = reasonBusy, true
	default:
		e.Code = code.String()
	}
}

// azureStatus and azureCode are in the texts of Azure's errors, whose type would
// have to be imported with all of its client.
var (
	azureStatus = regexp.MustCompile(`(?m)^RESPONSE (\d{3})\b`)
	azureCode   = regexp.MustCompile(`(?m)^ERROR CODE: ([A-Za-z0-9]{1,64})\s*$`)
	code        = regexp.MustCompile(`^[A-Za-z0-9.]{1,64}$`)
)

// answer finds the service's status and code, through what drivers offer:
// methods (S3), a struct (Google Cloud Storage), a text (Azure).
func answer(err error) (status int, word string) {
	var http interface{ HTTPStatusCode() int }
	var coded interface{ ErrorCode() string }
	var google *googleapi.Error
	switch {
	case errors.As(err, &http):
		status = http.HTTPStatusCode()
		if errors.As(err, &coded) {
			word = coded.ErrorCode()
		}
	case errors.As(err, &coded):
		word = coded.ErrorCode()
	case errors.As(err, &google):
		status = google.Code
		if len(google.Errors) > 0 {
			word = google.Errors[0].Reason
		}
	default:
		text := err.Error()
		if m := azureStatus.FindStringSubmatch(text); m != nil {
			status, _ = strconv.Atoi(m[1])
			if m := azureCode.FindStringSubmatch(text); m != nil {
				word = m[1]
			}
		}
	}
	if !code.MatchString(word) {
		word = ""
	}
	return status, word
}
