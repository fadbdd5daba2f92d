package oauth

import (
	"maps"
	"slices"
	"strings"
)

// Roles, as in Fides.
const (
	// RoleOwner has every scope.
	RoleOwner = "owner"
	// RoleContributor has every scope but those to configure storage and
	// messaging, to notify, to import, and to make owners.
	RoleContributor = "contributor"
	// RoleViewer sees the configuration, but no privacy request.
	RoleViewer = "viewer"
	// RoleApprover handles privacy requests.
	RoleApprover = "approver"
	// RoleViewerAndApprover is both.
	RoleViewerAndApprover = "viewer_and_approver"
	// RoleDataSteward is a viewer who also links systems and integrations.
	RoleDataSteward = "data_steward"
	// RoleRespondent answers the manual steps that they are assigned.
	RoleRespondent = "respondent"
	// RoleExternalRespondent is a respondent from outside.
	RoleExternalRespondent = "external_respondent"
)

const (
	viewerScopes = "cli-objects:read client:read connection:read connection_type:read consent:read consent_settings:read " +
		"ctl_dataset:read ctl_policy:read data_category:read data_subject:read data_use:read dataset:read evaluation:read " +
		"masking:exec masking:read messaging:read organization:read policy:read privacy-experience:read privacy-notice:read " +
		"privacy-request-notifications:read rule:read saas_config:read scope:read storage:read system:read " +
		"system_integration_link:read system_manager:read user:read webhook:read"
	approverScopes = "privacy-request:create privacy-request:delete privacy-request:manual-steps:review privacy-request:read " +
		"privacy-request:resume privacy-request:review privacy-request:upload_data privacy-request:view_data user:read"
	notContributorScopes = "connector_template:register heap_dump:exec messaging:create_or_update messaging:delete " +
		"privacy-request-email-integrations:send privacy-request-notifications:create_or_update privacy-request:import " +
		"storage:create_or_update storage:delete user-permission:assign_owners"
	respondentScopes         = "privacy-request:manual-steps:respond user:read-own"
	externalRespondentScopes = "privacy-request:manual-steps:respond"
	stewardScopes            = "system_integration_link:create_or_update system_integration_link:delete"
)

// Roles returns the scopes of every role, sorted.
func Roles() map[string][]string {
	lacking := strings.Fields(notContributorScopes)
	fields := func(lists ...string) []string { return sorted(strings.Fields(strings.Join(lists, " "))) }
	return map[string][]string{
		RoleOwner:              ScopeNames(),
		RoleContributor:        slices.DeleteFunc(ScopeNames(), func(s string) bool { return slices.Contains(lacking, s) }),
		RoleViewer:             fields(viewerScopes),
		RoleApprover:           fields(approverScopes),
		RoleViewerAndApprover:  fields(viewerScopes, approverScopes),
		RoleDataSteward:        fields(viewerScopes, stewardScopes),
		RoleRespondent:         fields(respondentScopes),
		RoleExternalRespondent: fields(externalRespondentScopes),
	}
}

// roleScopes returns the scopes of roles together, sorted. Unknown roles have
// none.
func roleScopes(roles []string) []string {
	if len(roles) == 0 {
		return nil
	}
	var scopes []string
	table := Roles()
	for _, role := range roles {
		scopes = append(scopes, table[role]...)
	}
	return sorted(scopes)
}

// parseRoles returns the roles, sorted and each once. The error lists what
// roles there are.
func parseRoles(names []string) ([]string, error) {
	table := Roles()
	for _, name := range names {
		if _, ok := table[name]; !ok {
			return nil, roleUnknown(slices.Sorted(maps.Keys(table)))
		}
	}
	return sorted(slices.Clone(names)), nil
}
