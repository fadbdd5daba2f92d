package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/graph"
)

func TestDiagnosticsInWords(t *testing.T) {
	t.Parallel()
	at := graph.Position{File: "shop.yml", Line: 3, Column: 5}
	for _, test := range []struct {
		of           graph.Diagnostic
		whole, plain string
	}{
		{graph.Diagnostic{Message: "odd"}, "warning: odd", "odd"},
		{graph.Diagnostic{Severity: graph.Error, Subject: "shop:orders", Message: "odd"}, "error: shop:orders: odd", "shop:orders: odd"},
		{graph.Diagnostic{Severity: graph.Error, Pos: at, Subject: "shop", Message: "odd"}, "shop.yml:3:5: error: shop: odd", "shop: odd"},
		{graph.Diagnostic{Pos: at, Message: "odd"}, "shop.yml:3:5: warning: odd", "odd"},
	} {
		require.Equal(t, []string{test.whole, test.plain}, []string{test.of.String(), test.of.Text()})
	}
}
