package blobtest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/internal/dbtest"
)

// follow downloads from a link.
func follow(t *testing.T, link string) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, errors.Join(err, resp.Body.Close()))
	return resp.StatusCode, resp.Header, string(data)
}

func TestLinks(t *testing.T) {
	t.Parallel()
	s := mustStore(t, dbtest.S3(t))
	content := strings.Repeat("0123456789", 1<<20)
	s.put(t, "r1.zip", content)

	link, err := s.Link(t.Context(), "r1.zip", time.Hour, "Your data.zip")
	require.NoError(t, err)
	status, header, body := follow(t, link)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, `attachment; filename="Your data.zip"`, header.Get("Content-Disposition"))
	require.Equal(t, "application/zip", header.Get("Content-Type"))
	require.Equal(t, sha256.Sum256([]byte(content)), sha256.Sum256([]byte(body)))

	parsed, err := url.Parse(link)
	require.NoError(t, err)
	for key, value := range map[string]string{
		"X-Amz-Expires": "86400", "response-content-disposition": "inline",
		"X-Amz-Signature": strings.Repeat("0", 64),
	} {
		query := parsed.Query()
		require.NotEmpty(t, query.Get(key))
		query.Set(key, value)
		forged := *parsed
		forged.RawQuery = query.Encode()
		status, _, body := follow(t, forged.String())
		require.Equal(t, http.StatusForbidden, status, key)
		require.NotContains(t, body, content[:100])
	}
	require.NotContains(t, link, dbtest.S3SecretKey)
}

// past signs as if it were earlier.
type past struct {
	*v4.Signer
	ago time.Duration
}

func (p past) PresignHTTP(
	ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	return p.Signer.PresignHTTP(ctx, c, r, hash, service, region, at.Add(-p.ago), opts...)
}

// A link stops working when it expires. What counts is the server's clock, so
// that the links are signed in the past.
func TestExpiredLink(t *testing.T) {
	t.Parallel()
	s := mustStore(t, dbtest.S3(t))
	s.put(t, "r1.zip", "content")
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	for ago, want := range map[time.Duration]int{30 * time.Minute: http.StatusOK, 61 * time.Minute: http.StatusForbidden} {
		dest := blob.New(s.bucket, &blob.Options{Prefix: prefix, Sign: func(ctx context.Context, _ *gcblob.Bucket, l blob.Link) (string, error) {
			presign := s3.NewPresignClient(s.client, s3.WithPresignExpires(l.Expires), func(o *s3.PresignOptions) { o.Presigner = past{signer, ago} })
			out, err := presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &s.name, Key: &l.Key, ResponseContentDisposition: &l.Disposition})
			if err != nil {
				return "", err
			}
			return out.URL, nil
		}})
		link, err := dest.Link(t.Context(), "r1.zip", time.Hour, "data.zip")
		require.NoError(t, err)
		status, _, body := follow(t, link)
		require.Equal(t, want, status)
		require.Equal(t, want == http.StatusOK, body == "content")
	}
}
