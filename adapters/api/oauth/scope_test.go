package oauth_test

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func TestScopesHaveTwoSpellings(t *testing.T) {
	t.Parallel()
	for spelling, name := range map[string]string{
		"privacy-request:read":                           "privacy-request:read",
		"PRIVACY_REQUEST_READ":                           "privacy-request:read",
		"PRIVACY_REQUEST_REDACTION_PATTERNS_READ":        "privacy-request-redaction-patterns:read",
		"PRIVACY_REQUEST_REDACTION_PATTERNS_UPDATE":      "privacy-request-redaction-patterns:update",
		"PRIVACY_REQUEST_CALLBACK_RESUME":                "privacy-request:resume",
		"PRIVACY_REQUEST_READ_ACCESS_RESULTS":            "privacy-request-access-results:read",
		"PRIVACY_REQUEST_MANUAL_STEPS_RESPOND":           "privacy-request:manual-steps:respond",
		"SAAS_CONNECTION_INSTANTIATE":                    "connection:instantiate",
		"USER_PASSWORD_RESET":                            "user:password-reset",
		"privacy-request-notifications:create_or_update": "privacy-request-notifications:create_or_update",
		"PRIVACY_REQUEST_NOTIFICATIONS_CREATE_OR_UPDATE": "privacy-request-notifications:create_or_update",
		"MESSAGING_TEMPLATE_UPDATE":                      "messaging-template:update",
		"PRIVACY_REQUEST_EMAIL_INTEGRATIONS_SEND":        "privacy-request-email-integrations:send",
		"user:reset-password":                            "user:reset-password",
		"CONNECTION_TYPE_READ":                           "connection_type:read",
	} {
		got, ok := oauth.ParseScope(spelling)
		require.True(t, ok, spelling)
		require.Equal(t, name, got)
	}
	for _, spelling := range []string{"", "privacy-request", "Privacy_Request_Read", "privacy_request:read", "privacy-request:read ", "openid"} {
		name, ok := oauth.ParseScope(spelling)
		require.False(t, ok, spelling)
		require.Empty(t, name)
	}
}

// The name of every scope in upper case, with '_' for ':' and '-', is one of no
// other scope, whatever Fides calls it in its code.
func TestEveryScopeHasThePlainSpelling(t *testing.T) {
	t.Parallel()
	spelled := map[string]string{}
	for _, s := range oauth.Scopes() {
		plain := strings.ToUpper(strings.NewReplacer("-", "_", ":", "_").Replace(s.Name))
		for _, spelling := range []string{s.Name, s.Constant, plain} {
			name, ok := oauth.ParseScope(spelling)
			require.True(t, ok, spelling)
			require.Equal(t, s.Name, name, spelling)
			if other := spelled[spelling]; other != "" {
				require.Equal(t, s.Name, other, "%s is two", spelling)
			}
			spelled[spelling] = s.Name
		}
	}
	require.Equal(t, "privacy-request:resume", spelled["PRIVACY_REQUEST_RESUME"])
	require.Equal(t, "privacy-request-access-results:read", spelled["PRIVACY_REQUEST_ACCESS_RESULTS_READ"])
	require.Equal(t, "connection:instantiate", spelled["CONNECTION_INSTANTIATE"])
}

func TestScopesAreUniqueAndSorted(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	names := oauth.ScopeNames()
	for i, s := range oauth.Scopes() {
		require.Equal(t, names[i], s.Name)
		require.Regexp(t, `^[a-z_-]+(:[a-z_-]+)+$`, s.Name)
		require.Regexp(t, `^[A-Z_]+$`, s.Constant)
		require.False(t, seen[s.Name] || seen[s.Constant], s.Name)
		seen[s.Name], seen[s.Constant] = true, true
	}
	require.True(t, slices.IsSorted(names))
	require.Len(t, names, 136)
	names[0] = "changed"
	require.NotEqual(t, "changed", oauth.ScopeNames()[0])
}

func TestNamedScopesExist(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("scope.go")
	require.NoError(t, err)
	named := regexp.MustCompile(`\tScope[A-Za-z]+ += "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, named, 41)
	for _, match := range named {
		require.Contains(t, oauth.ScopeNames(), match[1])
	}
}

// What the tutorial's client asks for, over the years.
const tutorialScopes = `client:create client:update client:read client:delete config:read policy:create_or_update policy:read policy:delete
	connection:create_or_update connection:read connection:delete connection:authorize connection:instantiate connection_type:read
	privacy-request:create privacy-request:read privacy-request:delete privacy-request:resume privacy-request:review
	webhook:create_or_update webhook:read webhook:delete rule:create_or_update rule:read rule:delete storage:create_or_update
	storage:read storage:delete scope:read encryption:exec dataset:create_or_update dataset:read dataset:delete
	saas_config:create_or_update saas_config:read saas_config:delete user:create user:update user:read user:delete
	user:reset-password user-permission:create user-permission:update user-permission:read`

func TestTheTutorialsClientGetsItsScopes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	byRoot, err := who(t.Context(), s, s.token(t, root()).Value)
	require.NoError(t, err)
	scopes := strings.Fields(tutorialScopes)
	client, creds, err := s.CreateClient(t.Context(), byRoot, oauth.NewClient{Scopes: scopes})
	require.NoError(t, err)
	slices.Sort(scopes)
	require.Equal(t, scopes, client.Scopes)
	require.Equal(t, scopes, s.token(t, creds).Scopes)
}

func TestUnknownScopesAndRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, _, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Scopes: []string{"policy:read", "policy:write"}})
	want := "Invalid Scope. Scopes must be one of ['" + strings.Join(oauth.ScopeNames(), "', '") + "']."
	require.True(t, strings.HasPrefix(want, "Invalid Scope. Scopes must be one of ['backfill:exec', 'cli-objects:create', "))
	refused(t, err, oauth.ErrScope, http.StatusForbidden, want)

	_, err = s.SetScopes(t.Context(), oauth.Host(), s.client(t).ID, []string{"*"})
	refused(t, err, oauth.ErrScope, http.StatusForbidden, want)

	_, _, err = s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Roles: []string{"admin"}})
	refused(t, err, oauth.ErrScope, http.StatusForbidden, "Invalid Role. Roles must be one of ['approver', 'contributor', 'data_steward', "+
		"'external_respondent', 'owner', 'respondent', 'viewer', 'viewer_and_approver'].")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	roles := oauth.Roles()
	for role, scopes := range roles {
		require.True(t, slices.IsSorted(scopes), role)
		require.Subset(t, oauth.ScopeNames(), scopes, role)
	}
	require.Equal(t, oauth.ScopeNames(), roles[oauth.RoleOwner])
	require.Len(t, roles[oauth.RoleContributor], len(oauth.ScopeNames())-10)
	require.Len(t, roles[oauth.RoleViewer], 30)
	require.Len(t, roles[oauth.RoleApprover], 9)
	require.Len(t, roles[oauth.RoleViewerAndApprover], 38) // user:read is in both
	require.Len(t, roles[oauth.RoleDataSteward], 32)
	require.Equal(t, []string{"privacy-request:manual-steps:respond", "user:read-own"}, roles[oauth.RoleRespondent])
	require.Equal(t, []string{"privacy-request:manual-steps:respond"}, roles[oauth.RoleExternalRespondent])
}

// The same rights by role as in Fides' tests of its redaction patterns, and
// some that set the roles apart.
func TestWhatRolesMayDo(t *testing.T) {
	t.Parallel()
	for role, may := range map[string]map[string]bool{
		oauth.RoleOwner:             {oauth.ScopeRedactionPatternsUpdate: true, oauth.ScopeStorageDelete: true, oauth.ScopeRequestRead: true},
		oauth.RoleContributor:       {oauth.ScopeRedactionPatternsUpdate: true, oauth.ScopeStorageDelete: false, oauth.ScopeRequestRead: true},
		oauth.RoleViewer:            {oauth.ScopeRedactionPatternsUpdate: false, oauth.ScopePolicyRead: true, oauth.ScopeRequestRead: false},
		oauth.RoleApprover:          {oauth.ScopeRedactionPatternsUpdate: false, oauth.ScopePolicyRead: false, oauth.ScopeRequestReview: true},
		oauth.RoleViewerAndApprover: {oauth.ScopeRedactionPatternsUpdate: false, oauth.ScopePolicyRead: true, oauth.ScopeRequestReview: true},
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			_, creds, err := s.CreateClient(t.Context(), oauth.Host(), oauth.NewClient{Roles: []string{role}})
			require.NoError(t, err)
			p, err := who(t.Context(), s, s.token(t, creds).Value)
			require.NoError(t, err)
			for scope, allowed := range may {
				if err := p.Require(scope); allowed {
					require.NoError(t, err, scope)
				} else {
					refused(t, err, oauth.ErrForbidden, http.StatusForbidden, "Not Authorized for this action. Required scope(s): ["+scope+"]")
				}
			}
		})
	}
}
