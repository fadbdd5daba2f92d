package dsr_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/fault"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/storage"
)

// shelf keeps files in memory. Hooks, by step, may fail, or do something first:
// "create", "write", "commit", "open" and "remove".
type shelf struct {
	mu    sync.Mutex
	files map[string][]byte
	hooks map[string]func() error
}

func newShelf() *shelf { return &shelf{files: map[string][]byte{}, hooks: map[string]func() error{}} }

func (s *shelf) at(step string, hook func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks[step] = hook
}

func (s *shelf) step(step string) error {
	s.mu.Lock()
	hook := s.hooks[step]
	s.mu.Unlock()
	if hook == nil {
		return nil
	}
	return hook()
}

func (s *shelf) names() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.files))
}

func (s *shelf) Create(_ context.Context, name string) (storage.Upload, error) {
	return &shelfUpload{shelf: s, name: name}, s.step("create")
}

func (s *shelf) Open(_ context.Context, name string) (storage.File, error) {
	if err := s.step("open"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return shelfFile{bytes.NewReader(data)}, nil
}

func (s *shelf) Remove(_ context.Context, name string) error {
	if err := s.step("remove"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files, name)
	return nil
}

type shelfUpload struct {
	bytes.Buffer
	shelf *shelf
	name  string
}

func (u *shelfUpload) Write(p []byte) (int, error) {
	if err := u.shelf.step("write"); err != nil {
		return 0, err
	}
	return u.Buffer.Write(p)
}

func (u *shelfUpload) Commit(context.Context) error {
	if err := u.shelf.step("commit"); err != nil {
		return err
	}
	u.shelf.mu.Lock()
	defer u.shelf.mu.Unlock()
	u.shelf.files[u.name] = u.Bytes()
	return nil
}

func (u *shelfUpload) Abort() error { return nil }

type shelfFile struct{ *bytes.Reader }

func (shelfFile) Close() error { return nil }

// newFiles is a desk whose files lie on a shelf.
func newFiles(t testing.TB, change func(*dsr.Config), forms ...manual.Form) (*office, *shelf) {
	t.Helper()
	s := newShelf()
	return newDesk(t, func(c *dsr.Config) {
		c.Files = s
		if change != nil {
			change(c)
		}
	}, forms...), s
}

// attached attaches a file to r1.
func (o *office) attached(t testing.TB, name, content string, include bool) dsr.FileInfo {
	t.Helper()
	info, err := o.engine.Attachments().Add(t.Context(), "r1", name, "text/plain", include, strings.NewReader(content), clerk)
	require.NoError(t, err)
	return info
}

// read reads a file of r1.
func (o *office) read(t testing.TB, id string) string {
	t.Helper()
	r, info, err := o.engine.Attachments().Open(t.Context(), "r1", id)
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, info.Size, int64(len(data)))
	require.Equal(t, info.SHA256, sha256Hex(data))
	return string(data)
}

// passportForm asks for a name, which may be told in a file, and for files.
func passportForm() manual.Form {
	return manual.Form{Key: "crm", Fields: []manual.Field{
		{PIIField: "name", Types: []manual.FieldType{manual.String, manual.File}}, {PIIField: "passport", Types: []manual.FieldType{manual.File}},
	}}
}

func TestAttachedFiles(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, textForm("crm", "a"))
	files, ctx := o.engine.Attachments(), t.Context()
	o.waiting(t, "access", "ada@example.com")
	first := o.attached(t, "first.txt", "CANARY one", true)
	second := o.attached(t, "second.txt", strings.Repeat("CANARY two", 100_000), false)
	empty := o.attached(t, "empty", "", false)
	require.Equal(t, dsr.FileInfo{
		ID: first.ID, Name: "first.txt", Type: "text/plain", Size: 10, SHA256: sha256Hex([]byte("CANARY one")), Include: true, Actor: "clerk-7", At: begin,
	}, first)
	list, err := files.List(ctx, "r1")
	require.NoError(t, err)
	require.Equal(t, []dsr.FileInfo{first, second, empty}, list)
	require.Equal(t, "CANARY one", o.read(t, first.ID))
	require.Len(t, o.read(t, second.ID), 1_000_000)
	require.Empty(t, o.read(t, empty.ID))
	require.Len(t, shelf.names(), 3)
	for name, data := range shelf.files {
		require.NotContains(t, string(data), "CANARY")
		require.Regexp(t, `^[0-9a-f]{32}\.sealed$`, name)
	}
	require.NoError(t, files.Remove(ctx, "r1", second.ID, clerk))
	require.Len(t, shelf.names(), 2)
	_, _, err = files.Open(ctx, "r1", second.ID)
	require.EqualError(t, err, "dsr: not found: request r1 has no such file")
	require.ErrorIs(t, files.Remove(ctx, "r1", second.ID, clerk), dsr.ErrNotFound)
	require.Equal(t, []string{
		"received policy=access", "started", "input required", "file attached by clerk-7", "file attached by clerk-7", "file attached by clerk-7", "file removed by clerk-7",
	}, o.trail(t, "r1"))

	// A sealed file that was changed, or put in another's place, is not read.
	shelf.files[first.ID+".sealed"], shelf.files[empty.ID+".sealed"] = shelf.files[empty.ID+".sealed"], shelf.files[first.ID+".sealed"]
	for _, id := range []string{first.ID, empty.ID} {
		r, _, err := files.Open(ctx, "r1", id)
		require.NoError(t, err)
		_, err = io.ReadAll(r)
		require.Error(t, err)
	}
	delete(shelf.files, first.ID+".sealed")
	_, _, err = files.Open(ctx, "r1", first.ID)
	require.EqualError(t, err, "dsr: not found: a file of request r1 was removed from Config.Files")
	require.ErrorIs(t, err, dsr.ErrNotFound)
}

// A file is in the package where it is to be included, or where a field names
// it, once each; it is there as it was attached, whatever its name.
func TestFilesInPackages(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, nil, passportForm())
	o.waiting(t, "access", "ada@example.com")
	a := o.attached(t, "../../etc/passwd", "of a", true)
	o.attached(t, "desk only", "of desk", false)
	b := o.attached(t, "same.txt", "of b", false)
	c := o.attached(t, "SAME.txt", "of b", true)
	o.attached(t, "con.\x00<b>é", "of d", true)
	upload := func(name, passport any) error {
		_, err := o.engine.Forms().Upload(t.Context(), "r1", "crm", graph.Access, map[string]any{"name": name, "passport": passport}, clerk)
		return err
	}
	commits := o.commits.Load()
	require.EqualError(t, upload("Ada", []string{a.ID, "11"}), "dsr: not found: the request has no file of that ID; attach the file first and give the ID that it gets")
	require.EqualError(t, upload("Ada", "text"), "manual: passport: Input should be a valid list")
	require.Equal(t, commits, o.commits.Load())
	require.NoError(t, upload([]string{b.ID}, []string{b.ID, a.ID, b.ID}))
	require.EqualError(t, o.engine.Attachments().Remove(t.Context(), "r1", b.ID, clerk), "dsr: the request was changed meanwhile: a field names the file; answer it anew first")
	require.Equal(t, `{"checked":true,"fields":{"name":["`+b.ID+`"],"passport":["`+b.ID+`","`+a.ID+`","`+b.ID+`"]}}`, o.viewed(t, "r1", "crm", graph.Access))
	o.resumed(t, "r1")
	o.advanced(t, "r1", dsr.StatusComplete)
	const inB, inA = `{"content_type":"text/plain","file_name":"same.txt","path":"attachments/same.txt","size":4}`, `{"content_type":"text/plain","file_name":"../../etc/passwd","path":"attachments/_.._etc_passwd","size":4}`
	require.Equal(t, `{"attachments":[`+
		`{"file_name":"same.txt","content_type":"text/plain","path":"attachments/same.txt","content":"b2YgYg==","size":4},`+
		`{"file_name":"../../etc/passwd","content_type":"text/plain","path":"attachments/_.._etc_passwd","content":"b2YgYQ==","size":4},`+
		`{"file_name":"SAME.txt","content_type":"text/plain","path":"attachments/SAME (2).txt","content":"b2YgYg==","size":4},`+
		`{"file_name":"con.\u0000\u003cb\u003eé","content_type":"text/plain","path":"attachments/_con.__b_é","content":"b2YgZA==","size":4}`+
		`],"crm":[{"name":[`+inB+`],"passport":[`+inB+`,`+inA+`,`+inB+`]}]}`, o.manualPart(t, "r1.json"))
	require.NotEqual(t, b.ID, c.ID)
	require.Empty(t, shelf.names(), "files go with the end of the request")
}

// What cannot be attached is refused, and leaves nothing.
func TestAttachmentsRefuse(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, func(c *dsr.Config) { c.Limits.FileBytes = 10; c.Flow.Finalization = true }, textForm("crm", "a"))
	files, ctx := o.engine.Attachments(), t.Context()
	o.waiting(t, "both", "ada@example.com")
	add := func(id, name, mediaType string, content io.Reader) error {
		info, err := files.Add(ctx, id, name, mediaType, false, content, clerk)
		if err != nil {
			require.Zero(t, info)
		}
		return err
	}
	text := func(n int) io.Reader { return strings.NewReader(strings.Repeat("x", n)) }
	require.NoError(t, add("r1", strings.Repeat("n", 1000), strings.Repeat("t", 1000), text(10)))
	const name = "dsr: request r1: a file needs a name, and may have a media type, both of valid UTF-8 text and at most 1000 bytes"
	const said = "dsr: request r1: a comment has at least one letter and at most 32000 bytes of valid UTF-8 text"
	for _, c := range []struct {
		err  error
		want string
	}{
		{add("r1", " ", "", text(1)), name},
		{add("r1", strings.Repeat("n", 1001), "", text(1)), name},
		{add("r1", "n\xff", "", text(1)), name},
		{add("r1", "n", strings.Repeat("t", 1001), text(1)), name},
		{add("r1", "n", "t\xff", text(1)), name},
		{add("r1", "n", "", text(11)), "dsr: request r1: a file has more than 10 bytes, which is Limits.FileBytes"},
		{add("r1", "n", "", io.MultiReader(text(5), errReader{})), "dsr: keep a file of request r1: the line is cut"},
		{add("r9", "n", "", text(1)), `memory: request "r9": dsr: not found`},
		{files.Comment(ctx, "r1", "", " \n", false, clerk), said},
		{files.Comment(ctx, "r1", "", strings.Repeat("c", 32_001), false, clerk), said},
		{files.Comment(ctx, "r1", "", "\xff", false, clerk), said},
		{files.Comment(ctx, "r1", "access/shop:orders", "c", false, clerk), `dsr: not found: request r1 has no task "access/shop:orders"`},
		{files.Comment(ctx, "r1", "", "c", false, dsr.By{Reason: strings.Repeat("r", 32_001)}), "dsr: request r1: the reason has more than 32000 bytes"},
	} {
		require.EqualError(t, c.err, c.want)
	}
	require.Error(t, add("r1", "n", "", panicReader{}))
	list, err := files.List(ctx, "r1")
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Len(t, shelf.names(), 1)
	require.NoError(t, files.Comment(ctx, "r1", "", strings.Repeat("c", 32_000), true, clerk))

	refused := func(status dsr.Status) {
		t.Helper()
		o.requireStatus(t, "r1", status)
		commits := o.commits.Load()
		want := "dsr: cannot change request r1: it is " + string(status) + "; files and comments can be added while it waits for somebody"
		for _, err := range []error{
			add("r1", "n", "", text(1)), files.Remove(ctx, "r1", list[0].ID, clerk), files.Comment(ctx, "r1", "", "c", true, clerk),
		} {
			require.EqualError(t, err, want)
			require.ErrorIs(t, err, dsr.ErrConflict)
		}
		require.Equal(t, commits, o.commits.Load())
	}
	require.NoError(t, o.engine.Forms().Disable(ctx, "crm", true))
	refused(dsr.StatusInProcessing)
	o.advanced(t, "r1", dsr.StatusRequiresFinalization)
	refused(dsr.StatusRequiresFinalization)
	o.done(t, o.Finalize, "r1", dsr.StatusComplete)
	refused(dsr.StatusComplete)
	o.done(t, o.Requests.Delete, "r1", dsr.StatusComplete)
	require.EqualError(t, add("r1", "n", "", text(1)), "dsr: the request was deleted: request r1")
	require.Empty(t, shelf.names())

	none := newDesk(t, nil)
	_, err = none.engine.Attachments().Add(ctx, "r1", "n", "", false, text(1), clerk)
	require.EqualError(t, err, "dsr: Config.Files says where attached files are kept; it is not set")
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("CANARY") }

// Files can be added before the work begins, and are there when it does; no
// limit means none.
func TestFilesBeforeTheWork(t *testing.T) {
	t.Parallel()
	o, shelf := newFiles(t, func(c *dsr.Config) { c.Flow.Approval = true; c.Limits.FileBytes = 1<<63 - 1 })
	o.submitted(t, submission("both", "ada@example.com"))
	o.attached(t, "letter.txt", "of the person", true)
	o.done(t, o.Approve, "r1", dsr.StatusApproved)
	o.attached(t, "ours.txt", "of ours", false)
	o.advanced(t, "r1", dsr.StatusComplete)
	require.Equal(t, `{"attachments":[{"file_name":"letter.txt","content_type":"text/plain","path":"attachments/letter.txt","content":"b2YgdGhlIHBlcnNvbg==","size":13}]}`, o.manualPart(t, "r1.json"))
	require.Empty(t, shelf.names())

	denied, shelf := newFiles(t, func(c *dsr.Config) { c.Flow.Approval = true })
	denied.submitted(t, submission("both", "ada@example.com"))
	denied.attached(t, "letter.txt", "of the person", true)
	denied.done(t, denied.Deny, "r1", dsr.StatusDenied)
	require.Empty(t, shelf.names())
}

// A process that dies with a request's end leaves nothing that the next one
// does not remove.
func TestFilesOfARequestThatDiesAtItsEnd(t *testing.T) {
	t.Parallel()
	for _, point := range []string{"delivered access", "before done", "at done"} {
		o, shelf := newFiles(t, nil, textForm("crm", "a"))
		o.waiting(t, "access", "ada@example.com")
		o.attached(t, "a.txt", "of a", true)
		o.uploads(t, "r1", "crm", `{"a":"1"}`)
		o.resumed(t, "r1")
		ctx, kill := context.WithCancel(t.Context())
		ctx = fault.WithHook(ctx, func(at string) {
			if at == point {
				kill()
			}
		})
		_, _ = o.Advance(ctx, "r1")
		kill()
		o.advanced(t, "r1", dsr.StatusComplete)
		require.Contains(t, o.manualPart(t, "r1.json"), `"content":"b2YgYQ=="`, point)
		require.Empty(t, shelf.names(), point)
	}
}
