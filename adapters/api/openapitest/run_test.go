package openapitest_test

import (
	"cmp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/openapitest"
)

func TestNoFaultIsFoundWhereNoneIs(t *testing.T) {
	t.Parallel()
	report, err := openapitest.Run(t.Context(), config(newWidgets(t, ""), 3000))
	require.NoError(t, err)
	require.Equal(t, 3000, report.Sent)
	require.Empty(t, report.Violations)
	require.Empty(t, report.Missed())
	for _, c := range report.Operations {
		require.True(t, c.Succeeded(), c.ID)
	}
}

func TestPlantedFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault, rule, operation, detail string
		within                         int // requests; 600 if not set
	}{
		{fault: "500 on a rare letter", rule: openapitest.RuleServerError, operation: "create", detail: "500 Internal Server Error", within: 2500},
		{fault: "500 for deep nesting", rule: openapitest.RuleServerError, operation: "create", detail: "500 Internal Server Error", within: 2500},
		{fault: "500 for a zero byte in a path", rule: openapitest.RuleServerError, operation: "read", detail: "500 Internal Server Error", within: 2500},
		{fault: "500 in the third step of a chain", rule: openapitest.RuleServerError, operation: "addPart", detail: "500 Internal Server Error"},
		{fault: "500 at a login", rule: openapitest.RuleServerError, operation: "login", detail: "500 Internal Server Error"},
		{fault: "an undocumented status for a content type", rule: openapitest.RuleStatus, operation: "change", detail: "418 I'm a teapot"},
		{fault: "moves to a path that is not documented", rule: openapitest.RuleStatus, operation: "read", detail: "302 Found"},
		{fault: "a wrong type in an answer", rule: openapitest.RuleBody, operation: "create", detail: "201: at /size: got string, want integer"},
		{fault: "a missing member in an answer", rule: openapitest.RuleBody, operation: "create", detail: "201: at /: missing property 'name'"},
		{fault: "null for an empty list", rule: openapitest.RuleBody, operation: "list", detail: "200: at /items: got null, want array"},
		{fault: "an echo of broken JSON", rule: openapitest.RuleBody, operation: "create", detail: "400: it is no JSON"},
		{fault: "a wrong content type", rule: openapitest.RuleContentType, operation: "list", detail: `200: "text/html"`},
		{fault: "does not delete but says so with a body", rule: openapitest.RuleStray, operation: "remove", detail: "a body after the status 204"},
		{fault: "decompresses nothing and panics", rule: openapitest.RulePanic, operation: "addPart", detail: "gzip\n/"},
		{fault: "panics at a negative limit", rule: openapitest.RulePanic, operation: "list", detail: "makeslice", within: 2500},
		{fault: "hangs", rule: openapitest.RuleSilence, operation: "list", detail: "none within 10s"},
		{fault: "no Location", rule: openapitest.RuleHeader, operation: "create", detail: "201: Location is missing"},
		{fault: "no Retry-After", rule: openapitest.RuleHeader, operation: "usage", detail: "429 without Retry-After"},
		{fault: "no WWW-Authenticate", rule: openapitest.RuleHeader, operation: "usage", detail: "401 without WWW-Authenticate"},
		{fault: "takes a weak token", rule: openapitest.RuleDenied, operation: "usage", detail: "200 for weak"},
		{fault: "takes what the schema forbids", rule: openapitest.RuleAccepted, operation: "create", detail: "201 although the body: "},
	} {
		t.Run(c.fault, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				report, err := openapitest.Run(t.Context(), config(newWidgets(t, c.fault), cmp.Or(c.within, 600)))
				require.Error(t, err)
				require.NotNil(t, report)
				found := false
				for _, v := range report.Violations {
					if v.Rule == c.rule && v.ID == c.operation {
						found = found || strings.Contains(v.Detail, c.detail)
					}
				}
				require.True(t, found, "not found: %v", err)
				perKind := map[string]int{}
				for _, v := range report.Violations {
					perKind[v.ID+" "+v.Rule+" "+v.Detail]++
				}
				for kind, n := range perKind {
					require.Equal(t, 1, n, "%s is told more than once", kind)
				}
			})
		})
	}
}
