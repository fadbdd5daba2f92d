package dbtest

import (
	"strings"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/xdg-go/scram"
)

// scram is the server's side of SCRAM; RFC 5802 and 7677, with the channel
// binding of RFC 9266.
func (s *smtpSession) scram(mechanism string) (sasl.Server, error) {
	hash := scram.SHA256
	if strings.HasPrefix(mechanism, "SCRAM-SHA-1") {
		hash = scram.SHA1
	}
	opts := s.server.opts
	server, err := hash.NewServer(func(username string) (scram.StoredCredentials, error) {
		if username != opts.Username {
			return scram.StoredCredentials{}, smtp.ErrAuthFailed
		}
		client, err := hash.NewClient(opts.Username, opts.Password, "")
		if err != nil {
			return scram.StoredCredentials{}, err
		}
		return client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: "salt and salt", Iters: 4096})
	})
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(mechanism, "-PLUS") {
		return &scramServer{session: s, talk: server.NewConversation()}, nil
	}
	state, _ := s.conn.TLSConnectionState()
	binding, err := scram.NewTLSExporterBinding(&state)
	if err != nil {
		return nil, err
	}
	return &scramServer{session: s, talk: server.NewConversationWithChannelBindingRequired(binding)}, nil
}

type scramServer struct {
	session *smtpSession
	talk    *scram.ServerConversation
}

// Next implements [sasl.Server].
func (c *scramServer) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil:
		return []byte{}, false, nil
	case c.talk.Done() && c.talk.Valid():
		c.session.user = c.talk.Username()
		return nil, true, nil
	}
	answer, err := c.talk.Step(string(response))
	if err != nil {
		return nil, true, refusal(535, smtp.EnhancedCode{5, 7, 8}, string(response))
	}
	return []byte(answer), false, nil
}

// loginServer is the server's side of AUTH LOGIN, which has no RFC: it asks for
// the name, then for the password.
type loginServer struct {
	login    func(username, password string) error
	username []byte
	step     int
}

// Next implements [sasl.Server].
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.username = response
		return []byte("Password:"), false, nil
	}
	return nil, true, l.login(string(l.username), string(response))
}

// xoauth2Server is the server's side of XOAUTH2, as Google and Microsoft
// describe it: a refusal is a challenge that is answered with nothing, and then
// an error.
type xoauth2Server struct {
	login   func(username, token string) error
	refused error
}

// Next implements [sasl.Server].
func (x *xoauth2Server) Next(response []byte) (challenge []byte, done bool, err error) {
	if x.refused != nil {
		return nil, true, x.refused
	}
	fields := strings.Split(string(response), "\x01")
	if len(fields) < 2 {
		return nil, true, smtp.ErrAuthFailed
	}
	x.refused = x.login(strings.TrimPrefix(fields[0], "user="), strings.TrimPrefix(fields[1], "auth=Bearer "))
	if x.refused != nil {
		challenge = []byte(`{"status":"401"}`)
	}
	return challenge, x.refused == nil, nil
}
