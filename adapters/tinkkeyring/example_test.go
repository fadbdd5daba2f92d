package tinkkeyring_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/tinkkeyring"
	"github.com/godsr/dsr/graph"
)

// masterKey returns a local key that stands in for the key service, so that
// the example runs anywhere. In a service it is one of these; the package
// comes from the host's own go.mod:
//
//	// AWS KMS, github.com/tink-crypto/tink-go-awskms/v3/integration/awskms
//	return awskms.NewAEADWithContext(ctx, "arn:aws:kms:eu-west-1:111122223333:key/…")
//
//	// Google Cloud KMS, github.com/tink-crypto/tink-go-gcpkms/v2/integration/gcpkms
//	return gcpkms.GetAEADWithContext(ctx, "gcp-kms://projects/…/locations/…/keyRings/…/cryptoKeys/…")
//
//	// Vault, github.com/tink-crypto/tink-go-hcvault/v2/integration/hcvault
//	transit, err := hcvault.NewAEAD("/transit/keys/dsr", client.Logical())
//	return tinkkeyring.Master(transit), err
func masterKey(_ context.Context) (tink.AEADWithContext, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	local, err := aead.New(handle)
	if err != nil {
		return nil, err
	}
	return tinkkeyring.Master(local), nil
}

const customers = `
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
`

// createKeyring is run once, by an operator.
func createKeyring(ctx context.Context, master tink.AEADWithContext, path string) error {
	sealed, err := tinkkeyring.Create(ctx, master)
	if err != nil {
		return err
	}
	return os.WriteFile(path, sealed, 0o600)
}

// startService is run whenever the service starts.
func startService(ctx context.Context, master tink.AEADWithContext, path string) (*dsr.Engine, error) {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	keyring, err := tinkkeyring.Open(ctx, sealed, master, nil)
	if err != nil {
		return nil, err
	}
	for _, key := range keyring.Keys() {
		fmt.Println("a key that", key.Role)
	}
	datasets, diags := graph.Load("shop.yml", []byte(customers), nil)
	if err := diags.Err(); err != nil {
		return nil, err
	}
	return dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(nil, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "erase", Rules: []graph.Rule{{
			Key: "all", Action: graph.Erasure, Targets: []graph.Category{"user.contact"}, Masking: &graph.Masking{Strategy: "null_rewrite"},
		}}}},
		Store:   memory.NewStore(), // a durable one, in a service
		Spool:   memory.NewSpool(),
		Keyring: keyring,
	})
}

// rotateKeyring is run once a year, by an operator; then the service is restarted.
func rotateKeyring(ctx context.Context, master tink.AEADWithContext, path string) error {
	sealed, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	rotated, err := tinkkeyring.Rotate(ctx, sealed, master)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", rotated, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// An operator makes the keyring once and rotates it now and then; the service
// opens it at every start.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyring")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "dsr-keyring")

	master, err := masterKey(ctx)
	fmt.Println("master key:", err)
	fmt.Println("created:", createKeyring(ctx, master, path))
	_, err = startService(ctx, master, path)
	fmt.Println("started:", err)
	fmt.Println("rotated:", rotateKeyring(ctx, master, path))
	_, err = startService(ctx, master, path)
	fmt.Println("started:", err)
	// Output:
	// master key: <nil>
	// created: <nil>
	// a key that wraps
	// started: <nil>
	// rotated: <nil>
	// a key that opens
	// a key that wraps
	// started: <nil>
}
