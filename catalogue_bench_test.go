package dsr_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// bigDataset is one of 20 collections.
func bigDataset(key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dataset:\n- fides_key: %s\n  collections:\n", key)
	for i := range 20 {
		fmt.Fprintf(&b, "  - name: c%d\n    fields:\n", i)
		fmt.Fprintf(&b, "    - name: id\n      fides_meta: {primary_key: true}\n")
		fmt.Fprintf(&b, "    - name: email\n      data_categories: [user.contact.email]\n      fides_meta: {identity: email}\n")
		for f := range 6 {
			fmt.Fprintf(&b, "    - name: f%d\n      data_categories: [user.content]\n", f)
		}
	}
	return b.String()
}

// manyDefined are as many connections with a dataset each.
func manyDefined(b *testing.B, n int) *configurable {
	c := newConfigurable(b)
	c.update(b, func(d *dsr.Definitions) {
		shopDefined(d)
		for i := range n {
			key := fmt.Sprintf("big%04d", i)
			d.Connections[key] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: key}, Type: "shop", Secrets: dsr.Secrets{"host": "here", "password": "p"}}
			d.Datasets[key] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: key}, Connection: key, Source: bigDataset(key)}
		}
	})
	return c
}

// BenchmarkCatalogue changes one thing in a catalogue of 1,000 connections with
// a dataset of 20 collections each, takes it in a new process, and submits
// requests under it.
func BenchmarkCatalogue(b *testing.B) {
	c := manyDefined(b, 1000)
	b.Run("update", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			c.update(b, func(d *dsr.Definitions) { d.Connections["big0007"].Name = fmt.Sprint("name ", n) })
		}
	})
	b.Run("first take", func(b *testing.B) {
		for b.Loop() {
			_, err := newEngine(b, c.config).Catalogue().Problems(b.Context())
			require.NoError(b, err)
		}
	})
	b.Run("submit", func(b *testing.B) {
		for b.Loop() {
			_, err := c.engine.Requests().Submit(b.Context(), submission("access", "ada@example.com"))
			require.NoError(b, err)
		}
	})
}

// BenchmarkSubmit submits requests without a catalogue, and with a small one.
func BenchmarkSubmit(b *testing.B) {
	for _, defined := range []bool{false, true} {
		b.Run(fmt.Sprintf("catalogue=%t", defined), func(b *testing.B) {
			c := newConfigurable(b)
			if defined {
				c.update(b, shopDefined)
			} else {
				c.config.Datasets = c.datasets
				c.config.Connections = []dsr.Connection{{Key: "db", Connector: c.db(), Datasets: []string{"shop"}}}
				c.config.Policies = append(c.config.Policies, policy(accessRule()))
				c.config.Policies[0].Key = "access"
				c.config.Destinations = map[string]dsr.Destination{"folder": {Storage: &dyingDestination{c.packages, &process{}}}}
				c.engine = newEngine(b, c.config)
			}
			for b.Loop() {
				_, err := c.engine.Requests().Submit(b.Context(), submission("access", "ada@example.com"))
				require.NoError(b, err)
			}
		})
	}
}
