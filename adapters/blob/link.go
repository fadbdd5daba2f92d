package blob

import (
	"context"
	"errors"
	"fmt"
	"time"

	gcblob "gocloud.dev/blob"

	"github.com/godsr/dsr/storage"
)

// MaxExpires is the longest time for which a link can be valid: S3 and Google
// Cloud Storage refuse longer ones.
const MaxExpires = 7 * 24 * time.Hour

// Link implements [storage.Linker]. The service serves the file to whoever has
// the link, as long as the account that signed it may read the file. fileName
// is one that [storage.CheckName] accepts; without Options.Sign, it must be the
// name that the file has in the bucket. Where the driver cannot sign links,
// [errors.ErrUnsupported] is in the error.
//
// The link is a secret: whoever reads it in a log can have the file.
func (d *Destination) Link(ctx context.Context, name string, expires time.Duration, fileName string) (string, error) {
	if err := check(ctx, name); err != nil {
		return "", err
	}
	if err := storage.CheckName(fileName); err != nil {
		return "", fmt.Errorf("blob: what the file is to be called: %w", err)
	}
	if expires <= 0 || expires > MaxExpires {
		return "", fmt.Errorf("blob: a link is valid for more than nothing and at most %v", MaxExpires)
	}
	link := Link{Key: d.key(name), Expires: expires, Disposition: disposition(fileName)}
	sign := d.opts.Sign
	if sign == nil {
		if fileName != name {
			return "", &Error{
				Operation: "sign a link", Bucket: d.opts.Name, cause: errors.ErrUnsupported,
				reason: "the bucket's driver alone cannot give a file another name; set Options.Sign, which blobs3.New does",
			}
		}
		sign = driverSign
	}
	signed, err := sign(ctx, d.bucket, link)
	if err != nil {
		return "", d.fail(context.Cause(ctx), "sign a link", err)
	}
	return signed, nil
}

// driverSign signs as drivers do. The answer's Content-Disposition is that of
// the upload.
func driverSign(ctx context.Context, bucket *gcblob.Bucket, l Link) (string, error) {
	return bucket.SignedURL(ctx, l.Key, &gcblob.SignedURLOptions{Expiry: l.Expires})
}
