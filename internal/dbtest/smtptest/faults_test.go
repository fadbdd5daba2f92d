package smtptest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
	"github.com/godsr/dsr/internal/dbtest"
)

// says is the text of an error without the server, which each must name.
func says(t *testing.T, server *dbtest.SMTPServer, err error) string {
	t.Helper()
	require.Error(t, err)
	text, found := strings.CutPrefix(err.Error(), fmt.Sprintf("smtp: %s:%d: ", server.Host(), server.Port()))
	require.True(t, found, err.Error())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "ada7")
	return text
}

// token returns it, or an error where it is empty.
func token(text string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		if text == "" {
			return "", errors.New("the identity provider is down")
		}
		return text, nil
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server *dbtest.SMTPOptions
		change func(o *smtp.Options)
		fault  dbtest.SMTPFault
		kind   error
		text   string
		taken  bool
	}{
		"turns away": {fault: dbtest.SMTPTurnsAway, kind: dsr.ErrUnavailable,
			text: "greeting: the server does not serve this machine; check Host, Port and Security, and what it lets in (554 5.3.2)"},
		"talks without end": {fault: dbtest.SMTPEndless, kind: dsr.ErrUnavailable,
			text: "greeting: the server said more than any server has to say"},
		"no STARTTLS": {server: &dbtest.SMTPOptions{NoSTARTTLS: true}, kind: dsr.ErrUnavailable,
			text: "STARTTLS: the server does not offer it, so nothing was sent; choose another port, ImplicitTLS, or Plaintext for a relay on this machine"},
		"unknown authority": {change: func(o *smtp.Options) { o.TLSConfig = nil }, kind: dsr.ErrUnavailable,
			text: "STARTTLS: the server's certificate is not trusted; check Host and TLSConfig: x509: certificate signed by unknown authority"},
		"another's certificate": {server: &dbtest.SMTPOptions{WrongCertificate: true}, kind: dsr.ErrUnavailable,
			text: "STARTTLS: the server's certificate is not trusted; check Host and TLSConfig: " +
				"x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		"another's certificate, implicit": {server: &dbtest.SMTPOptions{WrongCertificate: true, ImplicitTLS: true},
			change: func(o *smtp.Options) { o.Security = smtp.ImplicitTLS }, kind: dsr.ErrUnavailable,
			text: "TLS: the server's certificate is not trusted; check Host and TLSConfig: " +
				"x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		"no TLS where it should be": {change: func(o *smtp.Options) { o.Security = smtp.ImplicitTLS }, kind: dsr.ErrUnavailable,
			text: "TLS: the server does not speak TLS here; check Port and Security"},
		"old TLS": {change: func(o *smtp.Options) {
			o.TLSConfig.MaxVersion = tls.VersionTLS11
			o.TLSConfig.MinVersion = tls.VersionTLS10
		},
			kind: dsr.ErrUnavailable, text: "STARTTLS: the server cannot be reached, or ended the connection: tls: protocol version not supported"},
		"wrong password": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right"},
			change: func(o *smtp.Options) { o.Username, o.Password = "desk", "ada7" }, kind: dsr.ErrUnavailable,
			text: "AUTH: the server wants another authentication; check Username, Password or Token, and Security (535 5.7.8)"},
		"wrong password, LOGIN": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right", Mechanisms: []string{"LOGIN"}},
			change: func(o *smtp.Options) { o.Username, o.Password = "desk", "ada7" }, kind: dsr.ErrUnavailable,
			text: "AUTH: the server wants another authentication; check Username, Password or Token, and Security (535 5.7.8)"},
		"wrong token": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right", Mechanisms: []string{"XOAUTH2"}},
			change: func(o *smtp.Options) { o.Username, o.Token = "desk", token("ada7") }, kind: dsr.ErrUnavailable,
			text: "AUTH: the server wants another authentication; check Username, Password or Token, and Security (535 5.7.8)"},
		"no token": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right", Mechanisms: []string{"XOAUTH2"}},
			change: func(o *smtp.Options) { o.Username, o.Token = "desk", token("") }, kind: dsr.ErrUnavailable,
			text: "AUTH: Token: the identity provider is down"},
		"no password": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right"}, kind: dsr.ErrUnavailable,
			text: "MAIL: the server wants another authentication; check Username, Password or Token, and Security (530 5.7.0)"},
		"no known authentication": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right", Mechanisms: []string{"X-OWN"}},
			change: func(o *smtp.Options) { o.Username, o.Password = "desk", "right" }, kind: dsr.ErrUnavailable,
			text: "AUTH: the server offers no authentication that is known here; check Host and Port"},
		"authentication later": {server: &dbtest.SMTPOptions{Username: "desk", Password: "right"}, fault: dbtest.SMTPDeferAuth,
			change: func(o *smtp.Options) { o.Username, o.Password = "desk", "right" }, kind: dsr.ErrUnavailable,
			text: "AUTH: the server refused for now (454 4.7.0)"},
		"refuses the sender": {fault: dbtest.SMTPRefuseSender, kind: dsr.ErrUnavailable,
			text: "MAIL: the server refused the sender; check From and what the account may send as (550 5.7.60)"},
		"defers the recipient": {fault: dbtest.SMTPDeferRecipient, kind: dsr.ErrUnavailable,
			text: "RCPT: the server refused for now (450 4.2.1)"},
		"refuses the recipient": {fault: dbtest.SMTPRefuseRecipient, kind: dsr.ErrRejected,
			text: "RCPT: the server refused the recipient for good (550 5.1.1)"},
		"passes nothing on": {fault: dbtest.SMTPRefuseRelay, kind: dsr.ErrUnavailable,
			text: "RCPT: the server does not pass mail on for this account; check Username, From and what the server lets through (554 5.7.1)"},
		"closes": {fault: dbtest.SMTPCloseRecipient, kind: dsr.ErrUnavailable,
			text: "RCPT: the server refused for now (421 4.3.2)"},
		"defers the message": {fault: dbtest.SMTPDeferData, kind: dsr.ErrUnavailable,
			text: "message: the server refused for now (451 4.3.0)"},
		"refuses the message": {fault: dbtest.SMTPRefuseData, kind: dsr.ErrRejected,
			text: "message: the server refused the message for good (554 5.7.1)"},
		"message too long": {server: &dbtest.SMTPOptions{MaxBytes: 300}, kind: dsr.ErrRejected,
			text: "message: the server refused the message for good (552 5.3.4)"},
		"loses its answer": {fault: dbtest.SMTPLoseAnswer, kind: dsr.ErrUnavailable, taken: true,
			text: "message: the server ended the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, n := start(t, c.server, c.change)
			server.Fail(c.fault)
			err := n.Notify(t.Context(), notice(ada))
			require.Equal(t, c.text, says(t, server, err))
			require.ErrorIs(t, err, c.kind)
			require.NotEqual(t, errors.Is(err, dsr.ErrUnavailable), errors.Is(err, dsr.ErrRejected))
			require.Equal(t, c.taken, len(server.Messages()) == 1)
			if c.fault == dbtest.SMTPHealthy {
				return
			}
			server.Fail(dbtest.SMTPHealthy)
			require.NoError(t, n.Notify(t.Context(), notice(ada)))
			messages := server.Messages()
			for _, m := range messages {
				require.Equal(t, string(messages[0].Data), string(m.Data))
			}
		})
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	server.Fail(dbtest.SMTPRefuseRecipient)
	var failure *smtp.Error
	require.ErrorAs(t, n.Notify(t.Context(), notice(ada)), &failure)
	require.Equal(t, "RCPT", failure.Step)
	require.Equal(t, 550, failure.Code)
	require.Equal(t, "5.1.1", failure.Status)
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	opts := options(dbtest.SMTP(t, nil))
	opts.Port = dbtest.RefusingPort(t)
	n, err := smtp.New(opts)
	require.NoError(t, err)
	err = n.Notify(t.Context(), notice(ada))
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.EqualError(t, err, fmt.Sprintf("smtp: 127.0.0.1:%d: connect: the server cannot be reached, or ended the connection: connect: connection refused", opts.Port))
}

func TestSecurity(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server   *dbtest.SMTPOptions
		security smtp.Security
		tls      bool
	}{
		"STARTTLS":     {nil, "", true},
		"implicit TLS": {&dbtest.SMTPOptions{ImplicitTLS: true}, smtp.ImplicitTLS, true},
		"none":         {&dbtest.SMTPOptions{NoSTARTTLS: true}, smtp.Plaintext, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, n := start(t, c.server, func(o *smtp.Options) { o.Security = c.security })
			require.NoError(t, n.Notify(t.Context(), notice(ada)))
			got := server.Messages()
			require.Len(t, got, 1)
			require.Equal(t, c.tls, got[0].TLS)
		})
	}
}

// The strongest mechanism that is offered is taken, with any TLS.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	mechanisms := []string{"LOGIN", "PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}
	for i, mechanism := range append(mechanisms, "XOAUTH2") {
		for _, security := range []smtp.Security{smtp.StartTLS, smtp.ImplicitTLS} {
			t.Run(mechanism+" over "+string(security), func(t *testing.T) {
				t.Parallel()
				offered := mechanisms[:min(i+1, len(mechanisms))]
				if mechanism == "XOAUTH2" {
					offered = append(slices.Clone(offered), mechanism)
				}
				var opts *smtp.Options
				server, n := start(t, &dbtest.SMTPOptions{
					ImplicitTLS: security == smtp.ImplicitTLS, Username: "desk", Password: "s=cr,ét", Mechanisms: offered,
				}, func(o *smtp.Options) {
					o.Security, o.Username, o.Password = security, "desk", "s=cr,ét"
					if mechanism == "XOAUTH2" {
						o.Password, o.Token = "", token("s=cr,ét")
					}
					opts = o
				})
				require.NoError(t, n.Notify(t.Context(), notice(ada)))
				got := server.Messages()
				require.Len(t, got, 1)
				require.True(t, got[0].TLS)
				require.Equal(t, "desk", got[0].User)
				require.Equal(t, mechanism, got[0].Mechanism)

				if opts.Token != nil {
					opts.Token = token("wrong")
				} else {
					opts.Password = "wrong"
				}
				n, err := smtp.New(opts)
				require.NoError(t, err)
				err = n.Notify(t.Context(), notice(ada))
				require.Equal(t, "AUTH: the server wants another authentication; check Username, Password or Token, and Security (535 5.7.8)", says(t, server, err))
				require.ErrorIs(t, err, dsr.ErrUnavailable)
			})
		}
	}
}

func TestSlowGreeting(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, nil)
	server.Fail(dbtest.SMTPSlow)
	result := make(chan error, 1)
	go func() { result <- n.Notify(t.Context(), notice(ada)) }()
	<-server.Hung()
	server.Fail(dbtest.SMTPHealthy)
	require.NoError(t, <-result)
	require.Len(t, server.Messages(), 1)
}

func TestCanceledWhileServerHangs(t *testing.T) {
	t.Parallel()
	for fault, step := range map[dbtest.SMTPFault]string{dbtest.SMTPSilent: "connect|greeting", dbtest.SMTPHangData: "message"} {
		server, n := start(t, nil, nil)
		server.Fail(fault)
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { result <- n.Notify(ctx, notice(ada)) }()
		<-server.Hung()
		cancel()
		err := <-result
		require.Regexp(t, "^("+step+"): the caller gave up$", says(t, server, err))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, dsr.ErrUnavailable)
		require.Empty(t, server.Messages())
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	server, n := start(t, nil, func(o *smtp.Options) { o.Timeout = 50 * time.Millisecond })
	server.Fail(dbtest.SMTPSilent)
	err := n.Notify(t.Context(), notice(ada))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, dsr.ErrUnavailable)
	require.Contains(t, says(t, server, err), ": the server did not answer in time")
}
