package download_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
	"github.com/godsr/dsr/storage"
)

// served is a destination that hands out addresses, and cannot be read.
type served struct{ storage.Destination }

func (served) Link(_ context.Context, name string, expires time.Duration, fileName string) (string, error) {
	return "https://files.example/" + name + "?for=" + expires.String() + "&as=" + fileName, nil
}

// readable is one that can be read as well.
type readable struct {
	served
	storage.Opener
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		readable bool
		once     bool
		redirect time.Duration
		want     string // "" is streamed
	}{
		{"streamed by default", true, false, 0, ""},
		{"redirected where wanted", true, false, 5 * time.Minute, "5m0s"},
		{"once, streamed all the same", true, true, 5 * time.Minute, ""},
		{"redirected where nothing can be read", false, false, 0, "1m0s"},
		{"once, where nothing can be read", false, true, 5 * time.Minute, "1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, func(config *dsr.Config, _ *dsr.Submission) {
				folder := config.Destinations["folder"].Storage.(*storage.Folder)
				var dest storage.Destination = served{folder}
				if c.readable {
					dest = readable{served{folder}, folder}
				}
				config.Destinations = map[string]dsr.Destination{"folder": {Storage: dest}}
			})
			k.opts.Redirect = c.redirect
			s, token := k.serve(t), k.link(t, &dsr.LinkOptions{Once: c.once})
			method := http.MethodGet
			if c.once {
				method = http.MethodPost
				forms := "; form-action 'self'"
				if c.want != "" {
					forms += " https: http:"
				}
				require.True(t, strings.HasSuffix(s.ask(t, http.MethodGet, token).header.Get("Content-Security-Policy"), forms))
			}
			got := s.ask(t, method, token)
			if c.want == "" {
				require.Equal(t, http.StatusOK, got.status)
				require.Equal(t, k.content(t), got.body)
			} else {
				require.Equal(t, http.StatusSeeOther, got.status)
				require.Equal(t, "https://files.example/r1.json?for="+c.want+"&as=personal-data-r1.json", got.header.Get("Location"))
				require.Empty(t, got.body)
				require.Equal(t, "no-referrer", got.header.Get("Referrer-Policy"))
				require.NotContains(t, k.logs.String(), "files.example")
			}
			require.Equal(t, c.once, s.ask(t, method, token).status == http.StatusGone)
		})
	}
}

// odd is a destination whose file is read in another way.
type odd struct {
	*storage.Folder
	read func(storage.File) io.ReadSeeker
}

type oddFile struct {
	storage.File
	content io.ReadSeeker
}

func (f *oddFile) Read(p []byte) (int, error)               { return f.content.Read(p) }
func (f *oddFile) Seek(at int64, whence int) (int64, error) { return f.content.Seek(at, whence) }

func (o *odd) Open(ctx context.Context, name string) (storage.File, error) {
	f, err := o.Folder.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &oddFile{f, o.read(f)}, nil
}

func newOddDesk(t *testing.T, read func(storage.File) io.ReadSeeker) *desk {
	t.Helper()
	return newDesk(t, func(config *dsr.Config, _ *dsr.Submission) {
		folder := config.Destinations["folder"].Storage.(*storage.Folder)
		config.Destinations = map[string]dsr.Destination{"folder": {Storage: &odd{folder, read}}}
	})
}

// broken fails in the middle.
type broken struct{ io.ReadSeeker }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.ReadSeeker.Read(p[:1])
	if at, _ := b.Seek(0, io.SeekCurrent); at > 10 {
		return 0, errors.New("the disk is gone")
	}
	return n, err
}

// Whose download breaks off can tell, and the log says why.
func TestBrokenDownload(t *testing.T) {
	t.Parallel()
	k := newOddDesk(t, func(f storage.File) io.ReadSeeker { return broken{f} })
	got, err := k.serve(t).try(t.Context(), http.MethodGet, k.link(t, nil))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, k.content(t)[:10], got.body)
	require.Contains(t, k.logs.String(), `"level":"ERROR","msg":"a download broke off","request":"r1","error":"the disk is gone"`)
	require.NotContains(t, k.logs.String(), `"sent"`)
}

// zeros is a large file.
type zeros struct{ at, size int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.at >= z.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.size-z.at)
	clear(p[:n])
	z.at += n
	return int(n), nil
}

func (z *zeros) Seek(to int64, whence int) (int64, error) {
	z.at = to + map[int]int64{io.SeekStart: 0, io.SeekCurrent: z.at, io.SeekEnd: z.size}[whence]
	return z.at, nil
}

// discard counts what is sent to it.
type discard struct {
	header http.Header
	status int
	n      int64
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(p []byte) (int, error) {
	d.n += int64(len(p))
	return len(p), nil
}

// A package is sent from its file, whatever its size. The test runs alone, so
// that what the process allocates is its own.
func TestLargePackage(t *testing.T) {
	const size = 1 << 30
	k := newOddDesk(t, func(storage.File) io.ReadSeeker { return &zeros{size: size} })
	token := k.link(t, nil)
	h := download.New(k.engine, nil)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/"+token, http.NoBody)
	require.NoError(t, err)
	w := &discard{header: http.Header{}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(w, req)
	runtime.ReadMemStats(&after)
	require.Equal(t, http.StatusOK, w.status)
	require.EqualValues(t, size, w.n)
	require.Equal(t, strconv.Itoa(size), w.header.Get("Content-Length"))
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "of all that was ever allocated meanwhile")
}
