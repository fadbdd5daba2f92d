package agecrypt_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

const shopYAML = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - name: id
            data_categories: [user.unique_id]
            fides_meta: {primary_key: true, data_type: integer}
          - name: email
            data_categories: [user.contact.email]
            fides_meta: {identity: email, data_type: string}
`

// An engine with this encrypter delivers what the data subject and the host's
// own officer can open, and nobody else.
func TestEngineEncryptsForSubjectAndDestination(t *testing.T) {
	t.Parallel()
	subject, officer, other := x25519Holder(t), ed25519Holder(t), x25519Holder(t)
	datasets, diags := graph.Load("shop.yml", []byte(shopYAML), nil)
	require.NoError(t, diags.Err())
	clear, locked := t.TempDir(), t.TempDir()
	engine, err := dsr.New(dsr.Config{
		Datasets: datasets,
		Connections: []dsr.Connection{{Key: "shop", Datasets: []string{"shop"}, Connector: memory.NewConnector(map[string][]map[string]any{
			"customers": {{"id": 1, "email": "ada@example.com"}, {"id": 2, "email": "bob@example.com"}},
		}, nil)}},
		Policies: []graph.Policy{
			{Key: "plain", Rules: []graph.Rule{{Key: "a", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "open"}}},
			{Key: "locked", Rules: []graph.Rule{{Key: "a", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "locked"}}},
		},
		Destinations: map[string]dsr.Destination{
			"open":   {Storage: storage.NewFolder(clear, nil)},
			"locked": {Storage: storage.NewFolder(locked, nil), PublicKeys: []string{officer.public}},
		},
		Encrypter: quick(),
		Store:     memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
	require.NoError(t, err)
	run := func(policy string, encryption dsr.Encryption) dsr.PackageOutcome {
		req, err := engine.Requests().Submit(t.Context(), dsr.Submission{
			Policy: policy, Identities: dsr.Identities{"email": {"ada@example.com"}}, Encryption: encryption,
		})
		require.NoError(t, err)
		req, err = engine.Requests().Advance(t.Context(), req.ID)
		require.NoError(t, err)
		require.Equal(t, dsr.StatusComplete, req.Status)
		require.Len(t, req.Packages, 1)
		return req.Packages[0]
	}
	plain, err := os.ReadFile(filepath.Join(clear, run("plain", dsr.Encryption{}).Name))
	require.NoError(t, err)
	require.Contains(t, string(plain), "ada@example.com")

	out := run("locked", dsr.Encryption{PublicKeys: []string{subject.public}})
	file, err := os.ReadFile(filepath.Join(locked, out.Name))
	require.NoError(t, err)
	require.Equal(t, int64(len(file)), out.Bytes)
	for _, h := range []holder{subject, officer} {
		opened, err := open(file, h.private)
		require.NoError(t, err)
		require.Equal(t, string(plain), string(opened))
	}
	_, err = open(file, other.private)
	require.Error(t, err)

	file, err = os.ReadFile(filepath.Join(clear, run("plain", dsr.Encryption{Passphrase: passphrase}).Name))
	require.NoError(t, err)
	opened, err := open(file, knower(t, passphrase))
	require.NoError(t, err)
	require.Equal(t, string(plain), string(opened))

	_, err = engine.Requests().Submit(t.Context(), dsr.Submission{
		Policy: "plain", Identities: dsr.Identities{"email": {"ada@example.com"}}, Encryption: dsr.Encryption{Passphrase: "CANARY"},
	})
	require.EqualError(t, err, `dsr: error: submission: the package of rule "a" cannot be encrypted: agecrypt: the passphrase is too short: want at least 12 characters`)
}
