package webhook

import (
	"context"
	"net/http"
	"strings"

	"github.com/godsr/dsr"
)

// ConnectionType returns the type of connections that are called as hooks, for
// [dsr.Config].ConnectionTypes; in Fides it is called "https". Its secrets are
// Fides' url and authorization, the value of the header Authorization, and
// besides "secret": what calls are signed with, in the form that [New] takes,
// several apart by spaces, the newest first. A connection needs an
// authorization, a secret, or both; calls without a secret are not signed.
//
// The URL is one of the secrets: unlike those of New, errors of calls do not name
// its host either. Whoever may read what became of a request need not know it.
//
// Options are those of New, which hold for all connections of the type: they
// call only public addresses over https, but for what Allow and Insecure permit.
func ConnectionType(o *Options) dsr.ConnectionType {
	var opts Options
	if o != nil {
		opts = *o
	}
	const either = "Needed without the other of authorization and secret: the receiver knows by one of them who calls."
	return dsr.ConnectionType{
		Title: "HTTPS",
		Fields: []dsr.SecretField{
			{Name: "url", Title: "URL", Sensitive: true}, // it may hold a token
			{Name: "authorization", Title: "Authorization", Optional: true, Sensitive: true, Description: "The value of the header Authorization. " + either},
			{Name: "secret", Title: "Signing secret", Optional: true, Sensitive: true, Description: "What calls are signed with. " + either},
		},
		Hook: func(s dsr.ConnectionSettings) (dsr.Hook, error) { return newConnection(s.Secrets, opts) },
	}
}

// connection is a client that the engine closes.
type connection struct{ client *Client }

func newConnection(secrets dsr.Secrets, opts Options) (dsr.Hook, error) {
	authorization, signing := secrets["authorization"], strings.Fields(secrets["secret"])
	switch {
	case authorization == "" && len(signing) == 0:
		return nil, settingsError("the connection needs an authorization or a secret, by which the receiver knows who calls")
	case strings.ContainsFunc(authorization, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return nil, settingsError("the authorization has a control character, which no header can hold")
	}
	if authorization != "" {
		opts.Header = opts.Header.Clone()
		if opts.Header == nil {
			opts.Header = http.Header{}
		}
		opts.Header.Set("Authorization", authorization)
	}
	client, err := newClient(secrets["url"], signing, len(signing) > 0, &opts)
	if err != nil {
		return nil, err
	}
	client.secret = true
	return &connection{client}, nil
}

// settingsError says why no client can be made of what is given, and quotes
// nothing of it.
type settingsError string

func (e settingsError) Error() string { return "webhook: " + string(e) }

// Reason implements [dsr.ReasonError]: the whole text can be shown.
func (e settingsError) Reason() string { return string(e) }

// Call implements [dsr.Hook].
func (c *connection) Call(ctx context.Context, call *dsr.HookCall) (*dsr.HookAnswer, error) {
	return c.client.Call(ctx, call)
}

// Close ends idle connections.
func (c *connection) Close() error {
	c.client.Close()
	return nil
}
