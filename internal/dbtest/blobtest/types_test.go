package blobtest_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/blob/blobs3"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/dbtest"
	"github.com/godsr/dsr/storage"
)

// A bucket that is defined at run time takes the package of a request.
func TestDestinationType(t *testing.T) {
	t.Parallel()
	server := dbtest.S3(t)
	s := mustStore(t, server)
	client := func(o *s3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String(server.Endpoint()), true
	}
	kind := blobs3.DestinationType(&blobs3.TypeOptions{Region: dbtest.S3Region, Client: client, Blob: blob.Options{Prefix: prefix}})
	engine, err := dsr.New(dsr.Config{
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		ConnectionTypes: map[string]dsr.ConnectionType{"shop": {Title: "Shop", Connect: func(dsr.ConnectionSettings) (dsr.Connector, error) {
			return memory.NewConnector(map[string][]map[string]any{"customer": {{"id": 1, "email": "ada@example.com", "name": "Ada"}}}, nil), nil
		}}},
		DestinationTypes: map[string]dsr.DestinationType{"s3": kind},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	_, err = engine.Catalogue().Update(t.Context(), func(d *dsr.Definitions) error {
		d.Connections["db"] = &dsr.ConnectionDefinition{Defined: dsr.Defined{Key: "db"}, Type: "shop"}
		d.Datasets["shop"] = &dsr.DatasetDefinition{Defined: dsr.Defined{Key: "shop"}, Connection: "db", Source: datasetYAML}
		d.Destinations["s3"] = &dsr.DestinationDefinition{
			Defined: dsr.Defined{Key: "s3"}, Type: "s3", Format: "json",
			Details: map[string]string{"auth_method": "secret_keys", "bucket": s.name, "naming": "request_id", "max_retries": "0"},
			Secrets: dsr.Secrets{"aws_access_key_id": dbtest.S3AccessKey, "aws_secret_access_key": dbtest.S3SecretKey, "region_name": dbtest.S3Region},
		}
		d.Policies["access"] = &dsr.PolicyDefinition{Defined: dsr.Defined{Key: "access"}, Rules: []graph.Rule{
			{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}, Destination: "s3"},
		}}
		return nil
	})
	require.NoError(t, err)
	req, err := engine.Requests().Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"ada@example.com"}}})
	require.NoError(t, err)
	req, err = engine.Requests().Advance(t.Context(), req.ID)
	require.NoError(t, err)
	require.Equal(t, dsr.StatusComplete, req.Status)
	require.Contains(t, s.content(t, req.ID+".json"), "ada@example.com")
}

func TestCredentialsOfDestinationTypes(t *testing.T) {
	t.Parallel()
	server := dbtest.S3(t)
	s := mustStore(t, server)
	own := newClient(server.Endpoint(), dbtest.S3SecretKey).Options()
	kind := blobs3.DestinationType(&blobs3.TypeOptions{
		Automatic: &aws.Config{Region: dbtest.S3Region, Credentials: own.Credentials},
		Client:    func(o *s3.Options) { o.BaseEndpoint, o.UsePathStyle = aws.String(server.Endpoint()), true },
		Blob:      blob.Options{Prefix: prefix},
	})
	put := func(details map[string]string, secrets dsr.Secrets) error {
		details["bucket"] = s.name
		d, err := kind.Open(dsr.DestinationSettings{Key: "s3", Details: details, Secrets: secrets})
		require.NoError(t, err)
		up, err := d.Create(t.Context(), "r1.json")
		require.NoError(t, err)
		_, err = io.Copy(up, strings.NewReader("{}"))
		require.NoError(t, err)
		err = errors.Join(up.Commit(t.Context()), up.Abort())
		if err == nil {
			_, err = d.(storage.Linker).Link(t.Context(), "r1.json", time.Minute, "data.json")
			require.NoError(t, err)
		}
		require.NoError(t, d.(io.Closer).Close())
		return err
	}
	require.NoError(t, put(map[string]string{"auth_method": "automatic"}, nil))
	err := put(map[string]string{"auth_method": "secret_keys"}, dsr.Secrets{"aws_access_key_id": dbtest.S3AccessKey, "aws_secret_access_key": "canary"})
	require.ErrorContains(t, err, "the service does not know the credentials")
	require.NotErrorIs(t, err, dsr.ErrUnavailable)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), "canary")
}
