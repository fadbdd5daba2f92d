package storage_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/storage"
)

// Each file is encrypted by itself: the zip opens without the key, and shows
// names only.
func TestCSVWithKey(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	write := func(w storage.Writer, err error) {
		require.NoError(t, err)
		require.NoError(t, w.Collection(table("a:b", "id")))
		require.NoError(t, w.Row([]byte(`{"id":"secret"}`)))
		require.NoError(t, w.Collection(table("a:c", "id")))
		require.NoError(t, w.Row([]byte(`{"id":1}`)))
		_, err = w.Attach(file("empty.txt", ""))
		require.NoError(t, err)
		_, err = w.Attach(file("letter.txt", "dear you"))
		require.NoError(t, err)
		require.NoError(t, w.Close(context.Background(), []storage.ManifestCollection{{Address: "a:b", State: storage.StateDone, Rows: 1}}))
	}
	var plain, sealed bytes.Buffer
	write(storage.CSV{}.NewWriter(&plain, about()))
	write(storage.CSV{}.NewKeyedWriter(&sealed, about(), key))

	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	var opened []entry
	for _, f := range unzip(t, sealed.Bytes()) {
		data, err := base64.StdEncoding.DecodeString(f.text)
		require.NoError(t, err)
		text, err := aead.Open(nil, data[:12], data[12:], data[:12])
		require.NoError(t, err, f.name)
		opened = append(opened, entry{f.name, string(text)})
	}
	require.Equal(t, unzip(t, plain.Bytes()), opened)
	require.Len(t, opened, 5)
}

// Above 65,535 files a zip is another format.
func TestCSVManyFiles(t *testing.T) {
	t.Parallel()
	const files = 66_000
	var out bytes.Buffer
	w := csvTo(&out)
	for i := range files {
		_, err := w.Attach(&storage.Attachment{Name: fmt.Sprintf("scan-%d.jpg", i), Type: "image/jpeg", Open: file("", fmt.Sprint(i)).Open})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close(t.Context(), nil))
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Len(t, z.File, files+1)
	for _, i := range []int{0, 65_535, files - 1} {
		require.Equal(t, fmt.Sprintf("attachments/scan-%d.jpg", i), z.File[i].Name)
		r, err := z.File[i].Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(text))
	}
}

// So it is above 4 GiB.
func TestCSVLargeFile(t *testing.T) {
	t.Parallel()
	const size = 4<<30 + 1
	out := &sparse{}
	w := csvTo(out)
	_, err := w.Attach(&storage.Attachment{Name: "film.mp4", Type: "video/mp4", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.LimitReader(zeros{}, size)), nil
	}})
	require.NoError(t, err)
	_, err = w.Attach(file("letter.txt", "dear you"))
	require.NoError(t, err)
	require.NoError(t, w.Close(t.Context(), nil))

	z, err := zip.NewReader(out, out.size)
	require.NoError(t, err)
	require.Len(t, z.File, 3)
	require.Equal(t, uint64(size), z.File[0].UncompressedSize64)
	require.Equal(t, uint64(size), z.File[0].CompressedSize64)
	r, err := z.Open("attachments/letter.txt")
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "dear you", string(text))
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sparse remembers what was written, but for long runs of zeros.
type sparse struct {
	size  int64
	none  [page]byte
	parts map[int64][]byte // by page
}

const page = 32 << 10

func (s *sparse) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		at := s.size % page
		n := min(len(rest), int(page-at))
		if !bytes.Equal(rest[:n], s.none[:n]) {
			if s.parts == nil {
				s.parts = map[int64][]byte{}
			}
			if s.parts[s.size/page] == nil {
				s.parts[s.size/page] = make([]byte, page)
			}
			copy(s.parts[s.size/page][at:], rest[:n])
		}
		s.size += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}

func (s *sparse) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		at := off + int64(n)
		if at >= s.size {
			return n, io.EOF
		}
		end := min(len(p)-n, int(min(page-at%page, s.size-at)))
		clear(p[n : n+end])
		if part := s.parts[at/page]; part != nil {
			copy(p[n:n+end], part[at%page:])
		}
		n += end
	}
	return n, nil
}
