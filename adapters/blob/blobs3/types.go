package blobs3

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gcblob "gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/blob"
	"github.com/godsr/dsr/storage"
)

// TypeOptions are the host's word on the destinations of a [DestinationType].
// The zero value, and nil, are ready to use.
type TypeOptions struct {
	// Buckets are those that packages may go to. Defaults to any that the
	// credentials open.
	Buckets []string
	// Automatic is what destinations authenticate with whose auth_method is
	// "automatic": the credentials of this process, such as
	// config.LoadDefaultConfig finds them. Whoever may define destinations can
	// then write to whatever they open; see Buckets. Defaults to none, and
	// such destinations are refused.
	Automatic *aws.Config
	// Region is that of destinations which name none. Defaults to that of
	// Automatic, and else to us-east-1.
	Region string
	// Client changes how the service is called: its address, for what speaks
	// S3 but is not Amazon's, or an HTTP client. Defaults to nothing.
	Client func(*s3.Options)
	// Blob holds the options of the destinations. Their name is that of the
	// bucket.
	Blob blob.Options
}

// DestinationType returns the type of destinations in buckets of S3, for
// [dsr.Config]; in Fides it is called "s3":
//
//	DestinationTypes: map[string]dsr.DestinationType{"s3": blobs3.DestinationType(nil)}
//
// Its details are Fides' auth_method ("secret_keys" or "automatic"), bucket,
// naming ("request_id" only) and max_retries (0 to 10), its secrets
// aws_access_key_id, aws_secret_access_key and region_name. The service is not
// called before there is a package.
func DestinationType(o *TypeOptions) dsr.DestinationType {
	t := destinationType{}
	if o != nil {
		t.opts = *o
		t.opts.Buckets = slices.Clone(o.Buckets)
	}
	return dsr.DestinationType{
		Title: "Amazon S3",
		Details: []dsr.SecretField{
			{Name: "auth_method", Title: "Authentication"},
			{Name: "bucket", Title: "Bucket"},
			{Name: "naming", Title: "Naming", Optional: true},
			{Name: "max_retries", Title: "Retries", Optional: true},
		},
		Fields: []dsr.SecretField{
			{Name: "aws_access_key_id", Title: "Access key ID", Optional: true, Sensitive: true},
			{Name: "aws_secret_access_key", Title: "Secret access key", Optional: true, Sensitive: true},
			{Name: "region_name", Title: "Region", Optional: true},
		},
		Open: t.open,
	}
}

// destinationType opens the destinations of a type.
type destinationType struct{ opts TypeOptions }

// closing is a destination that closes its bucket.
type closing struct {
	*blob.Destination
	bucket *gcblob.Bucket
}

// Close ends what the bucket holds.
func (c *closing) Close() error { return c.bucket.Close() }

var (
	// Both become part of a host's name. Names that begin otherwise, such as
	// those of access points, would lead elsewhere.
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

func (t *destinationType) open(s dsr.DestinationSettings) (storage.Destination, error) {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	bucket := s.Details["bucket"]
	switch {
	case !bucketName.MatchString(bucket):
		fault("the bucket's name must have 3 to 63 small letters, digits, dots and dashes")
	case t.opts.Buckets != nil && !slices.Contains(t.opts.Buckets, bucket):
		fault("the bucket %q is not among those that packages may go to", bucket)
	}
	if naming := s.Details["naming"]; naming != "" && naming != "request_id" {
		fault(`naming can only be "request_id"`)
	}
	config := aws.Config{}
	switch s.Details["auth_method"] {
	case "automatic":
		if t.opts.Automatic == nil {
			fault(`auth_method "automatic" is not open to destinations: the host gives none of its own credentials (TypeOptions.Automatic)`)
		} else {
			config = t.opts.Automatic.Copy()
		}
	case "secret_keys":
		keys := aws.Credentials{AccessKeyID: s.Secrets["aws_access_key_id"], SecretAccessKey: s.Secrets["aws_secret_access_key"], Source: "dsr"}
		if !keys.HasKeys() {
			fault(`auth_method "secret_keys" needs the secrets aws_access_key_id and aws_secret_access_key`)
		}
		config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })
	default:
		fault(`auth_method can only be "secret_keys" or "automatic"`)
	}
	config.Region = cmp.Or(s.Secrets["region_name"], t.opts.Region, config.Region, "us-east-1")
	if !regionName.MatchString(config.Region) {
		fault("the region is none; they are called such as eu-central-1")
	}
	if given := s.Details["max_retries"]; given != "" {
		n, err := strconv.ParseUint(given, 10, 8)
		if err != nil || n > 10 {
			fault("max_retries must be a number from 0 to 10")
		}
		config.RetryMaxAttempts = int(n) + 1
	}
	if faults != nil {
		return nil, errors.New("blobs3: " + strings.Join(faults, "; "))
	}
	return t.make(&config, bucket)
}

func (t *destinationType) make(config *aws.Config, name string) (storage.Destination, error) {
	var changes []func(*s3.Options)
	if t.opts.Client != nil {
		changes = append(changes, t.opts.Client)
	}
	bucket, err := s3blob.OpenBucket(context.Background(), s3.NewFromConfig(*config, changes...), name, nil)
	if err != nil {
		return nil, errors.New("blobs3: the bucket cannot be opened with these settings")
	}
	opts := t.opts.Blob
	opts.Name = name
	destination, err := New(bucket, &opts)
	if err != nil {
		return nil, errors.Join(err, bucket.Close())
	}
	return &closing{destination, bucket}, nil
}
