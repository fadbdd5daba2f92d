package blobs3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob/blobs3"
)

func TestDestinationTypeFaults(t *testing.T) {
	t.Parallel()
	const rest = `; auth_method can only be "secret_keys" or "automatic"; the region is none; they are called such as eu-central-1; max_retries must be a number from 0 to 10`
	secrets := dsr.Secrets{"aws_access_key_id": "canary", "aws_secret_access_key": "canary"}
	for _, test := range []struct {
		details map[string]string
		secrets dsr.Secrets
		want    string
	}{
		{
			map[string]string{"bucket": "arn:aws:s3:canary", "naming": "canary", "auth_method": "canary", "max_retries": "11"},
			dsr.Secrets{"region_name": "x.canary/#"},
			`blobs3: the bucket's name must have 3 to 63 small letters, digits, dots and dashes; naming can only be "request_id"` + rest,
		},
		{map[string]string{"bucket": "others", "auth_method": "secret_keys"}, secrets, `blobs3: the bucket "others" is not among those that packages may go to`},
		{
			map[string]string{"bucket": "packages", "auth_method": "automatic"}, nil,
			`blobs3: auth_method "automatic" is not open to destinations: the host gives none of its own credentials (TypeOptions.Automatic)`,
		},
		{
			map[string]string{"bucket": "packages", "auth_method": "secret_keys"}, dsr.Secrets{"aws_access_key_id": "canary"},
			`blobs3: auth_method "secret_keys" needs the secrets aws_access_key_id and aws_secret_access_key`,
		},
	} {
		kind := blobs3.DestinationType(&blobs3.TypeOptions{Buckets: []string{"packages"}})
		_, err := kind.Open(dsr.DestinationSettings{Key: "s3", Details: test.details, Secrets: test.secrets})
		require.EqualError(t, err, test.want)
	}
}
