package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Destination is where data packages are delivered to. It may be used from
// many goroutines at once [crowd].
//
// Package adapters/storagetest checks what a destination must do; the name of
// the check stands in brackets.
type Destination interface {
	// Create starts the upload of a file. The name is one that [CheckName]
	// accepts, and each is a file of its own [odd names]; another one must
	// be refused, here and below [names]. Under a context that is over, an
	// upload must not start [canceled create]. Whoever calls Create must
	// end the upload with Commit or Abort. When ctx ends, the upload must
	// end with an error, also a Write that is under way [canceled write].
	Create(ctx context.Context, name string) (Upload, error)
}

// Remover is a destination whose files can be removed, for those that expire.
type Remover interface {
	// Remove removes the file of that name [remove]. It is no error that
	// there is none [remove nothing].
	Remove(ctx context.Context, name string) error
}

// Opener is a destination whose files can be read again, so that the host can
// hand them over.
type Opener interface {
	// Open opens a file for reading [open]; [fs.ErrNotExist] if there is
	// none [open nothing].
	Open(ctx context.Context, name string) (File, error)
}

// File is a file of a destination that is read. It is used from one goroutine
// at a time.
type File interface {
	io.ReadSeekCloser
	// Size is in bytes.
	Size() int64
}

// Linker is a destination that serves its files itself, to whoever has a link
// that the destination signed.
type Linker interface {
	// Link returns an address under which the file can be downloaded until
	// it expires, named for the person as given [link], and nothing else
	// can [forged link]. Whether there is such a file is not checked.
	Link(ctx context.Context, name string, expires time.Duration, fileName string) (string, error)
}

// Upload is one file on its way to a destination. It is used from one
// goroutine at a time.
type Upload interface {
	// Write adds to the file, of any size [large]. After it failed once,
	// Commit must fail too.
	io.Writer
	// Commit makes everything written visible [commit], also if that is
	// nothing [empty], under the file's name at once and durably, and
	// nothing of it before [not before], in the place of an older file of
	// that name [replace]; of several at once one stays [one winner]. When
	// it fails, nothing of this upload is visible, except where the error
	// says otherwise, and the upload is over as after Abort [canceled
	// commit]. An upload that is over returns [ErrUploadOver] [over].
	Commit(ctx context.Context) error
	// Abort drops the upload: nothing of it becomes visible [abort]. It may
	// be called again, and does nothing after Commit [abort after commit],
	// so that it can be deferred.
	Abort() error
}

// MaxName is the longest name of a file in bytes.
const MaxName = 200

// ErrUploadOver is returned by an upload that was committed or aborted before.
var ErrUploadOver = errors.New("storage: the upload was committed or aborted already")

// CheckName reports why a name cannot be that of a package or a manifest. A
// name has 1 to [MaxName] bytes of valid UTF-8 without path separators,
// control characters and "..". The error does not quote the name, which may
// hold an identifier of a person.
func CheckName(name string) error {
	var faults []string
	if name == "" {
		faults = append(faults, "it is empty")
	}
	if len(name) > MaxName {
		faults = append(faults, fmt.Sprintf("it has %d bytes, more than %d", len(name), MaxName))
	}
	if strings.ContainsAny(name, `/\`) {
		faults = append(faults, "it holds a path separator")
	}
	if name == "." || strings.Contains(name, "..") {
		faults = append(faults, "it leads to a directory, or holds two dots in a row")
	}
	if !utf8.ValidString(name) {
		faults = append(faults, "it is not valid UTF-8")
	} else if strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.C, r) }) {
		faults = append(faults, "it holds control or invisible characters")
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("storage: the name cannot be used for a file: %s", strings.Join(faults, "; "))
}
