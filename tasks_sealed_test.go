package dsr_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
)

// openStore keeps all that is stored of requests and messages, as bytes.
type openStore struct {
	dsr.Store
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *openStore) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.mu.Lock()
	fmt.Fprintf(&s.all, "%s %s %s %s %s %+v %+v", ch.Record.Manual, ch.Record.Outcomes, ch.Record.State, ch.Record.Details, ch.Record.Failure, ch.Events, ch.Audit)
	for _, m := range ch.Messages {
		fmt.Fprintf(&s.all, "%s %s %s", m.Message.ID, m.Message.Data, m.Message.Sealed)
	}
	s.mu.Unlock()
	return s.Store.Commit(ctx, ch)
}

func (s *openStore) SaveMessages(ctx context.Context, changes []dsr.MessageChange) error {
	s.mu.Lock()
	for _, m := range changes {
		fmt.Fprintf(&s.all, "%s %s %s", m.Message.ID, m.Message.Data, m.Message.Sealed)
	}
	s.mu.Unlock()
	return s.Store.SaveMessages(ctx, changes)
}

// What people are asked and answer is in packages, and nowhere else in the clear.
func TestNothingPersonalOfTasks(t *testing.T) {
	t.Parallel()
	var store *openStore
	var told bytes.Buffer
	h := newHouse(t, func(c *dsr.Config) {
		store = &openStore{Store: c.Store}
		c.Store = store
		c.Progress = func(_ context.Context, p dsr.Progress) { fmt.Fprintf(&told, "%+v", p) }
		c.Digest = dsr.Every(24 * time.Hour)
	})
	h.db().Put("customers", row{"id": 3, "email": "CANARY@example.com", "name": "CANARY"})
	h.change(mailboxTask, func(s *dsr.TaskSpec) { s.Assignees, s.Remind = []string{"CANARY ann", "CANARY bob"}, time.Hour })
	by := dsr.By{Actor: "CANARY clerk", Reason: "CANARY reason"}
	say := func(v any, err error) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&told, verb+" "+verb, v, err)
		}
		slog.New(slog.NewJSONHandler(&told, nil)).Info("", "v", v, "error", err)
		slog.New(slog.NewTextHandler(&told, nil)).Info("", "v", v, "error", err)
		encoded, jsonErr := json.Marshal(v)
		require.NoError(t, jsonErr)
		told.Write(encoded)
	}
	h.notifier.Fail(func(_ context.Context, n dsr.Notice) error {
		say(n, nil)
		if n.Assignee == "CANARY bob" {
			return fmt.Errorf("no CANARY: %w", dsr.ErrRejected)
		}
		return nil
	}, nil)
	_, err := h.Submit(t.Context(), submission("both", "CANARY@example.com"))
	require.NoError(t, err)
	say(h.Advance(t.Context(), "r1"))
	task := h.task(t, mailboxTask)
	require.Equal(t, []any{"CANARY@example.com"}, task.Inputs[0].Values)
	say(task, nil)
	say(*task, nil)
	say(task.Inputs, nil)
	say(h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": []byte("CANARY"), "found": "CANARY", "scan": []string{"CANARY"}}, by))
	info, err := h.engine.Attachments().Add(t.Context(), "r1", "CANARY.txt", "text/plain", false, bytes.NewReader([]byte("CANARY scan")), by)
	say(info, err)
	say(h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": "CANARY note", "box": "CANARY", "found": true, "scan": []string{info.ID}}, by))
	say(h.tasks.Answer(t.Context(), "r1", lettersTask, 0, map[string]any{"note": "CANARY note"}, by))
	h.clock.add(25 * time.Hour)
	_, err = h.engine.Messages().Send(t.Context())
	require.NoError(t, err)
	say(h.tasks.Assign(t.Context(), "r1", mailboxTask, 0, []string{"CANARY cid"}, by))
	say(h.tasks.Skip(t.Context(), "r1", mailboxTask, 1, nil, by))
	say(h.task(t, mailboxTask).Answers, nil)
	say(h.Advance(t.Context(), "r1"))
	for _, id := range []string{lettersErase, mailboxErase} {
		say(h.tasks.Answer(t.Context(), "r1", id, 0, map[string]any{"erased": true}, by))
	}
	req, err := h.Advance(t.Context(), "r1")
	say(req, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	say(h.Log(t.Context(), "r1", 0, 0))
	require.Contains(t, h.packages.file("r1.json"), "CANARY note")
	require.Contains(t, h.packages.file("r1.json"), "CANARY.txt")
	require.NotContains(t, h.packages.file("r1.json"), "CANARY reason")
	for name, text := range map[string]string{
		"told": told.String(), "log": h.logs.String(), "store": store.all.String(), "manifest": h.packages.file("r1.manifest.json"),
		"audit": fmt.Sprint(h.trail(t, "r1")),
	} {
		require.NotEmpty(t, text, name)
		require.NotContains(t, text, "CANARY", name)
		require.NotContains(t, text, "43414e415259", name) // as %x
		require.NotContains(t, text, "Q0FOQVJZ", name)     // in base64
	}
}

func TestQuestionsPrintNothing(t *testing.T) {
	t.Parallel()
	q := dsr.Question{
		Collection: &graph.Collection{Address: graph.Address{Dataset: "paper", Collection: "letters"}}, Action: graph.Access,
		Identities: dsr.Identities{"email": {"CANARY"}}, Inputs: []dsr.QuestionInput{{Field: "customer", Values: []any{"CANARY"}}},
	}
	a := dsr.TaskAnswer{Value: "CANARY", Reason: "CANARY", Actor: "CANARY"}
	for _, v := range []any{q, &q, q.Inputs, q.Inputs[0], a, &a, map[string]any{"a": a}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "CANARY")
			require.NotContains(t, fmt.Sprintf(verb, v), "43414e415259")
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(encoded), "CANARY")
	}
	require.Equal(t, "{access paper:letters}", fmt.Sprint(q))
	require.Equal(t, "{customer [redacted]}", q.Inputs[0].LogValue().String())
	require.Equal(t, "[redacted]", a.LogValue().String())
	encoded, err := json.Marshal(q)
	require.NoError(t, err)
	require.Equal(t, `"{access paper:letters}"`, string(encoded))
}
