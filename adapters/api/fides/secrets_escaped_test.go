package fides_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
)

// mendedQuotes are the ways in which errors quote a password, by the host at
// which they do.
var mendedQuotes = map[string]func(password string) string{
	"quoted":    func(s string) string { return fmt.Sprintf("tried %q", s) },
	"ascii":     func(s string) string { return fmt.Sprintf("tried %+q", s) },
	"json":      func(s string) string { text, _ := json.Marshal(s); return "tried " + string(text) },
	"query":     func(s string) string { return "tried /?password=" + url.QueryEscape(s) },
	"path":      func(s string) string { return "tried /" + url.PathEscape(s) },
	"user info": func(s string) string { return "tried postgres://" + url.UserPassword("u", s).String() + "@db" },
	"an address": func(s string) string {
		return (&url.Error{Op: "parse", URL: "postgres://u:" + s + "@db", Err: errors.New("net/url: invalid userinfo")}).Error()
	},
	"both": func(s string) string { return fmt.Sprintf("tried %s, %q", s, s) },
}

type mendedDatabase struct {
	*memory.Connector
	secrets dsr.Secrets
}

func (n *mendedDatabase) Ping(context.Context) error {
	return errors.New(mendedQuotes[n.secrets["host"]](n.secrets["password"]))
}

// A secret is not told by the way that an error quotes it.
func TestSecretsThatAReasonQuotes(t *testing.T) {
	t.Parallel()
	k := configurable(t, func(k *desk) {
		of := k.config.ConnectionTypes["postgres"]
		of.Connect = func(s dsr.ConnectionSettings) (dsr.Connector, error) {
			return &mendedDatabase{memory.NewConnector(nil, nil), s.Secrets}, nil
		}
		k.config.ConnectionTypes["postgres"] = of
	})
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", crmBody)
	reason := func(host, password string) string {
		body, err := json.Marshal(map[string]string{"host": host, "password": password})
		require.NoError(t, err)
		var answer struct {
			Reason string `json:"failure_reason"`
		}
		require.NoError(t, json.Unmarshal([]byte(c.does(t, "PUT", "/connection/crm/secret", string(body))), &answer))
		return answer.Reason
	}
	const withheld = "The reason is withheld: it could show a secret. The log of what this leads to says more."
	for host := range mendedQuotes {
		require.Equal(t, withheld, reason(host, "a \"7\\/<&é?%\n canary 7"), host)
	}
	require.Equal(t, `tried "**********"`, reason("quoted", canary), "what is quoted as it is stays legible")
	require.Equal(t, `tried /?password=**********`, reason("query", canary))
}
