package fides

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

// fault is one thing that is wrong with what came in, in Fides' shape. It quotes no
// value that may be a person's; of what is configured, such as a pattern, as much
// as the caller needs to find it.
type fault struct {
	Type string `json:"type" doc:"What is wrong, such as missing."`
	Loc  []any  `json:"loc" nullable:"false" doc:"Where: body, query or path, then keys and positions."`
	Msg  string `json:"msg"`
}

// valueFault is what a check of our own found.
func valueFault(msg string, loc ...any) fault {
	return fault{Type: "value_error", Loc: loc, Msg: "Value error, " + msg}
}

// failure is an answer that refuses. Handlers return it as their error.
type failure struct {
	status int
	detail any    // a string or []fault
	code   string // of OAuth, on its own routes; see [failure.oauth]
	header http.Header
	cause  error // for the log
}

func (f *failure) Error() string {
	if text, ok := f.detail.(string); ok {
		return text
	}
	return http.StatusText(f.status)
}

func (f *failure) Unwrap() error { return f.cause }

// refuse is a failure with a text.
func refuse(status int, format string, args ...any) *failure {
	return &failure{status: status, detail: fmt.Sprintf(format, args...)}
}

// invalid is the answer to what does not validate; nil without faults.
func invalid(faults ...fault) error {
	if len(faults) == 0 {
		return nil
	}
	return &failure{status: http.StatusUnprocessableEntity, detail: told(faults, len(faults))}
}

// maxFaults is how many faults an answer tells.
const maxFaults = 100

// told are so many of the first faults as an answer tells. If more were found,
// the last one says how many. Names that the caller made up are cut.
func told(faults []fault, found int) []fault {
	most := slices.Clone(faults[:min(len(faults), maxFaults)])
	if found > maxFaults {
		most[maxFaults-1] = fault{"too_many_errors", faults[0].Loc[:1:1], fmt.Sprintf("There are %d more errors", found-maxFaults+1)}
	}
	for i := range most {
		most[i].Msg = cut(most[i].Msg, maxMessage)
		most[i].Loc = slices.Clone(most[i].Loc)
		for k, name := range most[i].Loc {
			if text, ok := name.(string); ok {
				most[i].Loc[k] = cut(text, maxName)
			}
		}
	}
	return most
}

// maxName and maxMessage are how many bytes of a name and of a message an answer
// tells.
const (
	maxName    = 200
	maxMessage = 10_000
)

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// with adds a header.
func (f *failure) with(key, value string) *failure {
	if f.header == nil {
		f.header = http.Header{}
	}
	f.header.Set(key, value)
	return f
}

// statusHungUp is what logs show where the caller hung up; nobody gets it.
const statusHungUp = 499

// failureOf makes an answer of any error. Of errors that it does not know it
// tells nothing.
func failureOf(err error) *failure {
	var known *failure
	var auth *oauth.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &auth):
		f := &failure{status: auth.Status, detail: auth.Detail, cause: err}
		if auth.Challenge != "" {
			f = f.with("WWW-Authenticate", auth.Challenge)
		}
		if auth.RetryAfter > 0 {
			f = f.with("Retry-After", strconv.Itoa(int(auth.RetryAfter/time.Second)))
		}
		return f
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, dsr.ErrUnavailable):
		f := &failure{status: http.StatusServiceUnavailable, detail: unavailableNow, cause: err}
		return f.with("Retry-After", "5")
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{status: http.StatusGatewayTimeout, detail: tooLong, cause: err}
	case errors.Is(err, context.Canceled):
		return &failure{status: statusHungUp, detail: "The caller hung up", cause: err}
	case errors.Is(err, dsr.ErrToken):
		return &failure{status: http.StatusForbidden, detail: "Not Authorized for this action", cause: err}
	}
	return &failure{status: http.StatusInternalServerError, detail: "Internal Server Error", cause: err}
}

// oauth is the failure with the error code that clients of OAuth look for (RFC
// 6749, 5.2 and 4.1.2.1; RFC 7009, 2.2.1): the one that its cause has, or else one
// for its status.
func (f *failure) oauth() *failure {
	coded, known := *f, (*oauth.Error)(nil)
	if errors.As(f.cause, &known) && known.Code != "" {
		coded.code = known.Code
		return &coded
	}
	switch f.status {
	case http.StatusUnauthorized:
		coded.code = "invalid_client"
	case http.StatusForbidden:
		coded.code = "access_denied"
	case http.StatusConflict, http.StatusServiceUnavailable, http.StatusGatewayTimeout, statusHungUp:
		coded.code = "temporarily_unavailable"
	case http.StatusInternalServerError:
		coded.code = "server_error"
	default:
		coded.code = "invalid_request"
	}
	return &coded
}

func tooLarge(limit int64) *failure {
	return refuse(http.StatusRequestEntityTooLarge, "The body has more than %d bytes", limit)
}

// write answers.
func (f *failure) write(w http.ResponseWriter) {
	for key, values := range f.header {
		w.Header()[key] = values
	}
	writeJSON(w, f.status, struct {
		Detail any    `json:"detail"`
		Code   string `json:"error,omitempty"`
	}{f.detail, f.code})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil { // no answer is of such a type
		status, body = http.StatusInternalServerError, []byte(`{"detail":"Internal Server Error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
