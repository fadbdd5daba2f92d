package fides_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repeatedItems is a list of n items that hold their numbers.
func repeatedItems(n int, format string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(items, ",")
}

// No dataset makes an answer that is much longer than what was sent.
func TestAnswersOnDatasetsAreBounded(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	const yml = "/yml/connection/crm/dataset"
	type told struct {
		Succeeded, Failed, Warnings []struct {
			Action, Message string
		}
		Traversal struct{ Msg string } `json:"traversal_details"`
	}
	read := func(a *answer, status, most int) (body told) {
		t.Helper()
		require.Equal(t, status, a.Status)
		require.LessOrEqual(t, len(a.Body), most)
		require.NoError(t, json.Unmarshal([]byte(a.Body), &body))
		return body
	}
	const more = "these are not all: there are more than 1000 warnings"

	// Aliases of a long text.
	a := c.yaml(t, yml, "application/x-yaml", "dataset:\n- fides_key: a\n  collections: []\n  meta: {a: &a "+strings.Repeat("x", 10_000)+", b: ["+strings.Repeat("*a,", 10_000)+"]}\n")
	require.Equal(t, 422, a.Status)
	require.Equal(t, `{"detail":[{"type":"value_error","loc":["body"],"msg":"Value error, line 4, column 13: the aliases of this file stand for more than 1048576 bytes of text"}]}`, a.Body)

	// Warnings of one dataset, whose field has a long address.
	long := strings.Repeat("c", 300)
	nested := strings.Repeat(`{"name":"`+long+`","fields":[`, 3) + repeatedItems(3000, `{"name":"f%d","colour":1}`) + strings.Repeat("]}", 3)
	one := `{"fides_key":"a","collections":[{"name":"b","fields":[` + nested + `]}]}`
	body := read(c.send(t, c.token, "PUT", "/connection/crm/validate_dataset", one), ok, len(one)+600_000)
	require.Len(t, body.Warnings, 1001)
	require.Equal(t, "these are not all: the file has more than 1000 warnings", body.Warnings[1000].Message)

	// Warnings of many.
	many := `[` + repeatedItems(100, `{"fides_key":"a%d","collections":[],`+repeatedItems(50, `"x%d":1`)+`}`) + `]`
	body = read(c.send(t, c.token, "PATCH", "/connection/crm/dataset", many), ok, len(many)+200_000)
	require.Len(t, body.Succeeded, 100)
	require.Len(t, body.Warnings, 1001)
	require.Equal(t, more, body.Warnings[1000].Message)

	// Faults of many: cut for each.
	many = `[` + repeatedItems(10, `{"fides_key":"b%d","collections":[],"tags":[1`+strings.Repeat(",1", 2000)+`]}`) + `]`
	body = read(c.send(t, c.token, "PATCH", "/connection/crm/dataset", many), ok, len(many)+10*11_000)
	require.Len(t, body.Failed, 10)
	require.Regexp(t, "^b0: an item of tags must be text.*…$", body.Failed[0].Message)

	// References that lead nowhere.
	nested = strings.Repeat(`{"name":"`+long+`","fields":[`, 3) + repeatedItems(1000, `{"name":"f%d","fides_meta":{"references":[{"dataset":"z","field":"b.d"}]}}`) + strings.Repeat("]}", 3)
	one = `{"fides_key":"z","collections":[{"name":"b","fields":[` + nested + `]}]}`
	body = read(c.send(t, c.token, "PUT", "/connection/crm/validate_dataset", one), ok, len(one)+11_000)
	require.Regexp(t, "^z:b.*: refers to z.b.d: the collection has no such field.*…$", body.Traversal.Msg)
	body = read(c.send(t, c.token, "PATCH", "/connection/crm/dataset", `[`+one+`]`), ok, len(one)+11_000)
	require.Len(t, body.Warnings, 1)
	require.Equal(t, "unusable", body.Warnings[0].Action)
}

// A file that is no YAML further down is 400 as well.
func TestAFileThatEndsInWhatIsNoYAML(t *testing.T) {
	t.Parallel()
	c := withCRM(t)
	a := c.yaml(t, "/yml/connection/crm/dataset", "application/x-yaml", "dataset: [{fides_key: a, collections: 1}]\n---\ndataset: *a\n")
	require.Equal(t, detail("Invalid YAML format: a: collections must be a list, found a number; not YAML: unknown anchor 'a' referenced"), a.Body)
	require.Equal(t, 400, a.Status)
}
