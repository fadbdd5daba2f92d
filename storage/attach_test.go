package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// file is an attachment.
func file(name, text string) *storage.Attachment {
	return &storage.Attachment{Name: name, Type: "text/plain", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

func TestAttachJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := jsonTo(&out)
	require.NoError(t, w.Collection(named("a:b")))
	require.NoError(t, w.Row([]byte(`{"id":1}`)))
	for _, f := range []*storage.Attachment{file("letter.txt", "dear you"), file("letter.txt", ""), {Name: "<\"\n\u202e/..", Open: file("", "\x00\xff").Open}} {
		_, err := w.Attach(f)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close(t.Context(), nil))
	require.Equal(t, `{
  "a:b": [
    {"id":1}
  ],
  "attachments": [
    {"file_name":"letter.txt","content_type":"text/plain","path":"attachments/letter.txt","content":"ZGVhciB5b3U=","size":8},
    {"file_name":"letter.txt","content_type":"text/plain","path":"attachments/letter (2).txt","content":"","size":0},
    {"file_name":"<\"\n`+"\u202e"+`/..","content_type":"application/octet-stream","path":"attachments/_____","content":"AP8=","size":2}
  ]
}
`, out.String())
	require.EqualError(t, func() error { _, err := w.Attach(file("x", "y")); return err }(), "storage: the package is closed")
}

// What is compressed already is not compressed again.
func TestAttachCSV(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("0", 100_000)
	for mediaType, small := range map[string]bool{
		"": true, "text/plain": true, "image/svg+xml": true, "application/json": true,
		"image/jpeg": false, "video/mp4": false, "Application/PDF": false, "application/zip; x=y": false,
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": false,
	} {
		var out bytes.Buffer
		w := csvTo(&out)
		f := file("scan", zeros)
		f.Type = mediaType
		_, err := w.Attach(f)
		require.NoError(t, err)
		require.NoError(t, w.Close(t.Context(), nil))
		require.Equal(t, small, out.Len() < 10_000, mediaType)
		require.Equal(t, entry{"attachments/scan", zeros}, unzip(t, out.Bytes())[0], mediaType)
	}
}

// brokenFile fails where it is told to.
type brokenFile struct {
	open, read, close error
	ended             *bool
	rest              int
	cancel            context.CancelCauseFunc
}

func (b *brokenFile) attachment() *storage.Attachment {
	return &storage.Attachment{Name: "secret.txt", Open: func(context.Context) (io.ReadCloser, error) {
		if b.open != nil {
			return nil, b.open
		}
		return b, nil
	}}
}

func (b *brokenFile) Read(p []byte) (int, error) {
	if b.rest <= 0 {
		if b.read != nil {
			return 0, b.read
		}
		return 0, io.EOF
	}
	if b.cancel != nil {
		b.cancel(errBroken)
	}
	n := min(len(p), b.rest)
	b.rest -= n
	return n, nil
}

func (b *brokenFile) Close() error {
	*b.ended = true
	return b.close
}

var errBroken = errors.New("broken")

// A file that fails fails the package: nothing becomes visible.
func TestAttachFails(t *testing.T) {
	t.Parallel()
	for _, format := range []storage.Format{storage.JSON{}, storage.CSV{}} {
		for name, test := range map[string]struct {
			file brokenFile
			want string
		}{
			"open":            {brokenFile{open: errBroken}, "storage: open a file for the package: broken"},
			"read":            {brokenFile{read: errBroken}, "storage: copy a file into the package: broken"},
			"read midway":     {brokenFile{rest: 200_000, read: errBroken}, "storage: copy a file into the package: broken"},
			"close":           {brokenFile{rest: 10, close: errBroken}, "storage: read a file for the package: broken"},
			"canceled midway": {brokenFile{rest: 1 << 30}, "storage: copy a file into the package: broken"},
		} {
			t.Run(format.Extension()+" "+name, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				dir, ended := t.TempDir(), false
				broken := test.file
				if broken.ended = &ended; broken.rest == 1<<30 {
					broken.cancel = cancel
				}
				p, err := storage.Create(t.Context(), storage.NewFolder(dir, nil), storage.PackageOptions{Name: "r1", Format: format, About: about()})
				require.NoError(t, err)
				require.NoError(t, p.Collection(table("a:b", "id")))
				require.NoError(t, p.Row([]byte(`{"id":1}`)))
				_, err = p.Attach(broken.attachment())
				require.NoError(t, err)
				err = p.Commit(ctx, &storage.Manifest{})
				require.EqualError(t, err, test.want)
				require.ErrorIs(t, err, errBroken)
				require.Equal(t, broken.open == nil, ended, "an open file is closed")
				require.ErrorIs(t, p.Row([]byte(`{}`)), errBroken, "the error stays")
				require.ErrorIs(t, p.Commit(t.Context(), &storage.Manifest{}), storage.ErrUploadOver)
				require.Empty(t, names(t, dir))
			})
		}
	}
}
