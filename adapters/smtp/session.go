package smtp

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

const (
	// maxReplies is how many bytes a server may say in one session: a
	// hundred times what one has to say.
	maxReplies = 1 << 20
	// farewell is how long the server may take to say goodbye. All is done
	// by then.
	farewell = 2 * time.Second
)

// session is a connection that mail can be handed in over.
type session struct {
	client *smtp.Client
	conn   net.Conn
	step   string // what is being done
}

// boundedConn ends a connection whose other side says too much.
type boundedConn struct {
	net.Conn
	left int
}

func (c *boundedConn) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, errTalkative
	}
	read, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= read
	return read, err
}

// open connects, protects the connection and authenticates. The connection ends
// with ctx. A session that is returned must be closed, also with an error.
func (n *Notifier) open(ctx context.Context) (s *session, err error) {
	s = &session{step: stepConnect}
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.opts.address)
	if err != nil {
		return s, err
	}
	s.conn = raw
	context.AfterFunc(ctx, func() { _ = raw.Close() })
	var conn net.Conn = &boundedConn{raw, maxReplies}
	if n.opts.Security == ImplicitTLS {
		s.step = stepTLS
		secure := tls.Client(conn, n.opts.TLSConfig)
		if err := secure.HandshakeContext(ctx); err != nil {
			return s, err
		}
		conn = secure
	}
	s.step = stepGreeting
	if s.client, err = smtp.NewClient(conn, n.opts.Host); err != nil {
		return s, err
	}
	s.step = stepHello
	if err := s.client.Hello(n.opts.Hello); err != nil {
		return s, err
	}
	if n.opts.Security == StartTLS {
		s.step = stepStartTLS
		if offered, _ := s.client.Extension("STARTTLS"); !offered {
			return s, unavailable(stepStartTLS, "the server does not offer it, so nothing was sent; "+
				"choose another port, ImplicitTLS, or Plaintext for a relay on this machine")
		}
		if err := s.client.StartTLS(n.opts.TLSConfig); err != nil {
			return s, err
		}
	}
	if n.opts.Username == "" {
		return s, nil
	}
	s.step = stepAuth
	mechanism, err := n.mechanism(ctx, s.client)
	if err != nil {
		return s, err
	}
	return s, s.client.Auth(mechanism)
}

// mechanism is the strongest that the server offers.
func (n *Notifier) mechanism(ctx context.Context, client *smtp.Client) (smtp.Auth, error) {
	_, list := client.Extension("AUTH")
	offered := strings.Fields(strings.ToUpper(list))
	unknown := unavailable(stepAuth, "the server offers no authentication that is known here; check Host and Port")
	if n.opts.Token != nil {
		if !slices.Contains(offered, "XOAUTH2") {
			return nil, unknown
		}
		token, err := n.opts.Token(ctx)
		if err != nil {
			return nil, unavailable(stepAuth, "Token: "+err.Error())
		}
		return smtp.XOAuth2Auth(n.opts.Username, token), nil
	}
	user, password := n.opts.Username, n.opts.Password
	state, _ := client.TLSConnectionState()
	for _, m := range []struct {
		name string
		auth func() smtp.Auth
	}{
		{"SCRAM-SHA-256-PLUS", func() smtp.Auth { return boundedScram{smtp.ScramSHA256PlusAuth(user, password, &state)} }},
		{"SCRAM-SHA-256", func() smtp.Auth { return boundedScram{smtp.ScramSHA256Auth(user, password)} }},
		{"SCRAM-SHA-1-PLUS", func() smtp.Auth { return boundedScram{smtp.ScramSHA1PlusAuth(user, password, &state)} }},
		{"SCRAM-SHA-1", func() smtp.Auth { return boundedScram{smtp.ScramSHA1Auth(user, password)} }},
		{"CRAM-MD5", func() smtp.Auth { return smtp.CRAMMD5Auth(user, password) }},
		{"PLAIN", func() smtp.Auth { return smtp.PlainAuth("", user, password, n.opts.Host, false) }},
		{"LOGIN", func() smtp.Auth { return smtp.LoginAuth(user, password, n.opts.Host, false) }},
	} {
		if slices.Contains(offered, m.name) {
			return m.auth(), nil
		}
	}
	return nil, unknown
}

// send hands in one message.
func (s *session) send(from, to mailbox, message []byte) error {
	if to.international {
		if offered, _ := s.client.Extension("SMTPUTF8"); !offered {
			return reject(stepRecipient, "the server takes no address that is not ASCII before the @")
		}
	}
	// Servers further on may not know it, so it is asked for only where needed.
	s.client.SkipSMTPUTF8(!to.international)
	s.step = stepMail
	if err := s.client.Mail(angle(from.address)); err != nil {
		return err
	}
	s.step = stepRecipient
	if err := s.client.Rcpt(angle(to.address)); err != nil {
		return err
	}
	s.step = stepData
	body, err := s.client.Data()
	if err != nil {
		return err
	}
	s.step = stepMessage
	if _, err := body.Write(message); err != nil {
		return err
	}
	return body.Close()
}

// close says goodbye if the server still listens.
func (s *session) close(polite bool) {
	if s.conn == nil {
		return
	}
	if polite && s.client != nil {
		_ = s.conn.SetDeadline(time.Now().Add(farewell))
		_ = s.client.Quit()
	}
	_ = s.conn.Close()
}
