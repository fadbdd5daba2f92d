package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/storage"
)

// shownLine is what of a line of a log tells what happened.
type shownLine struct {
	Dataset    string  `json:"dataset_name"`
	Collection *string `json:"collection_name"`
	Action     *string `json:"action_type"`
	Status     string  `json:"status"`
	User       *string `json:"user_id"`
	Message    *string `json:"message"`
	Time       string  `json:"updated_at"`
}

// shownVerbose is a request as a verbose list shows it.
type shownVerbose struct {
	Results map[string][]shownLine `json:"results"`
	Tasks   map[string]string      `json:"task_status_by_dataset"`
}

func (k *desk) shownVerbose(t *testing.T, token, id string) shownVerbose {
	t.Helper()
	a := k.send(t, token, "GET", "/privacy-request?verbose=true&include_deleted_requests=true&id="+id, nil)
	var list struct {
		Items []shownVerbose `json:"items"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &list), a.Body)
	require.Len(t, list.Items, 1)
	return list.Items[0]
}

// shownDecisions are the lines of those datasets that are decisions.
func (v *shownVerbose) shownDecisions() map[string][]string {
	told := map[string][]string{}
	for name, lines := range v.Results {
		for _, l := range lines {
			if l.Status == "complete" && l.Dataset != "Request finalized" || l.Collection != nil {
				continue
			}
			line := []string{l.Time[11:16], l.Status, "null", "null"}
			if l.User != nil {
				line[2] = *l.User
			}
			if l.Message != nil {
				line[3] = *l.Message
			}
			told[name] = append(told[name], strings.Join(line, " "))
		}
	}
	return told
}

func TestAVerboseListTellsWhatWasDecidedAsFidesDoes(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) {
		k.config.Flows = map[string]dsr.Flow{"access": {Approval: true}, "erase": {Finalization: true}}
		k.config.Retention.Identities = time.Hour
	})
	token := k.token(t)
	requests := k.engine.Requests()
	k.submit(t, "access", 2) // at 12:00 and 12:01
	k.submit(t, "erase", 1)
	k.wait(time.Minute)
	_, err := requests.Approve(t.Context(), "pri_1", dsr.By{Actor: "ann"})
	require.NoError(t, err)
	_, err = requests.Deny(t.Context(), "pri_2", dsr.By{Actor: "bob", Reason: "not ours"})
	require.NoError(t, err)
	k.wait(time.Minute)
	for _, id := range []string{"pri_1", "pri_3"} {
		_, err = requests.Advance(t.Context(), id)
		require.NoError(t, err)
	}
	at := func(minutes int) string { return begin.Add(time.Duration(minutes) * time.Minute).Format("15:04") }
	done := k.clock().Sub(begin) / time.Minute
	approved, submitted := at(int(done)-1), itemOf(t, k.send(t, token, "GET", "/privacy-request/pri_3", nil))["created_at"].(string)[11:16]
	k.wait(time.Minute)
	_, err = requests.Finalize(t.Context(), "pri_3", dsr.By{Actor: "cy"})
	require.NoError(t, err)
	for id, want := range map[string]map[string][]string{
		"pri_1": {"Request approved": {approved + " approved ann null"}, "Request finished": {at(int(done)) + " finished system null"}},
		"pri_2": {"Request denied": {approved + " denied bob not ours"}},
		"pri_3": {
			"Request approved":  {submitted + " approved system null"},
			"Request finalized": {at(int(done)+1) + " complete cy null"}, "Request finished": {at(int(done)+1) + " finished system null"},
		},
	} {
		v := k.shownVerbose(t, token, id)
		require.Equal(t, want, v.shownDecisions(), id)
		require.Contains(t, v.Results, "Request received")
		require.NotContains(t, v.Results, "Request complete")
		require.Equal(t, map[string]string{}, v.Tasks)
	}
	k.wait(2 * time.Hour)
	_, err = requests.Advance(t.Context(), "pri_2")
	require.NoError(t, err)
	v := k.shownVerbose(t, token, "pri_2")
	require.Equal(t, map[string][]string{"Request denied": {approved + " denied null null"}}, v.shownDecisions(), "who and why is forgotten")
}

func TestAVerboseListTellsWhoCanceledAndWhy(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Flow.Approval = true })
	token := k.token(t)
	k.submit(t, "access", 2)
	k.wait(time.Minute)
	for id, by := range map[string]dsr.By{"pri_1": {Actor: "ann", Reason: "sent twice"}, "pri_2": {}} {
		_, err := k.engine.Requests().Cancel(t.Context(), id, by)
		require.NoError(t, err)
	}
	at := k.clock().Format("15:04")
	for id, want := range map[string]string{"pri_1": at + " canceled ann sent twice", "pri_2": at + " canceled system null"} {
		v := k.shownVerbose(t, token, id)
		require.Equal(t, map[string][]string{"Request canceled": {want}}, v.shownDecisions(), id)
	}
}

func TestAVerboseListTellsOfPreApproval(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Flow.PreApproval = []string{"age", "fraud"} })
	token := k.token(t)
	k.submit(t, "access", 2)
	k.wait(time.Minute)
	for _, check := range []string{"age", "fraud"} {
		for id, eligible := range map[string]bool{"pri_1": true, "pri_2": check == "age"} {
			_, err := k.engine.Requests().PreApproval(t.Context(), id, check, eligible, dsr.By{})
			require.NoError(t, err)
		}
	}
	at := k.clock().Format("15:04")
	const answered = "Pre-approval webhook answered"
	one, two := k.shownVerbose(t, token, "pri_1"), k.shownVerbose(t, token, "pri_2")
	require.Equal(t, map[string][]string{
		answered: {at + " pre_approval_eligible system check age answered: eligible", at + " pre_approval_eligible system check fraud answered: eligible"},
		"Request auto-approved by pre-approval webhooks": {at + " pre_approval_eligible system null"},
		"Request approved": {at + " approved system all checks answered: eligible"},
	}, one.shownDecisions())
	require.Equal(t, map[string][]string{
		answered: {at + " pre_approval_eligible system check age answered: eligible"},
		"Request flagged for manual review by pre-approval webhooks": {at + " pre_approval_not_eligible system check fraud answered: not eligible"},
	}, two.shownDecisions())
}

// shownLog is the log of a request.
func (k *desk) shownLog(t *testing.T, token, id string) (told []string) {
	t.Helper()
	a := k.send(t, token, "GET", "/privacy-request/"+id+"/log", nil)
	require.Equal(t, http.StatusOK, a.Status, a.Body)
	var page struct {
		Items []shownLine `json:"items"`
		Total int         `json:"total"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.Body), &page))
	require.Len(t, page.Items, page.Total)
	for _, l := range page.Items {
		collection := "null"
		if l.Collection != nil {
			collection = *l.Collection
		}
		require.NotNil(t, l.Action)
		told = append(told, strings.Join([]string{l.Dataset, collection, *l.Action, l.Status}, " "))
	}
	return told
}

func TestTheLogTellsWhatWasDoneInEachCollection(t *testing.T) {
	t.Parallel()
	k, token := complete(t)
	require.Equal(t, []string{"shop customers access complete"}, k.shownLog(t, token, "pri_1"))
	a := k.send(t, token, "GET", "/privacy-request/pri_1/log?size=2", nil)
	require.Contains(t, a.Body, `{"items":[{"connection_key":"shop","dataset_name":"shop","collection_name":"customers","fields_affected":[{"path":"shop:customers:email",`)
	require.Contains(t, a.Body, `{"path":"shop:customers:email","field_name":"email","data_categories":["user.contact.email"]}`)
	require.Contains(t, a.Body, `"total":1,"page":1,"size":2,"pages":1}`)
	require.Equal(t, `{"items":[],"total":0,"page":1,"size":50,"pages":0}`, k.send(t, token, "GET", "/privacy-request/pri_2/log", nil).Body)
	k.send(t, token, "POST", "/privacy-request/pri_1/soft-delete", nil).is(t, http.StatusOK)
	require.Equal(t, []string{"shop customers access complete"}, k.shownLog(t, token, "pri_1"))
}

func TestTheStatusOfADatasetIsItsWorstOfNow(t *testing.T) {
	t.Parallel()
	k, db, token := newStock(t)
	k.send(t, token, "POST", "/privacy-request", `[{"policy_key":"stock","identity":{"email":"nia.vale@example.com"}}]`).is(t, http.StatusOK)
	require.Equal(t, map[string]string{}, k.shownVerbose(t, token, "pri_1").Tasks)
	db.down.Store(true)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.Error(t, err)
	require.Equal(t, map[string]string{"stock": "error"}, k.shownVerbose(t, token, "pri_1").Tasks)
	require.Equal(t, []string{"stock customers access error"}, k.shownLog(t, token, "pri_1"))
	db.down.Store(false)
	_, err = k.engine.Requests().Retry(t.Context(), "pri_1", dsr.By{})
	require.NoError(t, err)
	_, err = k.engine.Requests().Advance(t.Context(), "pri_1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{}, k.shownVerbose(t, token, "pri_1").Tasks)
	require.Equal(t, []string{"stock customers access error", "shop customers access complete", "stock customers access complete", "stock orders access complete"}, k.shownLog(t, token, "pri_1"))
}

// shownFull is a destination that takes nothing.
type shownFull struct{}

// Create implements [storage.Destination].
func (shownFull) Create(context.Context, string) (storage.Upload, error) {
	return nil, errors.New("the disk is full")
}

func TestAFailureOfTheWholeRequestIsInItsLog(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.config.Destinations = map[string]dsr.Destination{"full": {Storage: shownFull{}}} })
	token := k.token(t)
	k.submit(t, "access", 1)
	_, err := k.engine.Requests().Advance(t.Context(), "pri_1")
	require.Error(t, err)
	require.Equal(t, []string{"shop customers access complete", "Request failed null access error"}, k.shownLog(t, token, "pri_1"))
	failed := k.shownVerbose(t, token, "pri_1").Results["Request failed"]
	require.Len(t, failed, 1)
	require.Contains(t, *failed[0].Message, "the disk is full")
}
