package blobs3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	gcblob "gocloud.dev/blob"
)

// DefaultStaleAfter is how long ago an upload must have begun to be swept.
const DefaultStaleAfter = 24 * time.Hour

// SweepOptions say what [Sweep] removes.
type SweepOptions struct {
	// Prefix is that of the destination. Defaults to none: uploads of
	// others in the same bucket are swept, too.
	Prefix string
	// StaleAfter is how long ago an upload must have begun to be taken for
	// one that a crash left behind. Defaults to [DefaultStaleAfter].
	StaleAfter time.Duration
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

// Sweep removes the parts of uploads that crashed processes left in a bucket,
// invisible and paid for, and returns how many uploads those were. A lifecycle
// rule of the bucket does the same by itself where the service has such rules;
// see docs/destinations.md. name is that of the bucket; opts may be nil.
func Sweep(ctx context.Context, bucket *gcblob.Bucket, name string, opts *SweepOptions) (int, error) {
	var client *s3.Client
	if bucket == nil || !bucket.As(&client) {
		return 0, errNotS3
	}
	o := SweepOptions{StaleAfter: DefaultStaleAfter, Now: time.Now}
	if opts != nil {
		o.Prefix = opts.Prefix
		if opts.StaleAfter > 0 {
			o.StaleAfter = opts.StaleAfter
		}
		if opts.Now != nil {
			o.Now = opts.Now
		}
	}
	begunBefore := o.Now().Add(-o.StaleAfter)
	in := &s3.ListMultipartUploadsInput{Bucket: &name}
	if o.Prefix != "" {
		in.Prefix = &o.Prefix
	}
	removed := 0
	var faults []error
	pages := s3.NewListMultipartUploadsPaginator(client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, errors.Join(append(faults, fail(ctx, "list unfinished uploads", err))...)
		}
		for _, up := range page.Uploads {
			if up.Initiated == nil || up.Initiated.After(begunBefore) {
				continue
			}
			_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &name, Key: up.Key, UploadId: up.UploadId})
			switch {
			case err == nil:
				removed++
			case code(err) != "NoSuchUpload": // else it was committed or swept meanwhile
				faults = append(faults, fail(ctx, "remove an unfinished upload", err))
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			break
		}
	}
	return removed, errors.Join(faults...)
}

// fail drops what may quote a key.
func fail(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("blobs3: %s: %w", doing, context.Cause(ctx))
	}
	if word := code(err); word != "" {
		return fmt.Errorf("blobs3: %s: the service refused it (code %s)", doing, word)
	}
	return fmt.Errorf("blobs3: %s: the service cannot be reached", doing)
}

// code is what the service calls a failure.
func code(err error) string {
	var answer smithy.APIError
	if errors.As(err, &answer) {
		return answer.ErrorCode()
	}
	return ""
}
