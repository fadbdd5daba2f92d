package openapitest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

const (
	processHost = "http://api.example.com" // that a handler called in process is told
	maxAnswer   = 16 << 20                 // of an answer's body
)

// answer is what came back. With a rule, what came back broke it.
type answer struct {
	status int
	header http.Header
	body   []byte
	rule   string
	detail string
}

// sender sends one request and waits for all of its answer, at most for
// [Config.Timeout]. An error says that nothing was sent.
type sender func(ctx context.Context, a *attempt) (answer, error)

func (c *Config) sender() sender {
	do := c.inProcess
	base := processHost
	if c.Handler == nil {
		client := http.Client{}
		if c.Client != nil {
			client = *c.Client
		}
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		do, base = func(r *http.Request) (answer, error) { return overWire(&client, r) }, c.BaseURL
	}
	return func(ctx context.Context, a *attempt) (answer, error) {
		ctx, cancel := context.WithTimeout(ctx, c.Timeout)
		defer cancel()
		r, err := a.request(ctx, base, c.Prefix)
		if err != nil {
			return answer{}, err
		}
		got, err := do(r)
		if err == nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return answer{rule: RuleSilence, detail: fmt.Sprintf("none within %v", c.Timeout)}, nil
		}
		return got, err
	}
}

func overWire(client *http.Client, r *http.Request) (answer, error) {
	res, err := client.Do(r)
	if err != nil {
		return answer{rule: RuleSilence, detail: withoutAddress(err)}, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return answer{rule: RuleSilence, detail: "in the middle of the body: " + withoutAddress(err)}, nil
	}
	return complete(answer{status: res.StatusCode, header: res.Header, body: body}), nil
}

// withoutAddress drops the URL and the port of a connection, which differ from
// one failure of a kind to the next.
func withoutAddress(err error) string {
	text := err.Error()
	return text[strings.LastIndex(text, ": ")+1:]
}

func complete(got answer) answer {
	if len(got.body) > maxAnswer {
		got.rule, got.detail = RuleBody, fmt.Sprintf("it is longer than %d bytes", maxAnswer)
	}
	return got
}

// inProcess writes the request as it goes over a wire, reads it as a server
// does, and calls the handler.
func (c *Config) inProcess(out *http.Request) (answer, error) {
	ctx := out.Context()
	var wire bytes.Buffer
	if err := out.Write(&wire); err != nil {
		return answer{}, err
	}
	in, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return answer{}, err
	}
	in = in.WithContext(ctx)
	in.RemoteAddr = "192.0.2.1:1234"
	done := make(chan answer, 1)
	go func() {
		w := &recorder{header: http.Header{}, head: in.Method == http.MethodHead}
		defer func() {
			if p := recover(); p != nil {
				done <- answer{rule: RulePanic, detail: fmt.Sprintf("%v\n%s", p, culprit(debug.Stack()))}
			}
		}()
		c.Handler.ServeHTTP(w, in)
		done <- w.answer()
	}()
	select {
	case got := <-done:
		return got, nil
	case <-ctx.Done():
		return answer{}, nil
	}
}

// culprit are the innermost places of a panic's stack, without arguments and
// offsets, which differ from one panic to the next.
func culprit(stack []byte) string {
	text := string(stack)
	if i := strings.LastIndex(text, "\npanic("); i >= 0 {
		text = text[i+1:]
	}
	var places []string
	for line := range strings.Lines(text) {
		place, indented := strings.CutPrefix(strings.TrimSpace(line), "/")
		if indented && len(places) < 5 {
			place, _, _ = strings.Cut(place, " +0x")
			places = append(places, "/"+place)
		}
	}
	return strings.Join(places[min(1, len(places)):], "\n") // the first is the runtime's
}

// recorder keeps an answer, and what net/http would not have sent.
type recorder struct {
	header http.Header // the handler's
	sent   http.Header // as it was when the status was written
	status int
	body   bytes.Buffer
	head   bool
	stray  string
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	switch {
	case w.status != 0:
		w.stray = fmt.Sprintf("a second status, %d after %d", status, w.status)
	case status < 100 || status > 999:
		w.stray = fmt.Sprintf("the status %d", status)
		w.status, w.sent = http.StatusInternalServerError, w.header.Clone()
	case status >= 200 || status == http.StatusSwitchingProtocols:
		w.status, w.sent = status, w.header.Clone()
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		if len(p) > 0 {
			w.stray = fmt.Sprintf("a body after the status %d", w.status)
		}
		return 0, http.ErrBodyNotAllowed
	}
	if w.body.Len() == 0 && w.sent.Get("Content-Type") == "" && w.sent.Get("Content-Encoding") == "" && len(p) > 0 {
		w.sent.Set("Content-Type", http.DetectContentType(p))
	}
	if w.head || w.body.Len() > maxAnswer {
		return len(p), nil
	}
	return w.body.Write(p)
}

// Flush sends the status, as net/http does.
func (w *recorder) Flush() {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
}

// SetReadDeadline and its like let handlers use http.ResponseController.
func (w *recorder) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: the body goes nowhere.
func (w *recorder) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex does nothing: the body was read in full.
func (w *recorder) EnableFullDuplex() error { return nil }

func (w *recorder) answer() answer {
	w.Flush()
	got := answer{status: w.status, header: w.sent, body: w.body.Bytes()}
	if w.stray != "" {
		got.rule, got.detail = RuleStray, w.stray
	}
	return complete(got)
}
