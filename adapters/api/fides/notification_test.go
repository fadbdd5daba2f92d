package fides_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/memory"
)

const notificationAt = "/api/v1/privacy-request/notification"

// mailed are e-mails about failures.
type mailed struct {
	mu   sync.Mutex
	fail error
	to   [][]string
	all  []dsr.Notice
}

func (s *mailed) send(_ context.Context, to []string, n dsr.Notice) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.to, s.all = append(s.to, to), append(s.all, n)
	return nil
}

// broken is a connector that cannot read.
type broken struct{ *memory.Connector }

func (broken) Read(context.Context, *dsr.Query) iter.Seq2[dsr.Row, error] {
	return func(yield func(dsr.Row, error) bool) { yield(dsr.Row{}, errors.New("it is broken")) }
}

// failing is a desk whose requests all fail, and which sends e-mails about that.
func failing(t *testing.T) (*desk, *mailed) {
	t.Helper()
	return failingWith(t, func(*desk) {})
}

// failingWith is failing with something else.
func failingWith(t *testing.T, change func(*desk)) (*desk, *mailed) {
	t.Helper()
	mails := &mailed{}
	k := newDesk(t, func(k *desk) {
		change(k)
		var err error
		k.options.Failures, err = fides.NewFailureNotices(fides.FailureOptions{Notifier: k.notifier, Store: k.store, Send: mails.send})
		require.NoError(t, err)
		k.config.Notifier = k.options.Failures
		k.config.Connections[0].Connector = broken{memory.NewConnector(map[string][]map[string]any{"customers": nil}, nil)}
	})
	return k, mails
}

// fail lets a request fail.
func (k *desk) fail(t *testing.T) {
	t.Helper()
	req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	req, err = k.engine.Requests().Advance(t.Context(), req.ID)
	require.Error(t, err)
	require.Equal(t, dsr.StatusError, req.Status)
}

func TestTheSettingOfNotificationsIsKept(t *testing.T) {
	t.Parallel()
	k, _ := failing(t)
	token := k.token(t)
	const none, set = `{"detail":"No privacy request notification info found"}`, `{"email_addresses":["desk@example.com","dpo@example.com"],"notify_after_failures":2}`
	k.send(t, token, "GET", notificationAt, nil).want(t, http.StatusNotFound, none)
	k.send(t, token, "PUT", notificationAt, set).want(t, http.StatusOK, set)
	k.restart(t)
	k.send(t, token, "GET", notificationAt, nil).want(t, http.StatusOK, set)
	k.send(t, token, "PUT", notificationAt, `{"email_addresses":["desk@example.com","dpo@example.com","desk@example.com"],"notify_after_failures":2}`).want(t, http.StatusOK, set)
	k.send(t, token, "GET", notificationAt, nil).want(t, http.StatusOK, set)
	const empty = `{"email_addresses":[],"notify_after_failures":0}`
	k.send(t, token, "PUT", notificationAt, empty).want(t, http.StatusOK, empty)
	k.send(t, token, "GET", notificationAt, nil).want(t, http.StatusNotFound, none)
	for body, detail := range map[string]string{
		`{}`: `{"type":"missing","loc":["body","email_addresses"],"msg":"Field required"},{"type":"missing","loc":["body","notify_after_failures"],"msg":"Field required"}`,
		`{"email_addresses":["desk@example.com"],"notify_after_failures":0}`:       `{"type":"greater_than_equal","loc":["body","notify_after_failures"],"msg":"Input should be greater than or equal to 1"}`,
		`{"email_addresses":["a@example.com","nobody"],"notify_after_failures":1}`: `{"type":"value_error","loc":["body","email_addresses",1],"msg":"value is not a valid email address"}`,
		`{"email_addresses":[],"notify_after_failures":1,"x":2}`:                   `{"type":"extra_forbidden","loc":["body","x"],"msg":"Extra inputs are not permitted"}`,
		`{"email_addresses":["Desk <a@example.com>"],"notify_after_failures":"1"}`: `{"type":"int_type","loc":["body","notify_after_failures"],"msg":"Input should be a valid integer"}`,
	} {
		k.send(t, token, "PUT", notificationAt, body).want(t, http.StatusUnprocessableEntity, `{"detail":[`+detail+`]}`)
	}
}

func TestAServerThatSendsNoEMailsSaysSo(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	token := k.token(t)
	k.send(t, token, "PUT", notificationAt, `{"email_addresses":["desk@example.com"],"notify_after_failures":2}`).want(t, http.StatusBadRequest,
		`{"detail":"This server sends no e-mails about requests that failed; its operators are told in their own way."}`)
	k.send(t, token, "PUT", notificationAt, `{"email_addresses":[],"notify_after_failures":2}`).want(t, http.StatusOK, `{"email_addresses":[],"notify_after_failures":2}`)
}

func TestThereIsOneEMailAfterAsManyFailures(t *testing.T) {
	t.Parallel()
	k, mails := failing(t)
	k.fail(t)
	require.Equal(t, http.StatusOK, k.send(t, k.token(t), "PUT", notificationAt, `{"email_addresses":["desk@example.com","dpo@example.com"],"notify_after_failures":2}`).Status)
	k.fail(t)
	require.Empty(t, mails.all, "what failed before somebody asked does not count")
	k.restart(t)
	k.fail(t)
	require.Len(t, mails.all, 1)
	require.Equal(t, [][]string{{"desk@example.com", "dpo@example.com"}}, mails.to)
	n := mails.all[0]
	require.Equal(t, []any{dsr.NoticeFailed, "2 privacy requests stopped with an error", begin}, []any{n.Kind, n.Subject, n.At})
	require.Equal(t, "2 privacy requests stopped with an error:\n\n  pri_2\n  pri_3\n\nMend the cause, and retry them.\n", n.Text)
	k.fail(t)
	require.Len(t, mails.all, 1, "it begins anew")
	k.fail(t)
	require.Len(t, mails.all, 2)
	failed := 0
	for _, n := range k.notifier.Notices() {
		if n.Kind == dsr.NoticeFailed {
			failed++
		}
	}
	require.Equal(t, 5, failed, "operators are told of each")
	require.NotContains(t, k.logs.String(), "desk@example.com")
}

func TestAFailureThatComesAgainCountsOnce(t *testing.T) {
	t.Parallel()
	k, mails := failing(t)
	require.Equal(t, http.StatusOK, k.send(t, k.token(t), "PUT", notificationAt, `{"email_addresses":["desk@example.com"],"notify_after_failures":2}`).Status)
	notice := dsr.Notice{ID: "n1", Kind: dsr.NoticeFailed, RequestID: "pri_7", At: begin}
	for range 3 {
		require.NoError(t, k.options.Failures.Notify(t.Context(), notice))
	}
	require.NoError(t, k.options.Failures.Notify(t.Context(), dsr.Notice{ID: "n2", Kind: dsr.NoticeComplete, RequestID: "pri_8"}))
	require.Empty(t, mails.all)
	notice.ID = "n3"
	mails.fail = errors.New("down")
	require.ErrorIs(t, k.options.Failures.Notify(t.Context(), notice), mails.fail)
	mails.fail = nil
	require.NoError(t, k.options.Failures.Notify(t.Context(), notice))
	require.Len(t, mails.all, 1)
	require.Equal(t, "failures-n3-2", mails.all[0].ID)
}

func TestOptionsOfFailureNoticesThatAreMissingAreTold(t *testing.T) {
	t.Parallel()
	_, err := fides.NewFailureNotices(fides.FailureOptions{})
	for _, name := range []string{"Notifier", "Store", "Send"} {
		require.ErrorContains(t, err, "FailureOptions."+name+" is missing")
	}
}
