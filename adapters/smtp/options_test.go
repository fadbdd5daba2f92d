package smtp_test

import (
	"context"
	"fmt"
	"net/mail"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
)

func TestEveryFaultOfOptionsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := smtp.New(&smtp.Options{
		Host: "mail.example.com/x", Port: 70000, Security: "SSL", Username: "desk", Hello: "a b", Timeout: -time.Second,
		From: mail.Address{Name: "Desk\r\nBcc: eve@example.com", Address: "desk@example.com"}, ReplyTo: mail.Address{Address: "büro@example.com"},
		Operators: []string{"desk@example.com", "Desk <desk@example.com>"},
		Headers:   map[string]string{"bcc": "eve@example.com", "X: y": "", "X-Good": "a b", "X-Lines": "a\r\nBcc: b", "content-type": "text/plain"},
	})
	require.EqualError(t, err, `smtp: the options are wrong: Host: the name or the address of the server is needed
Security: "SSL" is none of StartTLS, ImplicitTLS and Plaintext
Port: 70000 is no port
Username: give it with either Password or Token, or none of the three
Timeout: -1s is negative
Hello: a name in ASCII without blanks is needed
From: the name has control characters
ReplyTo: what is before the @ must be ASCII
Operators: number 2: that is no e-mail address
Headers: the value of "X-Lines" has control characters
Headers: "X: y" is no name of a header
Headers: "bcc" is written by this package
Headers: "content-type" is written by this package`)

	_, err = smtp.New(nil)
	require.EqualError(t, err, `smtp: the options are wrong: Host: the name or the address of the server is needed
From: that is no e-mail address`)

	_, err = smtp.New(&smtp.Options{
		Host: "localhost", From: mail.Address{Address: "desk@example.com"}, Security: smtp.Plaintext, Username: "desk", Password: "secret",
	})
	require.EqualError(t, err, "smtp: the options are wrong: Username: neither password nor token is sent without TLS; choose StartTLS or ImplicitTLS")
}

func TestAddressesThatAreNone(t *testing.T) {
	t.Parallel()
	n, err := smtp.New(&smtp.Options{Host: "localhost", From: mail.Address{Address: "desk@example.com"}})
	require.NoError(t, err)
	long := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, address := range []string{
		"", " ", "@", "ada", "ada@", "@example.com", "ada@@example.com", "ada@exa mple.com", "ada example.com", "a..b@example.com",
		"ada@example.com,bob@example.com", "ada@example.com bob@example.com", "<ada@example.com>", "ada@example.com (Ada)",
		"ada@example.com\r\nDATA", "ada\r\n@example.com", "ada@example.com\x00", "ada@-b\u00fccher.example", "ada@b\u00fc cher.example",
		long + "x@example.com", "ada@" + long + "." + long + "." + long + "." + long + ".example",
	} {
		err := n.Notify(t.Context(), dsr.Notice{ID: "n", Kind: dsr.NoticeVerify, To: dsr.Identities{"email": {address}}})
		require.ErrorIs(t, err, dsr.ErrRejected)
		var says dsr.ReasonError
		require.ErrorAs(t, err, &says)
		require.Equal(t, err.Error(), says.Reason())
		require.EqualError(t, err, "smtp: find the recipients: an address is none; correct it", address)
	}
}

func TestOptionsPrintWithoutThePassword(t *testing.T) {
	t.Parallel()
	opts := smtp.Options{Host: "mail.example.com", Username: "desk", Password: "geheim", From: mail.Address{Address: "desk@example.com"}}
	require.Equal(t, `{mail.example.com STARTTLS as "desk"} {mail.example.com STARTTLS as "desk"}`, fmt.Sprintf("%+v %#v", opts, &opts))
	require.Equal(t, `{mail.example.com STARTTLS as "desk"}`, opts.LogValue().String())
	n, err := smtp.New(&opts)
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", n, n, n), "geheim")
}

func TestContextThatIsOver(t *testing.T) {
	t.Parallel()
	n, err := smtp.New(&smtp.Options{Host: "localhost", From: mail.Address{Address: "desk@example.com"}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = n.Notify(ctx, dsr.Notice{ID: "n", Kind: dsr.NoticeVerify, To: dsr.Identities{"email": {"ada@example.com"}}})
	require.EqualError(t, err, "smtp: localhost:587: find the recipients: the caller gave up")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, dsr.ErrUnavailable)
}
