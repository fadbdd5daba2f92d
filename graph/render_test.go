package graph_test

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

var update = flag.Bool("update", false, "write the golden files of the renderings")

type render func(w io.Writer, outcomes []graph.Outcome) error

func renderings(p *graph.Plan) map[string]render {
	return map[string]render{"txt": p.Text, "mmd": p.Mermaid, "dot": p.DOT}
}

func shopPlan(t *testing.T) *graph.Plan {
	m := dataMap(t, `
shop:customer
  id key cat=user.unique_id
  email id=email cat=user.contact.email mask=hash length=40
  name cat=user.name read_only
  address/city cat=user.contact.address.city
  address/street cat=user.contact.address.street
shop:orders erase_after=shop:items after=crm:log
  tenant key
  number key
  customer_id ref=shop:customer.id
  note cat=user.content
shop:items delete
  id key
  tenant ref=shop:orders.tenant
  order ref=shop:orders.number
  text cat=user.content
shop:friends
  id key
  customer_id from=shop:customer.id
  friend_of to=shop:friends.id
  nick cat=user.name
crm:log
  address id=email
  phone id=phone_number
  body cat=user.content
crm:calls
  phone id=phone_number
old:archive skip
  id key
geo:country
  code key
`)
	return newPlan(t, m, &graph.Policy{Key: "gdpr", Rules: []graph.Rule{
		{Key: "hand_over", Action: graph.Access, Targets: []graph.Category{"user.contact", "user.name"}},
		{Key: "forget", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
	}}, "email")
}

func shopOutcomes() []graph.Outcome {
	at := func(dataset, collection string) graph.Address {
		return graph.Address{Dataset: dataset, Collection: collection}
	}
	return []graph.Outcome{
		{Address: at("shop", "customer"), State: graph.Done, Rows: 1},
		{Address: at("crm", "log"), State: graph.Suspended, Message: "a person has to look"},
		{Address: at("shop", "friends"), State: graph.Done, Rows: 1234567, Uncastable: 2},
		{Address: at("shop", "orders"), State: graph.Failed, Message: "the table is locked"},
		{Address: at("shop", "items"), State: graph.Skipped, Message: "not visited, because shop:orders failed"},
	}
}

// hostilePlan has names that try to break out of every format.
func hostilePlan(t *testing.T) *graph.Plan {
	const evil = "\"]; x --> y\n<script>%%{init}%%`#quot;&amp;\\N|\x1b[31m\u202e{}\xff" + `\`
	m, err := graph.NewDataMap(&graph.Dataset{Key: "end", Collections: []*graph.Collection{
		{Name: evil, Fields: []*graph.Field{
			{Name: evil, Identity: evil, Categories: []graph.Category{"user.name"}, PrimaryKey: false},
			{Name: "a.b", References: []graph.Reference{{Dataset: "end", Field: "straße.größe", Direction: graph.From}}},
		}},
		{Name: "straße", Fields: []*graph.Field{{Name: "größe", Identity: evil}}},
		{Name: "", Fields: nil},
	}[:2]})
	require.NoError(t, err)
	return newPlan(t, m, &graph.Policy{Key: evil, Rules: []graph.Rule{
		{Key: evil, Action: graph.Access, Targets: []graph.Category{"user"}},
		{Key: "e", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: &graph.Masking{Strategy: evil}},
	}}, evil)
}

func TestRender(t *testing.T) {
	t.Parallel()
	hostile := hostilePlan(t)
	tests := []struct {
		name     string
		plan     *graph.Plan
		outcomes []graph.Outcome
	}{
		{"plan", shopPlan(t), nil},
		{"walked", shopPlan(t), shopOutcomes()},
		{"starting", shopPlan(t), []graph.Outcome{}},
		{"hostile", hostile, []graph.Outcome{{Address: hostile.Steps[1].Address(), State: graph.Failed, Message: "a\nb\x1b[0m \"c\""}}},
		{"empty", &graph.Plan{}, nil},
	}
	for _, tt := range tests {
		for ext, write := range renderings(tt.plan) {
			t.Run(tt.name+"."+ext, func(t *testing.T) {
				t.Parallel()
				var first, second bytes.Buffer
				require.NoError(t, write(&first, tt.outcomes))
				require.NoError(t, write(&second, tt.outcomes))
				require.Equal(t, first.String(), second.String())
				golden := filepath.Join("testdata", "render", tt.name+"."+ext)
				if *update {
					require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
					require.NoError(t, os.WriteFile(golden, first.Bytes(), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), first.String())
			})
		}
	}
}

// A hostile name is one label: taking the labels away must leave what the
// same plan with harmless names leaves.
func TestRenderHostileNamesStayInside(t *testing.T) {
	t.Parallel()
	plan := hostilePlan(t)
	for ext, write := range renderings(plan) {
		var b bytes.Buffer
		require.NoError(t, write(&b, nil))
		for _, bad := range []string{"\x1b", "\u202e", "\xff"} {
			require.NotContains(t, b.String(), bad, ext)
		}
		switch ext {
		case "mmd":
			require.NotContains(t, b.String(), "script>")
			require.NotContains(t, b.String(), "%%")
			for line := range strings.Lines(b.String()) {
				require.Zero(t, strings.Count(line, `"`)%2, line)
				require.LessOrEqual(t, strings.Count(line, `"`), 2, line)
			}
		case "dot":
			for line := range strings.Lines(b.String()) {
				harmless := strings.NewReplacer(`\\`, "", `\"`, "").Replace(line)
				require.Zero(t, strings.Count(harmless, `"`)%2, line)
			}
		case "txt":
			require.Equal(t, 14, strings.Count(b.String(), "\n"))
		}
	}
}

var errFull = errors.New("full")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func TestRenderTellsTheWritersError(t *testing.T) {
	t.Parallel()
	for _, write := range renderings(shopPlan(t)) {
		require.ErrorIs(t, write(fullWriter{}, nil), errFull)
	}
}
