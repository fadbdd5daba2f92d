package outage_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

// The connection to the shop hangs while data is collected and again while it is
// erased. What was sent is lost at one time and comes late at another one, when
// it was given up already. Requests that need another connection go on.
func TestConnectionHangs(t *testing.T) {
	t.Parallel()
	recoveries := [][2]func(*dbtest.Proxy){
		{(*dbtest.Proxy).Lose, (*dbtest.Proxy).Deliver},
		{(*dbtest.Proxy).Deliver, (*dbtest.Proxy).Lose},
	}
	for i, p := range products() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			server := p.server(t)
			proxy, err := server.Proxy()
			require.NoError(t, err)
			w := newWorld(t, setup{
				shop: p.open(t, server.DSN("shop")), engine: p.open(t, proxy.DSN("shop")),
				dialect: p.dialect, timeout: 5 * time.Second, wrap: other,
			})
			t.Cleanup(func() { require.NoError(t, proxy.Close()) })
			hang := func() error { proxy.Hang(); return nil }
			collecting := w.arm("collected shop:customers", 3, hang, nil)
			w.run()
			w.happened(collecting)
			w.waiting(2, `"shop" is unavailable`)
			w.othersGoOn()
			erasing := w.arm("before apply ", 4, hang, func() error { recoveries[i][0](proxy); return nil })
			w.happened(erasing)
			w.waiting(1, `"shop" is unavailable`)
			w.othersGoOn()
			recoveries[i][1](proxy)
			w.finished()
			w.check()
		})
	}
}

// other adds a connection that nothing happens to.
func other(c *dsr.Config) {
	c.Datasets = append(c.Datasets, &graph.Dataset{Key: "club", Collections: []*graph.Collection{{
		Name: "members", Address: graph.Address{Dataset: "club", Collection: "members"},
		Fields: []*graph.Field{
			{Name: "phone", Categories: []graph.Category{"user.contact.phone_number"}, Identity: "phone_number"},
		},
	}}})
	c.Connections = append(c.Connections, dsr.Connection{Key: "club", Datasets: []string{"club"}, Connector: memory.NewConnector(map[string][]map[string]any{
		"members": {{"phone": "+33123456789"}},
	}, nil)})
}

// othersGoOn submits a request that reaches only the connection of other, and
// waits for its end.
func (w *world) othersGoOn() {
	w.t.Helper()
	req, err := w.engine.Requests().Submit(w.t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"phone_number": {"+33123456789"}}})
	require.NoError(w.t, err)
	w.await("the other one", func([]*dsr.Request) bool {
		r, err := w.engine.Requests().Get(w.t.Context(), req.ID)
		require.NoError(w.t, err)
		return r.Status == dsr.StatusComplete
	})
	w.extra++
}
