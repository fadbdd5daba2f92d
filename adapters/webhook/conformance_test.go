package webhook_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/notifiertest"
	"github.com/godsr/dsr/adapters/webhook"
)

func TestNotifierConformance(t *testing.T) {
	t.Parallel()
	notifiertest.Run(t, notifiertest.Harness{
		New: func(context.Context) (*notifiertest.OtherSide, error) { return otherSide(t) },
		Lacks: map[notifiertest.Feature]string{
			notifiertest.Recipients: "a webhook has one receiver, whom the URL names",
		},
	})
}

// otherSide is a receiver that verifies what comes, and can be broken.
func otherSide(t *testing.T) (*notifiertest.OtherSide, error) {
	var (
		down, hang, lose, reject atomic.Bool
		mu                       sync.Mutex
		received                 []notifiertest.Received
	)
	verifier, err := webhook.NewVerifier([]string{secret}, nil)
	if err != nil {
		return nil, err
	}
	kinds := map[string]dsr.NoticeKind{}
	for kind, name := range eventTypes() {
		kinds[name] = kind
	}
	take := verifier.Handler(func(w http.ResponseWriter, _ *http.Request, id string, body []byte) error {
		event, err := webhook.DecodeEvent(body)
		if err != nil {
			return err
		}
		p := event.Data.Personal
		mu.Lock()
		defer mu.Unlock()
		received = append(received, notifiertest.Received{ID: id, Kind: kinds[event.Type], Subject: p.Subject, Text: p.Text, HTML: p.HTML})
		return nil
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		quote := func(status int) {
			w.WriteHeader(status)
			_, _ = io.Copy(w, r.Body)
		}
		switch {
		case down.Load():
			quote(http.StatusServiceUnavailable)
		case reject.Load():
			quote(http.StatusUnprocessableEntity)
		case hang.Load():
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		case lose.Load():
			take.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		default:
			take.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	client, err := webhook.New(server.URL, []string{secret}, &webhook.Options{Personal: true, Insecure: true, Allow: loopback()})
	if err != nil {
		return nil, err
	}
	t.Cleanup(client.Close)
	return &notifiertest.OtherSide{
		Notifier: client,
		Received: func() ([]notifiertest.Received, error) {
			mu.Lock()
			defer mu.Unlock()
			return append([]notifiertest.Received(nil), received...), nil
		},
		Down: down.Store, Hang: hang.Store, LoseAnswer: lose.Store, Reject: reject.Store,
	}, nil
}

// eventTypes is the table of the documentation.
func eventTypes() map[dsr.NoticeKind]string {
	return map[dsr.NoticeKind]string{
		dsr.NoticeReceived: "privacy_request.received",
		dsr.NoticeVerify:   "privacy_request.verification_requested",
		dsr.NoticeApproved: "privacy_request.approved",
		dsr.NoticeDenied:   "privacy_request.denied",
		dsr.NoticeExtended: "privacy_request.extended",
		dsr.NoticeCanceled: "privacy_request.canceled",
		dsr.NoticePackage:  "privacy_request.package_ready",
		dsr.NoticeComplete: "privacy_request.completed",
		dsr.NoticeInput:    "privacy_request.input_required",
		dsr.NoticeFinalize: "privacy_request.finalization_required",
		dsr.NoticeFailed:   "privacy_request.failed",
		dsr.NoticeTask:     "task.assigned",
		dsr.NoticeReminder: "task.reminder",
		dsr.NoticeDigest:   "task.digest",
		dsr.NoticeErase:    "vendor.erasure_requested",
	}
}

func TestEveryKindHasAnEvent(t *testing.T) {
	t.Parallel()
	doc := file(t, "event.go") + file(t, "../../docs/webhooks.md")
	for _, kind := range dsr.NoticeKinds() {
		require.NotEmpty(t, eventTypes()[kind], kind)
		require.Equal(t, 2, min(2, strings.Count(doc, eventTypes()[kind])), "%s is documented in both places", kind)
	}
}
