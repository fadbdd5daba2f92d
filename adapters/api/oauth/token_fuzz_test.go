package oauth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// Whatever comes as a token is refused in the same words, unless it is the one
// that was made: the parts of a token other than its key and header cannot be
// changed.
func FuzzToken(f *testing.F) {
	records := oauth.NewMemoryRecords()
	server, err := oauth.New(&oauth.Options{Records: records, Key: key(), Root: root(), Clock: newClock().Now})
	require.NoError(f, err)
	token, err := server.Token(f.Context(), rootID, rootSecret, []string{"policy:read"})
	require.NoError(f, err)
	f.Add(token.Value)
	f.Add(token.Value + "A")
	f.Add(strings.Replace(token.Value, "..", ".AAAA.", 1))
	f.Add("....")
	f.Add("eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIiwiemlwIjoiREVGIn0..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJlbmMiOiJBMjU2R0NNIiwicDJjIjoyMDAwMDAwMDAwfQ....")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, value string) {
		p, err := who(t.Context(), server, value)
		if err == nil {
			require.Equal(t, []string{"policy:read"}, p.Scopes)
			return
		}
		var e *oauth.Error
		require.ErrorAs(t, err, &e)
		require.Contains(t, []string{"Failed to authenticate", "Not Authorized for this action"}, e.Detail)
		require.NoError(t, server.Revoke(t.Context(), rootID, rootSecret, value))
	})
}
