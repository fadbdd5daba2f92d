package fides_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// echoing is a store in which something happens right after a change.
type echoing struct {
	*memory.Store
	then atomic.Pointer[func()]
}

// Commit implements [dsr.Store].
func (s *echoing) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	err := s.Store.Commit(ctx, ch)
	if then := s.then.Swap(nil); then != nil {
		(*then)()
	}
	return err
}

// Others may say the same of a request, or of its task, at the same moment.
func TestACommentThatSomebodyElseMakesTooIsNotTheCallers(t *testing.T) {
	t.Parallel()
	s := &echoing{}
	k := newDesk(t, func(k *desk) {
		s.Store = k.store
		k.config.Store, k.config.Flow.Approval = s, true
	})
	req, err := k.engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	creds := k.client(t)
	token, err := k.oauth.Token(t.Context(), creds.ID, creds.Secret, nil)
	require.NoError(t, err)
	said := make(chan error, 1)
	another := func() {
		said <- k.engine.Attachments().Comment(context.WithoutCancel(t.Context()), req.ID, "", "seen", false, dsr.By{Actor: "another"})
	}
	s.then.Store(&another)
	a := k.multipart(t, token.Value, "/plus/privacy-request/"+req.ID+"/comment", part{name: "comment_text", content: "seen"}, part{name: "comment_type", content: "note"})
	require.NoError(t, <-said)
	a.is(t, http.StatusCreated)
	require.Contains(t, a.Body, `"id":"com_1"`)
	require.Contains(t, a.Body, `"user_id":"`+creds.ID+`"`)
	list, err := k.engine.Attachments().Comments(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, "another", list[1].Actor)
}
