package customconnector_test

import (
	"context"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/connectortest"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/examples/customconnector"
	"github.com/godsr/dsr/examples/customconnector/crm"
	"github.com/godsr/dsr/graph"
)

// service lets the suite look behind the connector's back.
type service struct{ *crm.Client }

func (s service) all(ctx context.Context, table string) ([]crm.Record, error) {
	var all []crm.Record
	for from := 0; ; {
		page, next, err := s.Search(ctx, table, "", nil, from)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if from = next; from == 0 {
			return all, nil
		}
	}
}

func (s service) Rows(ctx context.Context, table string) ([]map[string]any, error) {
	records, err := s.all(ctx, table)
	rows := make([]map[string]any, len(records))
	for i, r := range records {
		rows[i] = r.Fields
	}
	return rows, err
}

func (s service) Update(ctx context.Context, table string, key, set map[string]any) error {
	records, err := s.all(ctx, table)
	if err != nil {
		return err
	}
	var writes []crm.Write
next:
	for _, r := range records {
		for name, v := range key {
			if r.Fields[name] != v {
				continue next
			}
		}
		writes = append(writes, crm.Write{ID: r.ID, Revision: r.Revision, Set: set})
	}
	return s.Batch(ctx, table, writes)
}

func (s service) Close() error { return nil }

func TestConformance(t *testing.T) {
	t.Parallel()
	types := map[dsr.ColumnKind]string{
		dsr.ColumnText: "text", dsr.ColumnInteger: "number", dsr.ColumnFloat: "fraction", dsr.ColumnBoolean: "flag", dsr.ColumnBytes: "binary",
	}
	connectortest.Run(t, connectortest.Harness{
		Open: func(_ context.Context, s connectortest.Setup) (dsr.Connector, connectortest.Database, error) {
			client := crm.New()
			for _, table := range s.Tables {
				o := crm.Object{Key: table.Key}
				for _, c := range table.Columns {
					o.Fields = append(o.Fields, crm.Field{Name: c.Name, Type: types[c.Kind], Required: !c.Nullable, Unique: c.Unique})
				}
				client.Define(table.Name(), o)
				for _, row := range table.Rows {
					client.Add(table.Name(), maps.Clone(row))
				}
			}
			return customconnector.New(client, &customconnector.Options{ReadOnly: s.ReadOnly}), service{client}, nil
		},
		Lacks: map[connectortest.Feature]string{
			connectortest.Documents:    "a record has plain fields",
			connectortest.NestedArrays: "a record has plain fields",
			connectortest.ForeignKeys:  "the service does not know how records belong together",
			connectortest.Keyless:      "every object type has a key",
			connectortest.DryRun:       "there are no statements to show",
			connectortest.Constraints:  "the service takes every value",
			connectortest.Lengths:      "texts have no limit",
			connectortest.Decimals:     "numbers are integers and floats",
			connectortest.Times:        "times are texts",
		},
	})
}

const dataset = `
dataset:
  - fides_key: crm
    collections:
      - name: contacts
        fields:
          - {name: id, data_categories: [system.operations], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
          - {name: note, data_categories: [user.content], fides_meta: {data_type: string}}
`

// The engine erases a person in the service through the connector.
func TestErasure(t *testing.T) {
	t.Parallel()
	client := crm.New()
	client.Define("contacts", crm.Object{Key: []string{"id"}, Fields: []crm.Field{
		{Name: "id", Type: "number", Required: true}, {Name: "email", Type: "text"}, {Name: "note", Type: "text"},
	}})
	client.Add("contacts", map[string]any{"id": int64(1), "email": "Nia.Vale@example.com", "note": "likes tea"})
	client.Add("contacts", map[string]any{"id": int64(2), "email": "ravi.moss@example.com", "note": "likes Nia"})
	datasets, diags := graph.Load("crm.yml", []byte(dataset), nil)
	require.NoError(t, diags.Err())
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "crm", Connector: customconnector.New(client, nil), Datasets: []string{"crm"}}},
		Policies: []graph.Policy{{Key: "forget", Rules: []graph.Rule{
			{Key: "all", Action: graph.Erasure, Targets: []graph.Category{"user"}, Masking: &graph.Masking{Strategy: "null_rewrite"}},
		}}},
		Store: memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
	})
	require.NoError(t, err)
	req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "forget", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	require.NoError(t, err)
	req, err = engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	rows, err := service{client}.Rows(t.Context(), "contacts")
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"id": int64(1), "email": nil, "note": nil},
		{"id": int64(2), "email": "ravi.moss@example.com", "note": "likes Nia"},
	}, rows)
}
