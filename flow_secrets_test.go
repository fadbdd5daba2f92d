package dsr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// tellers are all ways to print a value. They must not be silent.
func tellers() map[string]func(any) string {
	all := map[string]func(any) string{
		"json": func(v any) string {
			data, err := json.Marshal(v)
			if err != nil {
				return err.Error()
			}
			return string(data)
		},
		"slog json": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewJSONHandler(&b, nil)).Info("told", "v", v)
			return b.String()
		},
		"slog text": func(v any) string {
			var b bytes.Buffer
			slog.New(slog.NewTextHandler(&b, nil)).Info("told", "v", v)
			return b.String()
		},
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		all[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	return all
}

// around puts a value where printing finds it by itself.
func around[T any](v T) []any {
	return []any{v, &v, []T{v}, map[string]T{"k": v}, struct{ V T }{v}, struct{ V *T }{&v}, fmt.Sprint(v)}
}

func TestPeopleAndCodesPrintNothing(t *testing.T) {
	t.Parallel()
	const secret, code = "CANARY", "918273"
	ids := dsr.Identities{"email": {secret}}
	by := dsr.By{Actor: secret, Reason: secret}
	var values []any
	values = append(values, around(by)...)
	values = append(values, around(dsr.Remark{Time: begin, Action: "denied", Actor: secret, Reason: secret})...)
	values = append(values, around(dsr.Notice{Kind: dsr.NoticeVerify, RequestID: "r1", Code: code, To: ids, Reason: secret})...)
	fields := dsr.Fields{"k": {Label: secret, Value: secret}}
	values = append(values, around(fields)...)
	values = append(values, around(fields["k"])...)
	values = append(values, around(dsr.FieldValues{"k": {secret}})...)
	values = append(values, around(dsr.Filter{Identities: ids, Fields: dsr.FieldValues{"k": {secret}}})...)
	opened := dsr.Opened{
		Identities: ids, Fields: fields, Source: secret, Labels: dsr.Labels{"k": secret},
		Remarks: []dsr.Remark{{Actor: secret}}, Err: errors.New("none"),
	}
	values = append(values, around(opened)...)
	values = append(values, around(opened.Labels)...)
	values = append(values, around(dsr.Request{ID: "r1", Opened: &opened})...)
	values = append(values, around(dsr.Submission{
		Policy: "p", Identities: ids, By: by, Fields: fields, Source: "desk", Labels: dsr.Labels{"k": secret},
	})...)
	for name, tell := range tellers() {
		for _, v := range values {
			told := tell(v)
			require.NotEmpty(t, told)
			for _, hidden := range []string{secret, code, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("%x", code)} {
				require.NotContains(t, told, hidden, "%s of %T", name, v)
			}
		}
	}
	// What is open is still told, and read.
	data, err := json.Marshal(dsr.Notice{Kind: dsr.NoticeComplete, RequestID: "r1", Packages: []string{"r1.json"}})
	require.NoError(t, err)
	var read dsr.Notice
	require.NoError(t, json.Unmarshal(data, &read))
	require.Equal(t, dsr.Notice{Kind: dsr.NoticeComplete, RequestID: "r1", Packages: []string{"r1.json"}}, read)
	var who dsr.By
	require.NoError(t, json.Unmarshal([]byte(`{"Actor": "a", "Reason": "r"}`), &who))
	require.Equal(t, "a r", who.Actor+" "+who.Reason)
	data, err = json.Marshal(dsr.Remark{Time: begin, Action: "denied", Actor: secret})
	require.NoError(t, err)
	require.JSONEq(t, `{"time": "2030-01-02T03:04:05Z", "action": "denied"}`, string(data))
}

// hoard keeps everything that is ever stored, as text.
type hoard struct {
	dsr.Store
	mu  sync.Mutex
	all bytes.Buffer
}

func (h *hoard) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	h.mu.Lock()
	rec := &ch.Record
	fmt.Fprintf(&h.all, "%+v %s %s %s %s %s %s\n", *rec, rec.State, rec.Plan, rec.Outcomes, rec.Identity, rec.Details, rec.AuditHash)
	for purpose, key := range rec.Keys {
		fmt.Fprintf(&h.all, "%s %s\n", purpose, key)
	}
	fmt.Fprintf(&h.all, "%+v %+v\n", ch.Events, ch.Audit)
	for _, chunk := range ch.AppendJournal {
		fmt.Fprintf(&h.all, "%s\n", chunk.Sealed)
	}
	h.mu.Unlock()
	return h.Store.Commit(ctx, ch)
}

// TestLifeTellsNoSecret looks for identities, codes, people and what they said
// in everything that a request leaves behind in its life.
func TestLifeTellsNoSecret(t *testing.T) {
	t.Parallel()
	keyring, err := dsr.NewLocalKeyring(bytes.Repeat([]byte{1}, 32), dsr.LocalKey{ID: "k", Key: bytes.Repeat([]byte{2}, 32)})
	require.NoError(t, err)
	store := &hoard{}
	notifier := &failingNotifier{}
	o := newOffice(t, dsr.Flow{VerifyIdentity: true, Approval: true, PreApproval: []string{"fraud"}, Finalization: true, Duplicates: &dsr.Duplicates{}}, func(c *dsr.Config) {
		store.Store, c.Store = c.Store, store
		notifier.Notifier, c.Notifier = c.Notifier, notifier
		c.Keyring, c.Random = keyring, rand.NewChaCha8([32]byte{}) // so that no digits come together by chance
		c.Retention = dsr.Retention{Identities: time.Hour}
	})
	o.world.db().Connector.Update("customers", func(row map[string]any) {
		if row["id"] == int64(1) {
			row["email"] = "CANARY@example.com"
		}
	})
	var told bytes.Buffer
	tell := func(req *dsr.Request, err error) {
		for _, teller := range tellers() {
			told.WriteString(teller(req))
			for ; err != nil; err = errors.Unwrap(err) {
				told.WriteString(teller(err))
			}
		}
	}
	by := dsr.By{Actor: "CANARY clerk", Reason: "CANARY said so"}
	ctx := t.Context()
	codes := map[string]bool{}
	submit := func() {
		s := submission("both", "CANARY@example.com")
		s.By, s.Source, s.Labels = by, "CANARY centre", dsr.Labels{"note": "CANARY note"}
		s.Fields = dsr.Fields{"loyalty": {Label: "CANARY label", Value: []any{"CANARY value", 918273}}}
		tell(o.Submit(ctx, s))
		codes[o.code(t)] = true
	}
	submit()
	tell(o.Verify(ctx, "r1", "CANARY"))
	tell(o.Verify(ctx, "r1", wrongCode(o.code(t))))
	notifier.fail = func() error { return errors.New("no mail") }
	tell(o.SendCode(ctx, "r1", by))
	notifier.fail = nil
	tell(o.SendCode(ctx, "r1", by))
	codes[o.code(t)] = true
	tell(o.Verify(ctx, "r1", o.code(t)))
	tell(o.Verify(ctx, "r1", o.code(t)))
	tell(o.PreApproval(ctx, "r1", "fraud", false, by))
	tell(o.Deny(ctx, "r1", dsr.By{Actor: by.Actor}))
	tell(o.Approve(ctx, "r1", by))
	tell(o.Pause(ctx, "r1", by))
	tell(o.Resume(ctx, "r1", by))
	tell(o.Advance(ctx, "r1"))
	notifier.fail = func() error { return errors.New("no mail") }
	tell(o.Finalize(ctx, "r1", by))
	notifier.fail = nil
	tell(o.Finalize(ctx, "r1", by))
	submit()
	tell(o.Verify(ctx, "r2", o.code(t)))
	o.requireStatus(t, "r2", dsr.StatusDuplicate)
	tell(o.Deny(ctx, "r2", by))
	tell(o.Resubmit(ctx, "r2", by))
	tell(o.Cancel(ctx, "r2", by))
	tell(o.Delete(ctx, "r2", by))
	tell(o.Delete(ctx, "r2", by))
	o.requireStatus(t, "r1", dsr.StatusComplete)

	remarks, err := o.Remarks(ctx, "r1")
	require.NoError(t, err)
	require.Len(t, remarks, 8)
	bulk, err := o.Bulk(ctx, dsr.Selection{IDs: []string{"r1", "r2"}}, o.Approve, by)
	require.NoError(t, err)
	identities, err := o.Identities(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, []string{"CANARY@example.com"}, identities["email"])
	page, err := o.List(ctx, dsr.Filter{
		Identities: identities, Fields: dsr.FieldValues{"loyalty": {"CANARY value"}}, Deleted: true, Total: true, Open: true,
	})
	require.NoError(t, err)
	require.Len(t, page.Requests, 2)
	require.Equal(t, "CANARY value", page.Requests[0].Opened.Fields["loyalty"].Value.([]any)[0])
	for _, id := range []string{"r1", "r2"} {
		log, err := o.Log(ctx, id, 0, 0)
		require.NoError(t, err)
		fmt.Fprintf(&told, "%+v", log)
	}
	var export bytes.Buffer
	require.NoError(t, o.engine.Audit().Export(ctx, &export))
	for _, teller := range tellers() {
		for _, v := range []any{remarks, o.notifier.Notices(), bulk, page, identities} {
			told.WriteString(teller(v))
		}
	}
	require.Len(t, codes, 3)
	codes["CANARY"] = true
	for hidden := range codes {
		for name, text := range map[string]string{"told": told.String(), "logs": o.logs.String(), "store": store.all.String(), "export": export.String()} {
			require.Greater(t, len(text), 50, name)
			require.NotContains(t, text, hidden, name)
		}
	}
}
