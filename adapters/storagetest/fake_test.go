package storagetest_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godsr/dsr/adapters/storagetest"
	"github.com/godsr/dsr/storage"
)

// fake is a destination in memory that keeps every promise but one, which its
// fault names; none for an empty one.
type fake struct {
	fault  string
	server *httptest.Server

	mu     sync.Mutex
	files  map[string]string
	shared map[string]*bytes.Buffer // of uploads that get mixed up
}

// newPlace returns what makes fakes with a fault.
func newPlace(t *testing.T, fault string) func() (storagetest.Place, error) {
	return func() (storagetest.Place, error) {
		f := &fake{fault: fault, files: map[string]string{}, shared: map[string]*bytes.Buffer{}}
		f.server = httptest.NewServer(f)
		t.Cleanup(f.server.Close)
		return storagetest.Place{Destination: f}, nil
	}
}

// check is storage.CheckName.
func (f *fake) check(name string) error {
	if f.fault == "takes any name" {
		return nil
	}
	err := storage.CheckName(name)
	if err != nil && f.fault == "quotes names" {
		return fmt.Errorf("%q: %w", name, err)
	}
	return err
}

// stored is the name under which a file is kept.
func (f *fake) stored(name string) string {
	switch f.fault {
	case "unescapes names":
		if plain, err := url.PathUnescape(name); err == nil {
			return plain
		}
	case "cuts names":
		return name[:min(len(name), 2)]
	}
	return name
}

func (f *fake) Create(ctx context.Context, name string) (storage.Upload, error) {
	if err := ctx.Err(); err != nil && f.fault != "is deaf in Create" {
		return nil, err
	}
	if err := f.check(name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fault == "drops the older one in Create" {
		delete(f.files, f.stored(name))
	}
	u := &upload{f: f, name: f.stored(name), ended: ctx.Err, buf: &bytes.Buffer{}}
	key := ""
	switch f.fault {
	case "mixes up uploads of a name":
		key = name
		fallthrough
	case "mixes up uploads":
		if f.shared[key] == nil {
			f.shared[key] = u.buf
		}
		u.buf = f.shared[key]
	}
	return u, nil
}

type upload struct {
	f     *fake
	name  string
	ended func() error
	buf   *bytes.Buffer
	held  [][]byte
	over  bool
}

func (u *upload) Write(p []byte) (int, error) {
	if u.over && u.f.fault != "takes Write after the end" {
		return 0, storage.ErrUploadOver
	}
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	switch u.f.fault {
	case "keeps slices":
		u.held = append(u.held, p)
		return len(p), nil
	case "stops at 16 MiB":
		if u.buf.Len() >= 16<<20 {
			return len(p), nil
		}
	}
	u.buf.Write(p)
	if u.f.fault == "shows what is written" {
		u.f.files[u.name] = u.buf.String()
	}
	return len(p), nil
}

func (u *upload) Commit(ctx context.Context) error {
	if u.over && u.f.fault != "takes Commit after the end" {
		return storage.ErrUploadOver
	}
	u.over = true
	if u.ended() != nil && u.f.fault != "is deaf in Write" {
		return u.ended()
	}
	if ctx.Err() != nil && u.f.fault != "is deaf in Commit" {
		u.over = u.f.fault != "goes on after Commit failed"
		return ctx.Err()
	}
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	for _, p := range u.held {
		u.buf.Write(p)
	}
	content := u.buf.String()
	old, exists := u.f.files[u.name]
	switch {
	case u.f.fault == "loses the last byte" && content != "":
		content = content[:len(content)-1]
	case u.f.fault == "has no empty files" && content == "", u.f.fault == "keeps the older one" && exists:
		return nil
	case u.f.fault == "writes over the older one" && len(old) > len(content):
		content += old[len(content):]
	}
	u.f.files[u.name] = content
	return nil
}

func (u *upload) Abort() error {
	u.f.mu.Lock()
	defer u.f.mu.Unlock()
	switch {
	case u.f.fault == "commits in Abort" && !u.over:
		u.f.files[u.name] = u.buf.String()
	case u.f.fault == "removes in Abort":
		delete(u.f.files, u.name)
	case u.f.fault == "fails in a second Abort" && u.over:
		return storage.ErrUploadOver
	}
	u.over = true
	return nil
}

func (f *fake) Remove(_ context.Context, name string) error {
	if err := f.check(name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.fault {
	case "removes nothing":
		return nil
	case "removes too much":
		for other := range f.files {
			if strings.HasPrefix(other, name) {
				delete(f.files, other)
			}
		}
	case "misses what it removes":
		if _, ok := f.files[f.stored(name)]; !ok {
			return fs.ErrNotExist
		}
	}
	delete(f.files, f.stored(name))
	return nil
}

func (f *fake) Open(_ context.Context, name string) (storage.File, error) {
	if err := f.check(name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	content, ok := f.files[f.stored(name)]
	switch {
	case !ok && f.fault == "opens what is not there":
	case !ok && f.fault == "has words of its own":
		return nil, errors.New("no such file")
	case !ok && f.fault == "quotes what is not there":
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	case !ok:
		return nil, fs.ErrNotExist
	}
	return &file{strings.NewReader(content), f.fault}, nil
}

type file struct {
	*strings.Reader
	fault string
}

func (f *file) Size() int64 {
	if f.fault == "has the wrong size" {
		return int64(f.Len() + 1)
	}
	return f.Reader.Size()
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch {
	case f.fault == "seeks from the wrong end" && whence == io.SeekEnd:
		return f.Reader.Seek(-offset, whence)
	case f.fault == "seeks before the file" && offset < 0 && whence == io.SeekStart:
		return 0, nil
	}
	return f.Reader.Seek(offset, whence)
}

func (*file) Close() error { return nil }

func (f *fake) Link(_ context.Context, name string, expires time.Duration, fileName string) (string, error) {
	if err := f.check(name); err != nil {
		return "", err
	}
	query := url.Values{"name": {fileName}, "until": {time.Now().Add(expires).UTC().Format(time.RFC3339)}}
	query.Set("signature", f.sign(name, query))
	return f.server.URL + "/" + url.PathEscape(name) + "?" + query.Encode(), nil
}

func (f *fake) sign(name string, query url.Values) string {
	mac := hmac.New(sha256.New, []byte("secret"))
	if f.fault != "signs no name" {
		fmt.Fprintf(mac, "%q", name)
	}
	fmt.Fprintf(mac, "%q%q", query.Get("name"), query.Get("until"))
	return hex.EncodeToString(mac.Sum(nil))
}

// ServeHTTP follows links.
func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
	if query.Get("signature") != f.sign(name, query) && f.fault != "trusts every link" {
		http.Error(w, "forged", http.StatusForbidden)
		return
	}
	f.mu.Lock()
	content := f.files[name]
	f.mu.Unlock()
	switch f.fault {
	case "serves a page":
		content = "<a>download</a>"
	case "serves without a name":
		query.Set("name", name)
	}
	disposition := "attachment"
	if f.fault == "serves inline" {
		disposition = "inline"
	}
	w.Header().Set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": query.Get("name")}))
	_, _ = io.WriteString(w, content)
}
