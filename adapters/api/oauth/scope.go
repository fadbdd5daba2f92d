package oauth

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Scopes that the routes of this module name; [Scopes] lists all that clients
// may be given.
const (
	ScopeClientCreate = "client:create"
	ScopeClientDelete = "client:delete"
	ScopeClientRead   = "client:read"
	ScopeClientUpdate = "client:update"
	ScopeScopeRead    = "scope:read"

	ScopeConnectionCreateOrUpdate = "connection:create_or_update"
	ScopeConnectionDelete         = "connection:delete"
	ScopeConnectionRead           = "connection:read"
	ScopeConnectionTypeRead       = "connection_type:read"

	ScopeDatasetCreateOrUpdate = "dataset:create_or_update"
	ScopeDatasetDelete         = "dataset:delete"
	ScopeDatasetRead           = "dataset:read"

	ScopeEncryptionExec = "encryption:exec"
	ScopeMaskingExec    = "masking:exec"
	ScopeMaskingRead    = "masking:read"

	ScopePolicyCreateOrUpdate  = "policy:create_or_update"
	ScopePolicyDelete          = "policy:delete"
	ScopePolicyRead            = "policy:read"
	ScopeRuleCreateOrUpdate    = "rule:create_or_update"
	ScopeRuleDelete            = "rule:delete"
	ScopeRuleRead              = "rule:read"
	ScopeStorageCreateOrUpdate = "storage:create_or_update"
	ScopeStorageDelete         = "storage:delete"
	ScopeStorageRead           = "storage:read"
	ScopeWebhookCreateOrUpdate = "webhook:create_or_update"
	ScopeWebhookDelete         = "webhook:delete"
	ScopeWebhookRead           = "webhook:read"

	ScopeRequestCreate             = "privacy-request:create"
	ScopeRequestDelete             = "privacy-request:delete"
	ScopeRequestManualStepsRespond = "privacy-request:manual-steps:respond"
	ScopeRequestManualStepsReview  = "privacy-request:manual-steps:review"
	ScopeRequestRead               = "privacy-request:read"
	ScopeRequestResume             = "privacy-request:resume"
	ScopeRequestReview             = "privacy-request:review"
	ScopeRequestUploadData         = "privacy-request:upload_data"
	ScopeRequestViewData           = "privacy-request:view_data"

	ScopeAccessResultsRead           = "privacy-request-access-results:read"
	ScopeNotificationsCreateOrUpdate = "privacy-request-notifications:create_or_update"
	ScopeNotificationsRead           = "privacy-request-notifications:read"
	ScopeRedactionPatternsRead       = "privacy-request-redaction-patterns:read"
	ScopeRedactionPatternsUpdate     = "privacy-request-redaction-patterns:update"
)

// scopeSections are all scopes, on each line a section and what may be done in
// it: those of Fides and, so that scripts of its years work, those of fidesops
// and those that Fides gave up. Most of them open nothing here; a client may
// have them all the same.
const scopeSections = `
backfill exec
cli-objects create delete read update
client create delete read update
config read update
connection authorize create_or_update delete instantiate read
connection_type read
connector_template read register
consent read
consent_settings read update
correspondence read send
ctl_dataset create delete read update
ctl_policy create delete read update
current-privacy-preference read
data_category create delete read update
data_subject create delete read update
data_use create delete read update
database reset
dataset create_or_update delete read test
encryption exec
evaluation create delete read update
fides_taxonomy update
generate exec
heap_dump exec
masking exec read
messaging create_or_update delete read
messaging-template update
notification read update
organization create delete read update
policy create_or_update delete read
privacy-experience create read update
privacy-notice create read update
privacy-preference-history read
privacy-request create delete import manual-steps:respond manual-steps:review read resume review transfer upload_data view_data
privacy-request-access-results read
privacy-request-email-integrations send
privacy-request-notifications create_or_update read
privacy-request-redaction-patterns read update
rule create_or_update delete read
saas_config create_or_update delete read
scope read
storage create_or_update delete read
system create delete read update
system_integration_link create_or_update delete read
system_manager delete read update
taxonomy create delete update
user create delete password-reset read read-own reset-password update
user-permission assign_owners create read update
validate exec
webhook create_or_update delete read
worker-stats read
`

// oddConstant is the upper-case name of a scope in Fides where it does not
// follow from the scope, else empty. The one that does is taken as well.
func oddConstant(name string) string {
	switch name {
	case "connection:instantiate":
		return "SAAS_CONNECTION_INSTANTIATE"
	case ScopeRequestResume:
		return "PRIVACY_REQUEST_CALLBACK_RESUME"
	case ScopeAccessResultsRead:
		return "PRIVACY_REQUEST_READ_ACCESS_RESULTS"
	}
	return ""
}

// Scope is a right to do something, under its two names.
type Scope struct {
	// Name is how requests and tokens spell it: "privacy-request:read".
	Name string
	// Constant is how documents spell it: "PRIVACY_REQUEST_READ". Where Fides has
	// a name of its own it is that, and the plain one is taken as well.
	Constant string
}

// scopeTable is all scopes by name, and their names by both spellings.
var scopeTable = sync.OnceValues(func() (scopes []Scope, names map[string]string) {
	names = map[string]string{}
	for line := range strings.Lines(scopeSections) {
		section, actions, _ := strings.Cut(line, " ")
		for action := range strings.FieldsSeq(actions) {
			name := section + ":" + action
			plain := strings.ToUpper(strings.NewReplacer("-", "_", ":", "_").Replace(name))
			constant := cmp.Or(oddConstant(name), plain)
			scopes = append(scopes, Scope{Name: name, Constant: constant})
			names[name], names[constant], names[plain] = name, name, name
		}
	}
	slices.SortFunc(scopes, func(a, b Scope) int { return strings.Compare(a.Name, b.Name) })
	return scopes, names
})

// Scopes returns all scopes that there are, sorted by name.
func Scopes() []Scope {
	scopes, _ := scopeTable()
	return slices.Clone(scopes)
}

// ScopeNames returns the names of all scopes, sorted.
func ScopeNames() []string {
	scopes, _ := scopeTable()
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.Name
	}
	return names
}

// ParseScope returns the name of a scope that is spelled either way, and
// whether there is such a scope.
func ParseScope(spelling string) (name string, ok bool) {
	_, names := scopeTable()
	name, ok = names[spelling]
	return name, ok
}

// parseScopes returns the names, sorted and each once. The error lists what
// scopes there are.
func parseScopes(spellings []string) ([]string, error) {
	names := make([]string, 0, len(spellings))
	for _, spelling := range spellings {
		name, ok := ParseScope(spelling)
		if !ok {
			return nil, scopeUnknown()
		}
		names = append(names, name)
	}
	return sorted(names), nil
}

// sorted sorts in place and drops repetitions.
func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}
