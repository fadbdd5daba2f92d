package examples_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// faultyDataset is a data map with something wrong in every collection.
const faultyDataset = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: name, data_categories: [user.name], fides_meta: {data_type: string}}
          - {name: age, data_categories: [user.demographic.age_range], fides_meta: {data_type: integer}}
          - {name: phone, data_categories: [user.contact.phone_number]}
          - {name: nickname, data_categories: [user.name]}
      - name: visits
        fields:
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
      - name: cards
        fides_meta: {masking_strategy_override: {strategy: delete}}
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
          - {name: holder, data_categories: [user.payment], fides_meta: {identity: email}}
      - name: tickets
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: number, data_categories: [user.unique_id]}
      - name: loans
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: ticket_number, data_categories: [user.unique_id]}
      - name: badges
        fields:
          - {name: id, fides_meta: {primary_key: true}}
          - {name: email, fides_meta: {identity: email}}
          - {name: colour, data_categories: [user.unique_id], fides_meta: {masking_strategy_override: {strategy: string_rewrite, configuration: {rewrite_value: none}}}}
          - {name: code, data_categories: [user.unique_id], fides_meta: {masking_strategy_override: {strategy: string_rewrite, configuration: {rewrite_value: none}}}}
          - {name: stamp, data_categories: [user.unique_id]}
          - {name: tags, data_categories: [user.unique_id]}
  - fides_key: archive
    collections:
      - name: letters
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email}}
`

func faultyEngine(t *testing.T, source string, policy graph.Policy) (*dsr.Engine, error) {
	t.Helper()
	datasets, diags := graph.Load("shop.yml", []byte(source), nil)
	require.NoError(t, diags.Err())
	text := func(name string) dsr.Column {
		return dsr.Column{Name: name, Kind: dsr.ColumnText, Native: "text", Nullable: true}
	}
	id := dsr.Column{Name: "id", Kind: dsr.ColumnInteger, Native: "bigint"}
	phone, email := text("phone"), text("email")
	phone.Nullable = false
	email.Unique, email.Length = true, 40
	stamp := text("stamp")
	stamp.ReadOnly = true
	tags := dsr.Column{Name: "tags", Kind: dsr.ColumnDocument, Element: dsr.ColumnInteger, Native: "integer[]", Nullable: true}
	loan := dsr.ForeignKey{Name: "loans_ticket_number_fkey", Columns: []string{"ticket_number"}, References: []string{"number"}, OnDelete: "restrict"}
	loanOf, ticketOf := loan, loan
	loanOf.Table, ticketOf.Table = "loans", "tickets"
	shop := memory.NewConnector(map[string][]map[string]any{"customers": {}, "visits": {}, "cards": {}, "tickets": {}, "loans": {}, "badges": {}}, &memory.ConnectorOptions{
		Schemas: map[string]dsr.Schema{
			"customers": {Table: "customers", Key: []string{"id"}, Columns: []dsr.Column{
				id, email, text("name"), {Name: "age", Kind: dsr.ColumnInteger, Native: "integer", Nullable: true}, phone,
			}},
			"visits": {Table: "visits", Columns: []dsr.Column{text("email")}},
			"cards": {Table: "cards", Key: []string{"id"}, Columns: []dsr.Column{id, text("holder")}, ReferencedBy: []dsr.ForeignKey{
				{Name: "payments_card_fkey", Table: "payments", Columns: []string{"card_id"}, References: []string{"id"}, OnDelete: "restrict"},
			}},
			"tickets": {Table: "tickets", Key: []string{"id"}, Columns: []dsr.Column{id, text("email"), text("number")}, ReferencedBy: []dsr.ForeignKey{loanOf}},
			"loans":   {Table: "loans", Key: []string{"id"}, Columns: []dsr.Column{id, text("email"), text("ticket_number")}, References: []dsr.ForeignKey{ticketOf}},
			"badges": {Table: "badges", Key: []string{"id"}, Unique: [][]string{{"colour", "code"}}, Columns: []dsr.Column{
				id, text("email"), text("colour"), text("code"), stamp, tags,
			}},
		},
	})
	archive := memory.NewConnector(map[string][]map[string]any{"letters": {}}, nil)
	return dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{
			{Key: "shop", Connector: shop, Datasets: []string{"shop"}},
			{Key: "archive", Connector: archive, Datasets: []string{"archive"}, ReadOnly: true},
		},
		Policies: []graph.Policy{policy},
		Store:    memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	})
}

// The faults in docs/erasure.md are those that Check tells, word for word and
// all at once.
func TestDocumentedFaults(t *testing.T) {
	t.Parallel()
	masking := func(strategy string) *graph.Masking { return &graph.Masking{Strategy: strategy} }
	engine, err := faultyEngine(t, faultyDataset, graph.Policy{Key: "forget", Rules: []graph.Rule{
		{Key: "contact", Action: graph.Erasure, Targets: []graph.Category{"user.contact.email", "user.name", "user.demographic", "user.unique_id"}, Masking: masking("hash")},
		{Key: "null", Action: graph.Erasure, Targets: []graph.Category{"user.contact.phone_number", "user.payment"}, Masking: masking("null_rewrite")},
	}})
	require.NoError(t, err)
	err = engine.Check(t.Context(), "forget", "email")
	var faults *graph.FaultError
	require.ErrorAs(t, err, &faults)
	guide, err := os.ReadFile("../docs/erasure.md")
	require.NoError(t, err)
	require.Len(t, faults.Faults, 13, faults.Error())
	told := faults.Faults

	_, err = engine.Plan("forget", "fax")
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults.Faults, 1, faults.Error())
	told = append(told, faults.Faults...)

	engine, err = faultyEngine(t, faultyDataset, graph.Policy{Key: "forget", Rules: []graph.Rule{
		{Key: "name", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: masking("hash")},
		{Key: "all", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: masking("null_rewrite")},
		{Key: "site", Action: graph.Erasure, Targets: []graph.Category{"user.contact.url"}, Masking: masking("null_rewrite")},
	}})
	require.NoError(t, err)
	_, err = engine.Plan("forget", "email")
	require.ErrorAs(t, err, &faults)
	told = append(told, faults.Faults...)

	_, err = faultyEngine(t, faultyDataset, graph.Policy{Key: "forget", Rules: []graph.Rule{
		{Key: "name", Action: graph.Erasure, Targets: []graph.Category{"user.nmae"}, Masking: masking("hash")},
	}})
	require.ErrorAs(t, err, &faults)
	told = append(told, faults.Faults...)

	for _, f := range told {
		require.Contains(t, squeeze(string(guide)), squeeze(f.String()))
	}
}

// squeeze makes one space of every run of white space.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
