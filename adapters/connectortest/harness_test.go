package connectortest_test

import (
	"context"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/connectortest"
	"github.com/godsr/dsr/adapters/memory"
)

// memoryHarness opens setups in memory and lets decorate wrap the connector.
func memoryHarness(decorate func(*memory.Connector) dsr.Connector) connectortest.Harness {
	return connectortest.Harness{
		Open: func(_ context.Context, s connectortest.Setup) (dsr.Connector, connectortest.Database, error) {
			rows := make(map[string][]map[string]any)
			schemas := make(map[string]dsr.Schema)
			for _, t := range s.Tables {
				rows[t.Name()] = t.Rows
				schemas[t.Name()] = dsr.Schema{
					Table: t.Name(), Columns: t.Columns, Key: t.Key, Keyless: len(t.Key) == 0,
					ReferencedBy: referencedBy(s, t.Name()), References: references(t), Unique: t.Unique,
				}
			}
			conn := memory.NewConnector(rows, &memory.ConnectorOptions{ReadOnly: s.ReadOnly, Schemas: schemas})
			return decorate(conn), memoryDatabase{conn}, nil
		},
	}
}

func referencedBy(s connectortest.Setup, parent string) []dsr.ForeignKey {
	var keys []dsr.ForeignKey
	for _, t := range s.Tables {
		for _, fk := range t.ForeignKeys {
			if fk.Parent == parent {
				keys = append(keys, dsr.ForeignKey{Table: t.Name(), Columns: fk.Columns, References: fk.References, OnDelete: fk.OnDelete})
			}
		}
	}
	return keys
}

func references(t connectortest.Table) []dsr.ForeignKey {
	var keys []dsr.ForeignKey
	for _, fk := range t.ForeignKeys {
		keys = append(keys, dsr.ForeignKey{Table: fk.Parent, Columns: fk.Columns, References: fk.References, OnDelete: fk.OnDelete})
	}
	return keys
}

type memoryDatabase struct{ conn *memory.Connector }

func (d memoryDatabase) Rows(_ context.Context, table string) ([]map[string]any, error) {
	return d.conn.Rows(table), nil
}

func (d memoryDatabase) Update(_ context.Context, table string, key, set map[string]any) error {
	d.conn.Update(table, func(row map[string]any) {
		for k, v := range key {
			if row[k] != v {
				return
			}
		}
		maps.Copy(row, set)
	})
	return nil
}

func (memoryDatabase) Close() error { return nil }

func plain(conn *memory.Connector) dsr.Connector { return conn }

func TestMemory(t *testing.T) {
	t.Parallel()
	connectortest.Run(t, memoryHarness(plain))
}

func TestChecksAreNamedAndExplained(t *testing.T) {
	t.Parallel()
	var names []string
	for _, check := range connectortest.Checks() {
		require.NotEmpty(t, check.Name)
		require.NotEmpty(t, check.Explanation, check.Name)
		names = append(names, check.Name)
	}
	require.Equal(t, len(names), len(slices.Compact(slices.Sorted(slices.Values(names)))), "names must be unique")
}
