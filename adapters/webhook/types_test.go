package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/webhook"
)

func TestConnectionType(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		secrets dsr.Secrets
		signed  bool
	}{
		{"authorization", dsr.Secrets{"authorization": "Basic canary"}, false},
		{"secret", dsr.Secrets{"secret": secret + " " + older}, true},
		{"both", dsr.Secrets{"authorization": "Basic canary", "secret": secret}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			calls := make(chan http.Header, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls <- r.Header
				_, _ = io.WriteString(w, `{"halt":true,"derived_identity":{"customer_id":"7"}}`)
			}))
			defer server.Close()
			test.secrets["url"] = server.URL
			header := http.Header{"X-Shop": {"1"}, "Webhook-Signature": {"forged"}}
			kind := webhook.ConnectionType(&webhook.Options{Insecure: true, Allow: loopback(), Header: header, Clock: now})
			hook, err := kind.Hook(dsr.ConnectionSettings{Key: "crm", Secrets: test.secrets})
			require.NoError(t, err)
			answer, err := hook.Call(t.Context(), hookCall())
			require.NoError(t, err)
			require.True(t, answer.Halt)
			require.Equal(t, dsr.Identities{"customer_id": {"7"}}, answer.Identities)
			got := <-calls
			require.Equal(t, test.secrets["authorization"], got.Get("Authorization"))
			require.Equal(t, test.signed, got.Get("Webhook-Signature") != "")
			require.NotEqual(t, "forged", got.Get("Webhook-Signature"))
			require.Equal(t, "1", got.Get("X-Shop"))
			require.Empty(t, header.Get("Authorization"))
			require.NoError(t, hook.(io.Closer).Close())
		})
	}
}

// The URL is one of the secrets, and so is where it leads.
func TestConnectionTypeNamesNoHost(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer server.Close()
	kind := webhook.ConnectionType(&webhook.Options{Insecure: true, Allow: loopback(), Clock: now})
	for address, want := range map[string]string{
		server.URL:           "it answered with status 400 Bad Request",
		"http://127.0.0.1:1": dsr.ErrUnavailable.Error(),
	} {
		hook, err := kind.Hook(dsr.ConnectionSettings{Key: "crm", Secrets: dsr.Secrets{"url": address, "authorization": "canary"}})
		require.NoError(t, err)
		_, err = hook.Call(t.Context(), hookCall())
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "POST its URL: ")
		require.NotContains(t, err.Error(), "127.0.0.1")
		require.NoError(t, hook.(io.Closer).Close())
	}
}

func TestConnectionTypeFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		secrets dsr.Secrets
		want    string
	}{
		{dsr.Secrets{"url": "https://shop.example/canary"}, "webhook: the connection needs an authorization or a secret, by which the receiver knows who calls"},
		{
			dsr.Secrets{"url": "https://shop.example/canary", "authorization": "canary\r\nX: y"},
			"webhook: the authorization has a control character, which no header can hold",
		},
		{
			dsr.Secrets{"url": "https://shop.example:99999/canary", "authorization": "canary"},
			"webhook: the URL cannot be called: it is refused: the port is none from 1 to 65535",
		},
		{
			dsr.Secrets{"url": "https://shop.example/canary", "secret": "canary"},
			`webhook: secret 1 of 1 is not "whsec_" followed by base64`,
		},
	} {
		_, err := webhook.ConnectionType(nil).Hook(dsr.ConnectionSettings{Secrets: test.secrets})
		require.EqualError(t, err, test.want)
		var says dsr.ReasonError
		require.ErrorAs(t, err, &says)
		require.Equal(t, strings.TrimPrefix(test.want, "webhook: "), says.Reason())
	}
	for _, address := range []string{"http://shop.example/canary", "://canary", "https://user:canary@shop.example"} {
		_, err := webhook.ConnectionType(nil).Hook(dsr.ConnectionSettings{Secrets: dsr.Secrets{"url": address, "authorization": "canary"}})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
	// The guard stays on: an address that is not public is not called.
	hook, err := webhook.ConnectionType(nil).Hook(dsr.ConnectionSettings{Secrets: dsr.Secrets{"url": "https://127.0.0.1/canary", "authorization": "canary"}})
	if err == nil {
		_, err = hook.Call(t.Context(), hookCall())
	}
	require.Error(t, err)
	require.NotErrorIs(t, err, dsr.ErrUnavailable)
	require.NotContains(t, err.Error(), "canary")
}
