package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func Example() {
	ctx := context.Background()
	env := map[string]string{oauth.EnvRootID: "fidesopsadmin", oauth.EnvRootSecret: "fidesopsadminsecret"}
	server, err := oauth.New(&oauth.Options{
		Records: oauth.NewMemoryRecords(),
		Key:     make([]byte, 32), // random, and kept
		Root:    oauth.RootFromEnv(func(name string) string { return env[name] }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, credentials, err := server.CreateClient(ctx, oauth.Host(), oauth.NewClient{
		Name: "help desk", Scopes: []string{"PRIVACY_REQUEST_READ", "policy:read"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := server.Token(ctx, credentials.ID, credentials.Secret, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Name, "may", token.Scopes, "for", token.TTL)

	// What a handler does.
	var verifier oauth.Verifier = server
	request := httptest.NewRequest(http.MethodDelete, "/policy/default", http.NoBody)
	request.Header.Set("Authorization", "Bearer "+token.Value)
	principal, err := verifier.Authenticate(ctx, request)
	if err == nil {
		err = principal.Require(oauth.ScopePolicyDelete)
	}
	var refusal *oauth.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Status, refusal.Detail)
	}
	// Output:
	// help desk may [policy:read privacy-request:read] for 192h0m0s
	// 403 Not Authorized for this action. Required scope(s): [policy:delete]
}
