package dsr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/godsr/dsr/storage"
)

// Downloads are the engine's verbs on links: a link lets whoever has it download
// one data package of a complete request, until it expires. Package
// adapters/download serves them over HTTP.
//
// A link is a token that the engine sealed with a key derived from the keyring's
// Lookup: all engines with that keyring and one store open each other's links.
// Nothing is stored for a link before it is opened, and nothing in a token can
// be read or changed without the keyring.
type Downloads struct {
	engine *Engine

	mu  sync.Mutex
	key []byte // that seals tokens, once it was derived
}

// OpenOptions say how a link is opened.
type OpenOptions struct {
	// Redirect asks for an address of the destination's own that is good
	// for this long, where the destination is a [storage.Linker]. One-time
	// links get one only where the destination is no [storage.Opener]. A
	// week is the most, and a destination that cannot make one is read
	// instead, where it can be. Defaults to Download.Content wherever that is possible, else to an
	// address that is good for a minute.
	Redirect time.Duration
}

const (
	redirectFor = time.Minute
	// maxRedirect is the longest that object stores sign.
	maxRedirect = 7 * 24 * time.Hour
	// openedAgain is how long a link may be opened again before the audit
	// trail is told again: a download that is resumed, or made in parts, is
	// one, and nobody can make the trail grow at will.
	openedAgain = time.Hour
)

// Download is a data package on its way to a person. It prints without the URL.
type Download struct {
	RequestID string
	// FileName is made for the person: personal-data-<request ID>, numbered
	// where the request has several packages, and the extensions of the
	// package. It tells nothing of rules and datasets.
	FileName string
	// ContentType is a media type.
	ContentType string
	// Size is in bytes, SHA256 the digest in hexadecimal digits.
	Size   int64
	SHA256 string
	// Once says that the link works once, Expires until when it does.
	Once    bool
	Expires time.Time
	// Elsewhere says that the destination cannot be read here: Open gives a
	// URL.
	Elsewhere bool
	// Linked says that the destination can give addresses of its own, under
	// which others read it: see OpenOptions.Redirect.
	Linked bool

	// Content is the package, to be closed by the caller, and URL where it
	// can be downloaded by whoever has that address. Open sets one of both.
	Content storage.File `json:"-"`
	URL     string       `json:"-"`
}

// heldFile keeps the destination open that it comes from.
type heldFile struct {
	storage.File
	done func()
}

func (f *heldFile) Close() error {
	defer f.done()
	return f.File.Close()
}

// Format implements [fmt.Formatter] for every verb without showing the URL,
// which lets everybody download the package.
func (d Download) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "{%s %s %s %d}", d.RequestID, d.FileName, d.ContentType, d.Size)
}

// LogValue implements [slog.LogValuer] without showing the URL.
func (d Download) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(d)) }

func (d *Download) close() error {
	if d.Content == nil {
		return nil
	}
	return d.Content.Close()
}

// Show tells what a link leads to by what the request's record says, without a
// look at the destination, and leaves a one-time link unused. Its errors
// are those of Open.
func (l *Downloads) Show(ctx context.Context, token string) (_ *Download, err error) {
	defer recovered(&err)
	_, _, d, err := l.look(ctx, token)
	return d, err
}

// Open opens the package that a link leads to, and uses a one-time link up: that
// is stored before Open returns, so that of many that open it at once, in
// whichever process, one succeeds. Whoever crashes before the package is sent
// has lost it, and the data subject needs a new link. opts may be nil.
//
// It is [ErrNotFound], with nothing more to learn, that the token was not made
// here or was changed; [ErrLinkExpired], [ErrLinkUsed], and [ErrPackageGone]
// where the package was removed or replaced, or its destination or the request
// removed. A [*RefusedError] over [ErrDeleted] or [ErrConflict] tells that the
// request was deleted, or is not complete, and [ErrUnavailable] that the
// destination cannot be used for now.
//
// The audit trail and the request's log are told, of a link that is opened
// often once an hour.
func (l *Downloads) Open(ctx context.Context, token string, opts *OpenOptions) (_ *Download, err error) {
	var d *Download
	defer func() {
		if err != nil && d != nil {
			_ = d.close()
		}
	}()
	defer recovered(&err)
	t, p, d, err := l.look(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := l.take(ctx, d, p, opts); err != nil {
		return nil, err
	}
	if err := l.opened(ctx, t); err != nil {
		return nil, err
	}
	return d, nil
}

// look checks a token and finds its package.
func (l *Downloads) look(ctx context.Context, token string) (*linkToken, *PackageOutcome, *Download, error) {
	t, err := l.unseal(ctx, token)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := t.works(l.engine.config.Clock()); err != nil {
		return nil, nil, nil, err
	}
	rec, err := l.engine.config.Store.Request(ctx, t.requestID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil, fmt.Errorf("%w: request %s was removed", ErrPackageGone, t.requestID)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	d, err := l.engine.draft(rec)
	if err != nil {
		return nil, nil, nil, err
	}
	res, n, err := l.parcelOf(d, t)
	if err != nil {
		return nil, nil, nil, err
	}
	p := &res.Packages[n]
	at, done, err := l.engine.destinationOf(ctx, p)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("dsr: open the package of request %s: %w", rec.ID, err)
	}
	done()
	if at == nil {
		return nil, nil, nil, lostPackage(rec.ID, p)
	}
	number := ""
	if len(res.Packages) > 1 {
		number = "-" + strconv.Itoa(n+1)
	}
	extensions := strings.TrimPrefix(p.Name, strings.TrimSuffix(p.Manifest, storage.ManifestSuffix))
	return t, p, &Download{
		RequestID: rec.ID, FileName: "personal-data-" + rec.ID + number + extensions, ContentType: contentType(extensions),
		Size: p.Bytes, SHA256: p.SHA256, Once: t.once, Expires: t.expires,
		Elsewhere: !opens(at), Linked: links(at),
	}, nil
}

// lostPackage says that a package cannot be had any more, wherever it may lie.
func lostPackage(requestID string, p *PackageOutcome) error {
	return fmt.Errorf("%w: request %s, whose destination %q was removed since", ErrPackageGone, requestID, p.Destination)
}

// contentType is the media type of files with the extension.
func contentType(extensions string) string {
	switch path.Ext(extensions) {
	case ".json":
		return "application/json"
	case ".zip":
		return "application/zip"
	}
	return "application/octet-stream"
}

func opens(d storage.Destination) bool { _, ok := d.(storage.Opener); return ok }
func links(d storage.Destination) bool { _, ok := d.(storage.Linker); return ok }

// take opens the package at its destination.
func (l *Downloads) take(ctx context.Context, d *Download, p *PackageOutcome, opts *OpenOptions) error {
	at, done, err := l.engine.destinationOf(ctx, p)
	switch {
	case err != nil:
		return fmt.Errorf("dsr: open the package of request %s: %w", d.RequestID, err)
	case at == nil:
		return lostPackage(d.RequestID, p)
	}
	defer func() {
		if d.Content == nil {
			done()
		}
	}()
	redirect := time.Duration(0)
	if opts != nil {
		redirect = opts.Redirect
	}
	if links(at) && (d.Elsewhere || redirect > 0 && !d.Once) {
		if redirect <= 0 || d.Once {
			redirect = redirectFor
		}
		redirect = min(redirect, maxRedirect, d.Expires.Sub(l.engine.config.Clock()))
		url, err := at.(storage.Linker).Link(ctx, p.Name, redirect, d.FileName)
		if err == nil {
			d.URL = url
			return nil
		}
		if d.Elsewhere || !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("dsr: link to the package of request %s at %s: %w", d.RequestID, p.Destination, err)
		}
	}
	opener, ok := at.(storage.Opener)
	if !ok {
		return fmt.Errorf("dsr: open the package of request %s: destination %q is neither a storage.Opener nor a storage.Linker", d.RequestID, p.Destination)
	}
	content, err := opener.Open(ctx, p.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: request %s, destination %s", ErrPackageGone, d.RequestID, p.Destination)
	}
	if err != nil {
		return fmt.Errorf("dsr: open the package of request %s at %s: %w", d.RequestID, p.Destination, err)
	}
	if d.Content = (&heldFile{content, done}); content.Size() != p.Bytes {
		return fmt.Errorf("%w: the file of request %s at %s has %d bytes, and %d were delivered", ErrPackageGone, d.RequestID, p.Destination, content.Size(), p.Bytes)
	}
	return nil
}
