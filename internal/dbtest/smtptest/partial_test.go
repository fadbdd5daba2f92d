package smtptest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
	"github.com/godsr/dsr/internal/dbtest"
)

// second is another address of the data subject, third one more.
const second, third = "second@example.com", "third@example.com"

func TestOneOfSeveralFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault dbtest.SMTPFault
		kind  error
		text  string
		taken []string
	}{
		"for now": {dbtest.SMTPDeferRecipient, dsr.ErrUnavailable,
			"RCPT: the server refused for now (450 4.2.1); 2 of 3 recipients have the notice", []string{ada, third}},
		"for good": {dbtest.SMTPRefuseData, dsr.ErrRejected,
			"message: the server refused the message for good (554 5.7.1); 2 of 3 recipients have the notice", []string{ada, third}},
		"with the connection": {dbtest.SMTPCloseRecipient, dsr.ErrUnavailable,
			"RCPT: the server refused for now (421 4.3.2); 1 of 3 recipients have the notice", []string{ada}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, n := start(t, nil, nil)
			server.Fail(c.fault, second)
			err := n.Notify(t.Context(), notice(ada, ada, second, third))
			require.Equal(t, c.text, says(t, server, err))
			require.ErrorIs(t, err, c.kind)
			require.Equal(t, c.taken, recipientsOf(all(t, server)))
		})
	}
}

// What may pass counts more than what will not: the notice must come again.
func TestOneIsRefusedAndOneDeferred(t *testing.T) {
	t.Parallel()
	server, n := start(t, &dbtest.SMTPOptions{NoUTF8: true}, nil)
	server.Fail(dbtest.SMTPDeferRecipient, second)
	for _, to := range [][]string{{"jürgen@example.com", second}, {second, "jürgen@example.com"}} {
		err := n.Notify(t.Context(), notice(to...))
		require.ErrorIs(t, err, dsr.ErrUnavailable)
		require.NotErrorIs(t, err, dsr.ErrRejected)
	}
}

// While a notice comes again for the sake of one recipient, the others get
// nothing more. Once all have it, it is a new one.
func TestThoseWhoHaveItAreLeftOut(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	server.Fail(dbtest.SMTPDeferRecipient, second)
	for range 3 {
		require.ErrorIs(t, n.Notify(t.Context(), notice(ada, second, third)), dsr.ErrUnavailable)
	}
	require.Equal(t, []string{ada, third}, recipientsOf(all(t, server)))
	server.Fail(dbtest.SMTPHealthy)
	require.NoError(t, n.Notify(t.Context(), notice(ada, second, third)))
	require.Equal(t, []string{ada, third, second}, recipientsOf(all(t, server)))

	// After a restart nothing is known, and everything comes a second time
	// under the same Message-ID.
	fresh, err := smtp.New(options(server))
	require.NoError(t, err)
	for _, again := range []*smtp.Notifier{n, fresh} {
		require.NoError(t, again.Notify(t.Context(), notice(ada, second, third)))
	}
	ids := map[string]map[string]int{}
	for _, m := range all(t, server) {
		if ids[m.To] == nil {
			ids[m.To] = map[string]int{}
		}
		ids[m.To][m.header.Get("Message-Id")]++
	}
	require.Len(t, ids, 3)
	for _, seen := range ids {
		require.Len(t, seen, 1)
		for _, times := range seen {
			require.Equal(t, 3, times)
		}
	}
}

func TestNobodyToSendTo(t *testing.T) {
	t.Parallel()
	_, n := start(t, nil, func(o *smtp.Options) { o.Operators = nil })
	for name, c := range map[string]struct {
		notice dsr.Notice
		text   string
	}{
		"no address":      {dsr.Notice{ID: "n", Kind: dsr.NoticeComplete}, `smtp: find the recipients: there is nobody to send a notice of kind "complete" to`},
		"wrong address":   {notice("ada7"), "smtp: find the recipients: an address is none; correct it"},
		"a list":          {notice("a@example.com, ada7@example.com"), "smtp: find the recipients: an address is none; correct it"},
		"a name":          {notice("Ada <ada7@example.com>"), "smtp: find the recipients: an address is none; correct it"},
		"a command":       {notice("a@example.com>\r\nRCPT TO:<ada7@example.com"), "smtp: find the recipients: an address is none; correct it"},
		"a parameter":     {notice("a@example.com> SIZE=1"), "smtp: find the recipients: an address is none; correct it"},
		"no operators":    {dsr.Notice{ID: "n", Kind: dsr.NoticeFailed}, `smtp: find the recipients: there is nobody to send a notice of kind "failed" to`},
		"no vendor":       {dsr.Notice{ID: "n", Kind: dsr.NoticeErase}, `smtp: find the recipients: there is nobody to send a notice of kind "erase" to`},
		"a person's name": {dsr.Notice{ID: "n", Kind: dsr.NoticeTask, Assignee: "ada7"}, "smtp: find the recipients: an address is none; correct it"},
		"no ID": {dsr.Notice{ID: "n\r\n", Kind: dsr.NoticeVerify, To: dsr.Identities{"email": {ada}}},
			"smtp: write the message: the notice has no ID of letters, digits, dots, dashes and underscores"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := n.Notify(t.Context(), c.notice)
			require.EqualError(t, err, c.text)
			require.ErrorIs(t, err, dsr.ErrRejected)
		})
	}
}

// A good address gets the notice although another is none.
func TestWrongAddressBesideAGoodOne(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	err := n.Notify(t.Context(), notice("nonsense", ada))
	require.EqualError(t, err, "smtp: find the recipients: an address is none; correct it; 1 of 2 recipients have the notice")
	require.ErrorIs(t, err, dsr.ErrRejected)
	require.Equal(t, []string{ada}, recipientsOf(all(t, server)))
	server.Fail(dbtest.SMTPDeferRecipient)
	require.ErrorIs(t, n.Notify(t.Context(), notice("nonsense", ada)), dsr.ErrUnavailable)
}

func TestFunctionsOfTheHost(t *testing.T) {
	t.Parallel()
	busy := errors.New("the directory is busy")
	gone := fmt.Errorf("the group was dissolved: %w", dsr.ErrRejected)
	server, n := start(t, nil, func(o *smtp.Options) {
		o.Subjects = func(context.Context, dsr.Notice) ([]string, error) { return nil, busy }
		o.Assignees = func(context.Context, string) ([]string, error) { return nil, gone }
		o.Sign = func([]byte) ([]byte, error) { return nil, errors.New("the key is not there") }
	})
	err := n.Notify(t.Context(), notice(ada))
	require.EqualError(t, err, "smtp: find the recipients: the directory is busy")
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	err = n.Notify(t.Context(), dsr.Notice{ID: "n", Kind: dsr.NoticeTask, Assignee: "crm"})
	require.EqualError(t, err, "smtp: find the recipients: the group was dissolved: dsr: the notice will not be taken")
	require.ErrorIs(t, err, dsr.ErrRejected)
	err = n.Notify(t.Context(), dsr.Notice{ID: "n", Kind: dsr.NoticeInput})
	require.EqualError(t, err, "smtp: sign the message: the key is not there")
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.Empty(t, server.Messages())
}
