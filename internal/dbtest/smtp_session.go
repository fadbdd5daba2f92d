package dbtest

import (
	"crypto/subtle"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// smtpSession is one connection to an [SMTPServer].
type smtpSession struct {
	server *SMTPServer
	conn   *smtp.Conn

	user, mechanism string

	from, to string
	utf8     bool
}

var _ smtp.AuthSession = (*smtpSession)(nil)

// AuthMechanisms implements [smtp.AuthSession].
func (s *smtpSession) AuthMechanisms() []string {
	if s.server.opts.Username == "" {
		return nil
	}
	return s.server.opts.Mechanisms
}

// Auth implements [smtp.AuthSession].
func (s *smtpSession) Auth(mechanism string) (sasl.Server, error) {
	if failing, _ := s.server.failing(SMTPDeferAuth, ""); failing {
		return nil, &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "try again"}
	}
	if !slices.Contains(s.server.opts.Mechanisms, mechanism) {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	s.mechanism = mechanism
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, username, password string) error { return s.login(username, password) }), nil
	case "LOGIN":
		return &loginServer{login: s.login}, nil
	case "XOAUTH2":
		return &xoauth2Server{login: s.login}, nil
	}
	return s.scram(mechanism)
}

func (s *smtpSession) login(username, password string) error {
	if username != s.server.opts.Username || subtle.ConstantTimeCompare([]byte(password), []byte(s.server.opts.Password)) == 0 {
		return refusal(535, smtp.EnhancedCode{5, 7, 8}, username+" with password "+password)
	}
	s.user = username
	return nil
}

// Mail implements [smtp.Session].
func (s *smtpSession) Mail(from string, opts *smtp.MailOptions) error {
	if s.server.opts.Username != "" && s.user == "" {
		return refusal(530, smtp.EnhancedCode{5, 7, 0}, from)
	}
	if failing, _ := s.server.failing(SMTPRefuseSender, ""); failing {
		return refusal(550, smtp.EnhancedCode{5, 7, 60}, from)
	}
	if s.from != "" { // RFC 5321, 3.3
		return refusal(503, smtp.EnhancedCode{5, 5, 1}, from)
	}
	s.from, s.utf8 = from, opts.UTF8
	return nil
}

// Rcpt implements [smtp.Session].
func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if failing, _ := s.server.failing(SMTPDeferRecipient, to); failing {
		return refusal(450, smtp.EnhancedCode{4, 2, 1}, to)
	}
	if failing, _ := s.server.failing(SMTPRefuseRecipient, to); failing {
		return refusal(550, smtp.EnhancedCode{5, 1, 1}, to)
	}
	if failing, _ := s.server.failing(SMTPRefuseRelay, to); failing {
		return refusal(554, smtp.EnhancedCode{5, 7, 1}, to)
	}
	if failing, _ := s.server.failing(SMTPCloseRecipient, to); failing {
		_, _ = fmt.Fprintf(s.conn.Conn(), "421 4.3.2 going down, so nothing for <%s>\r\n", to)
		_ = s.conn.Conn().Close()
		return io.EOF
	}
	s.to = to
	return nil
}

// Data implements [smtp.Session].
func (s *smtpSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if failing, _ := s.server.failing(SMTPDeferData, s.to); failing {
		return refusal(451, smtp.EnhancedCode{4, 3, 0}, s.to)
	}
	if failing, _ := s.server.failing(SMTPRefuseData, s.to); failing {
		return refusal(554, smtp.EnhancedCode{5, 7, 1}, s.to)
	}
	if failing, ended := s.server.failing(SMTPHangData, s.to); failing {
		s.server.hung <- struct{}{}
		<-ended
		return refusal(451, smtp.EnhancedCode{4, 3, 0}, s.to)
	}
	_, secure := s.conn.TLSConnectionState()
	s.server.mu.Lock()
	s.server.messages = append(s.server.messages,
		SMTPMessage{From: s.from, To: s.to, Data: data, User: s.user, Mechanism: s.mechanism, TLS: secure, UTF8: s.utf8})
	s.server.mu.Unlock()
	if failing, _ := s.server.failing(SMTPLoseAnswer, s.to); failing {
		_ = s.conn.Conn().Close()
	}
	return nil
}

// Reset implements [smtp.Session].
func (s *smtpSession) Reset() { s.from, s.to, s.utf8 = "", "", false }

// Logout implements [smtp.Session].
func (s *smtpSession) Logout() error { return nil }

// refusal quotes what it refuses.
func refusal(code int, status smtp.EnhancedCode, what string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: status, Message: "no service for <" + what + ">"}
}
