// Package oauth says who calls the HTTP doors of this module, and what they
// may do: OAuth 2.0 clients with their tokens, as Fides has them, and the
// tokens of an identity provider that the host has already.
//
//	server, err := oauth.New(&oauth.Options{
//		Records: oauth.NewStoreRecords(store), // the one of dsr.Config, as a rule
//		Key:     key,                          // 32 random bytes, the same in all processes
//		Root:    oauth.RootFromEnv(os.Getenv),
//	})
//	…
//	go server.Run(ctx) // removes what expired
//	…
//	client, credentials, err := server.CreateClient(ctx, oauth.Host(), oauth.NewClient{
//		Name: "help desk", Scopes: []string{"privacy-request:create", "PRIVACY_REQUEST_READ"},
//	})
//	…
//	token, err := server.Token(ctx, credentials.ID, credentials.Secret, nil)
//
// A handler asks a [Verifier], which is a [Server], an [OIDC], or a [Chain] of
// them:
//
//	principal, err := verifier.Authenticate(r.Context(), r)
//	if err == nil {
//		err = principal.Require(oauth.ScopeRequestRead)
//	}
//
// What it refuses is an [*Error] with the status, the headers and the text of
// the answer. Nothing of this package serves HTTP, and nothing of it prints a
// secret or a token. docs/oauth.md is the guide.
package oauth
