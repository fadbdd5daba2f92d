package blobtest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
)

const datasetYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customer
        fields:
          - name: id
            data_categories: [user.unique_id]
            fides_meta: {primary_key: true}
          - name: email
            data_categories: [user.contact.email]
            fides_meta: {identity: email}
          - name: name
            data_categories: [user.name]
`

// A request waits while the object store is down, is delivered when it is up
// again, can be downloaded by a link, and its package goes when its time is
// over.
func TestRequest(t *testing.T) {
	t.Parallel()
	server, err := dbtest.StartS3()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	s := mustStore(t, server)
	datasets, diags := graph.Load("shop.yml", []byte(datasetYAML), nil)
	require.NoError(t, diags.Err())
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{{Key: "db", Datasets: []string{"shop"}, Connector: memory.NewConnector(map[string][]map[string]any{
			"customer": {{"id": 1, "email": "ada@example.com", "name": "Ada"}, {"id": 2, "email": "bob@example.com", "name": "Bob"}},
		}, nil)}},
		Policies: []graph.Policy{{Key: "access", Rules: []graph.Rule{{
			Key: "all", Action: graph.Access, Targets: []graph.Category{"user.contact", "user.name"},
		}}}},
		Destinations: map[string]dsr.Destination{"s3": {Storage: s}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		Retention: dsr.Retention{Packages: 24 * time.Hour},
		Clock:     func() time.Time { return now }, NewID: func() string { return "r1" },
	})
	require.NoError(t, err)
	requests := engine.Requests()
	_, err = requests.Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}}})
	require.NoError(t, err)

	require.NoError(t, server.Kill())
	req, err := requests.Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusInProcessing, req.Status)
	require.True(t, req.DueAt.After(now))

	require.NoError(t, server.Start())
	now = req.DueAt
	req, err = requests.Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Equal(t, []string{prefix + "r1.json", prefix + "r1.manifest.json"}, s.keys(t))
	const want = "{\n  \"shop:customer\": [\n    {\"email\":\"ada@example.com\",\"name\":\"Ada\"}\n  ]\n}\n"
	require.Equal(t, want, s.content(t, "r1.json"))
	sum := sha256.Sum256([]byte(want))
	require.Contains(t, s.content(t, "r1.manifest.json"), hex.EncodeToString(sum[:]))

	link, err := s.Link(t.Context(), "r1.json", time.Hour, "your data.json")
	require.NoError(t, err)
	status, header, body := follow(t, link)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, want, body)
	require.True(t, strings.HasPrefix(header.Get("Content-Type"), "application/json"))

	now = now.Add(24 * time.Hour)
	_, err = requests.Advance(t.Context(), "r1")
	require.NoError(t, err)
	require.Empty(t, s.keys(t))
	status, _, _ = follow(t, link)
	require.Equal(t, http.StatusNotFound, status)
}
