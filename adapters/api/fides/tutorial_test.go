package fides_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tutorialScopes are those that the script of Fides' demo of 2022 gives its
// client. privacy-request:create is not one of them: there everybody may create
// requests, and here the script has to add it.
const tutorialScopes = `client:create client:delete client:read client:update config:read connection:create_or_update connection:delete
	connection:read connection:authorize connection_type:read dataset:create_or_update dataset:delete dataset:read encryption:exec
	policy:create_or_update policy:delete policy:read privacy-request:delete privacy-request:read privacy-request:resume
	privacy-request:review rule:create_or_update rule:delete rule:read saas_config:create_or_update saas_config:delete saas_config:read
	scope:read storage:create_or_update storage:delete storage:read user:create user:delete user:read user:update user:reset-password
	user-permission:create user-permission:update user-permission:read webhook:create_or_update webhook:delete webhook:read`

// What the tutorial prints: "Creating access token. Status 200", "Creating
// Oauth Client. Status 200", "Adding scopes to oauth client. Status 200",
// "Creating access token. Status 200".
func TestTheTutorialGetsItsClient(t *testing.T) {
	t.Parallel()
	scopes := strings.Fields(tutorialScopes)
	require.Len(t, scopes, 42)
	list, err := json.Marshal(scopes)
	require.NoError(t, err)
	for name, body := range map[string]string{"with its scopes at once": string(list), "with its scopes added": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newOAuthDesk(t, nil)
			root := k.login(t, rootID, rootSecret)
			a := k.send(t, root, "POST", "/api/v1/oauth/client", body)
			require.Equal(t, http.StatusOK, a.Status, a.Body)
			client, secret := a.field(t, "client_id"), a.field(t, "client_secret")
			if body == "" {
				a = k.send(t, root, "PUT", "/api/v1/oauth/client/"+client+"/scope", string(list))
				require.Equal(t, []any{200, `null`}, told(a))
			}
			token := k.login(t, client, secret)
			a = k.send(t, token, "GET", "/api/v1/oauth/client/"+client+"/scope", nil)
			require.Equal(t, http.StatusOK, a.Status)
			var given []string
			require.NoError(t, json.Unmarshal([]byte(a.Body), &given))
			require.ElementsMatch(t, scopes, given)
			require.IsIncreasing(t, given)
			require.NotEqual(t, root, token)
		})
	}
}
