package oauthtest

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

// BenchmarkAuthenticate is how often a server checks a token, over stores of
// 10,000 clients that have a token each.
func BenchmarkAuthenticate(b *testing.B) {
	const clients = 10_000
	for name, newPlace := range places() {
		b.Run(name, func(b *testing.B) {
			store, end := newPlace(b)()
			b.Cleanup(end)
			server := newServer(b, store, nil)
			tokens := make([]string, clients)
			for i := range tokens {
				_, creds, err := server.CreateClient(b.Context(), oauth.Host(), oauth.NewClient{Scopes: []string{"policy:read", "privacy-request:read"}})
				require.NoError(b, err)
				token, err := server.Token(b.Context(), creds.ID, creds.Secret, nil)
				require.NoError(b, err)
				tokens[i] = token.Value
			}
			b.Run("clients=10000", func(b *testing.B) { // many times over the one store
				var next atomic.Int64
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := server.Authenticate(b.Context(), request(tokens[next.Add(7919)%clients])); err != nil {
							b.Error(err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		})
	}
}
