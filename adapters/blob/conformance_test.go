package blob_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"

	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/adapters/storagetest"
)

// The drivers that need no server. They sign no links; internal/dbtest/blobtest
// has a real S3 server.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (*gcblob.Bucket, error){
		"memory": func(*testing.T) (*gcblob.Bucket, error) { return memblob.OpenBucket(nil), nil },
		"files": func(t *testing.T) (*gcblob.Bucket, error) {
			return fileblob.OpenBucket(filepath.Join(t.TempDir(), "bucket"), &fileblob.Options{CreateDir: true, NoTempDir: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, check := range storagetest.Checks() {
				if check.Name == "link" || check.Name == "forged link" {
					continue
				}
				t.Run(check.Name, func(t *testing.T) {
					t.Parallel()
					require.NoError(t, check.Run(t.Context(), func() (storagetest.Place, error) {
						bucket, err := open(t)
						if err != nil {
							return storagetest.Place{}, err
						}
						t.Cleanup(func() { require.NoError(t, bucket.Close()) })
						return storagetest.Place{Destination: blob.New(bucket, &blob.Options{Prefix: "packages/"})}, nil
					}), check.Explanation)
				})
			}
		})
	}
}
