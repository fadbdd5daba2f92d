package fides_test

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/api/fides"
)

var update = flag.Bool("update", false, "write docs/api-routes.md anew")

const tableFile = "../../../docs/api-routes.md"

//go:generate go test -run ^TestTheListOfRoutesInTheDocsIsCurrent$ -update .

func TestTheListOfRoutesInTheDocsIsCurrent(t *testing.T) {
	t.Parallel()
	k := newDesk(t, func(k *desk) { k.options.Limits = fides.Limits{} })
	want := table(k.door.Routes())
	if *update {
		require.NoError(t, os.WriteFile(tableFile, []byte(want), 0o644))
	}
	got, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run: go generate ./fides")
}

// table is the list of routes in Markdown.
func table(routes []fides.RouteInfo) string {
	var b strings.Builder
	b.WriteString("# Routes of `adapters/api/fides`\n\n" +
		"Generated from the table of routes by `go generate ./fides` in `adapters/api`; do not edit.\n\n" +
		"Every route answers under `/api/v1` and without it. `HEAD` answers wherever `GET` does, but where that does something each time: there it is 405, and the line says so. All scopes of a line are needed, or the one behind \"or\".\n\n" +
		"| Method | Path | Scopes | Body | Time | Calls a minute | |\n|---|---|---|---|---|---|---|\n")
	for _, r := range routes {
		scopes, body, text := "public: "+r.Public, "none", r.Summary
		if len(r.Scopes) > 0 {
			scopes = "`" + strings.Join(r.Scopes, "`, `") + "`"
			for _, or := range r.Or {
				scopes += " or `" + or + "`"
			}
		}
		if r.BodyBytes > 0 {
			body = strconv.FormatInt(r.BodyBytes>>10, 10) + " KiB"
		}
		if r.Acts {
			text += "; no `HEAD`"
		}
		if r.AliasOf != "" {
			text = "as `" + r.AliasOf + "`"
		}
		fmt.Fprintf(&b, "| %s | `%s` | %s | %s | %s | %d per %s | %s |\n", r.Method, r.Path, scopes, body, short(r.Timeout), r.PerMinute, r.LimitedBy, text)
	}
	return b.String()
}

// short is a duration of whole hours, minutes or seconds.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}
