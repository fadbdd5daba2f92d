package dsr

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godsr/dsr/internal/lifecycle"
	"github.com/godsr/dsr/internal/seal"
	"github.com/godsr/dsr/storage"
)

// Attachments are the engine's verbs on the files and comments that people add
// to a request. Files lie, sealed, at Config.Files until the request ends; then
// their key is shredded and they are removed.
type Attachments struct {
	engine *Engine
}

// Attachments returns the verbs on files and comments.
func (e *Engine) Attachments() *Attachments { return &Attachments{engine: e} }

// FileInfo is a file of a request. Name and Actor are personal: it prints
// without them.
type FileInfo struct {
	ID   string
	Name string
	// Type is its media type.
	Type string
	// Size is in bytes, SHA256 the digest of the content in hexadecimal
	// digits.
	Size   int64
	SHA256 string
	// Include puts it into the package of the request's first access rule;
	// without it, it is for the desk only.
	Include bool
	Actor   string
	At      time.Time
}

// Format implements [fmt.Formatter] for every verb without the name.
func (i FileInfo) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s %d}", i.ID, redacted, i.Size)
}

// MarshalJSON implements [json.Marshaler] without what is personal.
func (i FileInfo) MarshalJSON() ([]byte, error) {
	i.Name, i.Actor = "", ""
	type open FileInfo
	return json.Marshal(open(i))
}

// paperFile is a file as it is sealed.
type paperFile struct {
	ID      string    `json:"id"`
	Stored  string    `json:"stored"` // its name at Config.Files
	Name    string    `json:"name"`
	Type    string    `json:"type,omitempty"`
	Size    int64     `json:"size"`
	SHA256  string    `json:"sha256"`
	Include bool      `json:"include,omitempty"`
	By      openBy    `json:"by"`
	At      time.Time `json:"at"`
}

func (f *paperFile) info() FileInfo {
	return FileInfo{ID: f.ID, Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.SHA256, Include: f.Include, Actor: f.By.Actor, At: f.At}
}

// comment is what somebody said of a request or of a task.
type comment struct {
	Task    string    `json:"task,omitempty"`
	Text    string    `json:"text"`
	Include bool      `json:"include,omitempty"`
	By      openBy    `json:"by"`
	At      time.Time `json:"at"`
}

// file returns the file of an ID, or nil.
func (p *papers) file(id string) *paperFile {
	at := slices.IndexFunc(p.Files, func(f *paperFile) bool { return f.ID == id })
	if at < 0 {
		return nil
	}
	return p.Files[at]
}

// checkFiles refuses IDs of files that were not attached.
func (p *papers) checkFiles(ids []string) error {
	for _, id := range ids {
		if p.file(id) == nil {
			return fmt.Errorf("%w: the request has no file of that ID; attach the file first and give the ID that it gets", ErrNotFound)
		}
	}
	return nil
}

// Add attaches a file: its content is read to its end. It is named for people,
// and shown under that name in a package where include is set. Its ID is what
// file fields of forms and tasks take; a file that a field names is in the
// package with that field, whatever include says. Files can be added until the
// request ends, but not while it is being worked on ([ErrConflict]); beyond
// Limits.Files and Limits.FileBytes it is [ErrLimit].
func (a *Attachments) Add(ctx context.Context, requestID, name, mediaType string, include bool, content io.Reader, by By) (info FileInfo, err error) {
	defer recovered(&err)
	e := a.engine
	switch {
	case e.config.Files == nil:
		return info, ErrNoFiles
	case content == nil:
		return info, fmt.Errorf("dsr: request %s: the content of the file is nil; give a reader of it", requestID)
	case strings.TrimSpace(name) == "", len(name) > maxText, !utf8.ValidString(name), len(mediaType) > maxText, !utf8.ValidString(mediaType):
		return info, fmt.Errorf("dsr: request %s: a file needs a name, and may have a media type, both of valid UTF-8 text and at most %d bytes", requestID, maxText)
	}
	stored, err := e.fileName()
	if err != nil {
		return info, err
	}
	f := &paperFile{ID: stored, Stored: stored + ".sealed", Name: name, Type: mediaType, Include: include, By: openBy(by)}
	// What may come to lie there is known before it does.
	d, err := a.change(ctx, requestID, by, "", func(d *draft, p *papers) error {
		if limit := e.config.Limits.Files; len(p.Files) >= limit {
			return tooManyFiles(requestID, limit)
		}
		return d.editFiles(func(files []string) []string { return append(files, f.Stored) })
	})
	if err != nil {
		return info, err
	}
	key, err := newRun(e, &d.Record).key(ctx, keyManual)
	if err != nil {
		return info, err
	}
	if err := a.upload(ctx, requestID, key, f, content); err != nil {
		return info, errors.Join(err, a.abandon(context.WithoutCancel(ctx), requestID, f))
	}
	_, err = a.change(ctx, requestID, by, "file attached", func(d *draft, p *papers) error {
		switch now, err := newRun(e, &d.Record).key(ctx, keyManual); {
		case err != nil && !errors.Is(err, ErrShredded):
			return err
		case !bytes.Equal(now, key): // of a request that was resubmitted
			return fmt.Errorf("%w: request %s was begun anew while the file was attached; attach it again", ErrConflict, requestID)
		}
		if limit := e.config.Limits.Files; len(p.Files) >= limit { // others were attached meanwhile
			return tooManyFiles(requestID, limit)
		}
		f.At = d.now
		p.Files = append(p.Files, f)
		return nil
	})
	if err != nil {
		return info, errors.Join(err, a.abandon(context.WithoutCancel(ctx), requestID, f))
	}
	return f.info(), nil
}

func tooManyFiles(requestID string, limit int) error {
	return limitError(fmt.Sprintf("dsr: request %s has %d files, which is Limits.Files; remove some, or put them into one", requestID, limit))
}

// editFiles changes the names of files that may lie at Config.Files.
func (d *draft) editFiles(edit func([]string) []string) error {
	res, err := d.Record.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", d.Record.ID, err)
	}
	res.Files = edit(res.Files)
	d.Record.Outcomes, err = json.Marshal(&res)
	return err
}

// abandon removes what there is of a file that was not attached, and then
// forgets its name; where somebody works on the request just now, its end does.
func (a *Attachments) abandon(ctx context.Context, requestID string, f *paperFile) error {
	if err := a.engine.removeFile(ctx, f.Stored); err != nil {
		return err
	}
	_, err := a.change(ctx, requestID, By{}, "", func(d *draft, _ *papers) error {
		return d.editFiles(func(files []string) []string { return without(files, f.Stored) })
	})
	if err != nil {
		a.engine.config.Logger.InfoContext(ctx, "the name of a file that was not attached is forgotten later", "request", requestID)
	}
	return nil
}

func (e *Engine) fileName() (string, error) {
	random := make([]byte, 16)
	if _, err := io.ReadFull(e.config.Random, random); err != nil {
		return "", fmt.Errorf("dsr: name a file: %w", err)
	}
	return hex.EncodeToString(random), nil
}

// upload seals a file into its place.
func (a *Attachments) upload(ctx context.Context, requestID string, key []byte, f *paperFile, content io.Reader) error {
	up, err := a.engine.config.Files.Create(ctx, f.Stored)
	if err != nil {
		return fmt.Errorf("dsr: keep a file of request %s: %w", requestID, err)
	}
	defer func() { _ = up.Abort() }()
	w, err := seal.NewWriter(a.engine.config.Random, writeCloser{up}, key, bound(requestID, "file "+f.ID))
	if err != nil {
		return fmt.Errorf("dsr: seal a file of request %s: %w", requestID, err)
	}
	limit := a.engine.config.Limits.FileBytes
	sum := sha256.New()
	f.Size, err = io.Copy(io.MultiWriter(w, sum), io.LimitReader(content, max(limit, limit+1)))
	switch {
	case err != nil:
		return fmt.Errorf("dsr: keep a file of request %s: %w", requestID, err)
	case f.Size > limit:
		return limitError(fmt.Sprintf("dsr: request %s: a file has more than %d bytes, which is Limits.FileBytes", requestID, limit))
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if err := w.Close(); err != nil {
		return fmt.Errorf("dsr: seal a file of request %s: %w", requestID, err)
	}
	if err := up.Commit(ctx); err != nil {
		return fmt.Errorf("dsr: keep a file of request %s: %w", requestID, err)
	}
	return nil
}

type writeCloser struct{ io.Writer }

func (writeCloser) Close() error { return nil }

// change changes what people added to a request, while nobody works on it.
func (a *Attachments) change(ctx context.Context, requestID string, by By, action string, change func(*draft, *papers) error) (*draft, error) {
	if err := by.check(); err != nil {
		return nil, fmt.Errorf("dsr: request %s: %w", requestID, err)
	}
	return a.engine.requests.try(ctx, requestID, func(d *draft) error {
		status := d.Record.Status
		switch {
		case !d.Record.DeletedAt.IsZero():
			return fmt.Errorf("%w: request %s", ErrDeleted, requestID)
		case status == StatusInProcessing, lifecycle.Status(status).Ended(), status == StatusRequiresFinalization:
			return &RefusedError{
				RequestID: requestID, Status: status, Verb: "change",
				reason: "it is " + string(status) + "; files and comments can be added while it waits for somebody", cause: ErrConflict,
			}
		}
		p, err := d.papers(ctx)
		if err != nil {
			return err
		}
		if err := change(d, p); err != nil {
			return err
		}
		if err := d.setPapers(ctx, p); err != nil || action == "" {
			return err
		}
		return d.note(ctx, action, by.Actor, nil)
	})
}

// List returns the files of a request, in the order in which they came.
func (a *Attachments) List(ctx context.Context, requestID string) ([]FileInfo, error) {
	p, _, err := a.papers(ctx, requestID)
	if err != nil {
		return nil, err
	}
	infos := make([]FileInfo, len(p.Files))
	for i, f := range p.Files {
		infos[i] = f.info()
	}
	return infos, nil
}

func (a *Attachments) papers(ctx context.Context, requestID string) (*papers, *run, error) {
	rec, err := a.engine.config.Store.Request(ctx, requestID)
	if err != nil {
		return nil, nil, err
	}
	r := newRun(a.engine, rec)
	p, err := r.papers(ctx)
	return p, r, err
}

// Open reads a file. It is [ErrNotFound] where there is none, or none any more.
func (a *Attachments) Open(ctx context.Context, requestID, fileID string) (io.ReadCloser, FileInfo, error) {
	p, r, err := a.papers(ctx, requestID)
	if err != nil {
		return nil, FileInfo{}, err
	}
	f := p.file(fileID)
	if f == nil {
		return nil, FileInfo{}, fmt.Errorf("%w: request %s has no such file", ErrNotFound, requestID)
	}
	content, err := r.openFile(ctx, f)
	return content, f.info(), err
}

// openFile unseals a file.
func (r *run) openFile(ctx context.Context, f *paperFile) (io.ReadCloser, error) {
	opener, ok := r.engine.config.Files.(storage.Opener)
	if !ok {
		return nil, errors.New("dsr: Config.Files is not set any more, or cannot be read")
	}
	key, err := r.key(ctx, keyManual)
	if err != nil {
		return nil, err
	}
	sealed, err := opener.Open(ctx, f.Stored)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: a file of request %s was removed from Config.Files", ErrNotFound, r.id)
	}
	if err != nil {
		return nil, fmt.Errorf("dsr: open a file of request %s: %w", r.id, err)
	}
	return seal.NewReader(sealed, key, bound(r.id, "file "+f.ID))
}

// Remove drops a file, unless a field names it.
func (a *Attachments) Remove(ctx context.Context, requestID, fileID string, by By) error {
	stored := ""
	_, err := a.change(ctx, requestID, by, "file removed", func(_ *draft, p *papers) error {
		f := p.file(fileID)
		if f == nil {
			return fmt.Errorf("%w: request %s has no such file", ErrNotFound, requestID)
		}
		if p.named(fileID) {
			return fmt.Errorf("%w: a field names the file; answer it anew first", ErrConflict)
		}
		stored = f.Stored
		p.Files = slices.DeleteFunc(p.Files, func(f *paperFile) bool { return f.ID == fileID })
		return nil
	})
	if err != nil {
		return err
	}
	return a.engine.removeFile(ctx, stored)
}

// Comment says something about a request, or about one of its tasks where that
// is not empty. Where include is set it goes into the package.
func (a *Attachments) Comment(ctx context.Context, requestID, taskID, text string, include bool, by By) error {
	if strings.TrimSpace(text) == "" || len(text) > maxReason || !utf8.ValidString(text) {
		return fmt.Errorf("dsr: request %s: a comment has at least one letter and at most %d bytes of valid UTF-8 text", requestID, maxReason)
	}
	_, err := a.change(ctx, requestID, by, "commented", func(d *draft, p *papers) error {
		if taskID != "" && p.Tasks[taskID] == nil {
			return fmt.Errorf("%w: request %s has no task %q", ErrNotFound, requestID, taskID)
		}
		p.Comments = append(p.Comments, comment{Task: taskID, Text: text, Include: include, By: openBy(by), At: d.now})
		return nil
	})
	return err
}

// Comment is what somebody said of a request. It prints without it.
type Comment struct {
	Task    string // its ID; empty for the request as a whole
	Text    string
	Include bool
	Actor   string
	At      time.Time
}

// Format implements [fmt.Formatter] for every verb without what was said.
func (c Comment) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalJSON implements [json.Marshaler] without what was said.
func (c Comment) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Comments returns what was said of a request, oldest first.
func (a *Attachments) Comments(ctx context.Context, requestID string) ([]Comment, error) {
	p, _, err := a.papers(ctx, requestID)
	if err != nil {
		return nil, err
	}
	list := make([]Comment, len(p.Comments))
	for i, c := range p.Comments {
		list[i] = Comment{Task: c.Task, Text: c.Text, Include: c.Include, Actor: c.By.Actor, At: c.At}
	}
	return list, nil
}

// removeFiles removes the sealed files of a request whose key is shredded.
func (e *Engine) removeFiles(ctx context.Context, rec *Record) error {
	res, err := rec.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", rec.ID, err)
	}
	return e.removeNamed(ctx, res.Files)
}

func (e *Engine) removeNamed(ctx context.Context, files []string) error {
	var errs []error
	for _, stored := range files {
		errs = append(errs, e.removeFile(ctx, stored))
	}
	return errors.Join(errs...)
}

// removeLater puts the removal of a request's files into the change that shreds
// their key, for the case that whoever makes the change cannot do it afterwards.
func (d *draft) removeLater(ctx context.Context) error {
	res, err := d.Record.results()
	if err != nil {
		return fmt.Errorf("dsr: the stored outcomes of request %s cannot be read: %w", d.Record.ID, err)
	}
	if len(res.Files) == 0 {
		return nil
	}
	if err := d.post(ctx, &letter{Kind: letterFiles, Files: res.Files}, letterSecret{}, d.engine.claimUntil()); err != nil {
		return err
	}
	d.removal = &d.Messages[len(d.Messages)-1].Message
	return nil
}

// removeFile removes a sealed file.
func (e *Engine) removeFile(ctx context.Context, stored string) error {
	remover, ok := e.config.Files.(storage.Remover)
	if !ok {
		return errors.New("dsr: Config.Files is not set any more, or cannot remove files")
	}
	if err := remover.Remove(ctx, stored); err != nil {
		return fmt.Errorf("dsr: remove an attached file: %w", err)
	}
	return nil
}
