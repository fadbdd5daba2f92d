// Package storagetest checks that a [storage.Destination] keeps what the port
// promises, and what [storage.Remover], [storage.Opener] and [storage.Linker]
// promise where it is one. A destination's own test calls [Run]:
//
//	func TestDestination(t *testing.T) {
//		storagetest.Run(t, func() (storagetest.Place, error) {
//			return storagetest.Place{Destination: mydestination.New(...)}, nil
//		})
//	}
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/godsr/dsr/storage"
)

// Place is a destination under check.
type Place struct {
	// Destination is checked. It has no files yet. Required.
	Destination storage.Destination
	// Read returns what a file holds; [fs.ErrNotExist] if there is none.
	// Defaults to reading through the destination, which is then a
	// [storage.Opener].
	Read func(ctx context.Context, name string) ([]byte, error)
}

// Check is one promise of the ports.
type Check struct {
	// Name is short and unique.
	Name string
	// Explanation says what must hold, and is shown when it does not.
	Explanation string
	// Run returns an error that says what the destination did wrong. It
	// calls newPlace for a destination without files. What the destination
	// is not, as a Linker, is not checked.
	Run func(ctx context.Context, newPlace func() (Place, error)) error
}

// Checks returns all checks. They are independent of each other.
func Checks() []Check {
	return []Check{
		{"commit", "what was written is the file once it is committed, byte for byte, however it was cut up", on(committed)},
		{"empty", "a file to which nothing was written is empty", on(empty)},
		{"large", "files of many megabytes arrive whole", on(large)},
		{"not before", "nothing of an upload is visible before Commit, not even where an older file was", on(notBefore)},
		{"replace", "a committed upload takes the place of an older file, a longer one too", on(replaced)},
		{"abort", "nothing of an aborted upload becomes visible; Abort may come again", on(aborted)},
		{"abort after commit", "Abort does nothing after Commit", on(abortAfterCommit)},
		{"over", "an upload that is over refuses Write and Commit with ErrUploadOver", on(over)},
		{"names", "what CheckName refuses is refused, and not quoted", on(names)},
		{"odd names", "what CheckName accepts is a name, and differs from all others", on(oddNames)},
		{"canceled create", "nothing is created under a context that is over", on(canceledCreate)},
		{"canceled write", "once the context of Create has ended, the upload ends with an error and leaves nothing", on(canceledWrite)},
		{"canceled commit", "Commit under a context that is over fails, leaves nothing, and is the end of the upload", on(canceledCommit)},
		{"crowd", "many uploads run at once, and leave their own", on(crowd)},
		{"one winner", "of many uploads of one name that are committed at once, one is left, whole", on(oneWinner)},
		{"remove", "a removed file is gone, others stay, and the name can be used again", on(removed)},
		{"remove nothing", "to remove what is not there is no error", on(removeNothing)},
		{"open", "an opened file has its size and can be read from anywhere", on(opened)},
		{"open nothing", "a file that is not there is fs.ErrNotExist, and its name is not quoted", on(openNothing)},
		{"link", "a link serves the file, to be saved under the given name", on(linked)},
		{"forged link", "a link to one file serves no other, and none that was altered", on(forged)},
	}
}

// Run runs every check as a parallel subtest.
func Run(t *testing.T, newPlace func() (Place, error)) {
	t.Helper()
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			t.Parallel()
			if err := check.Run(t.Context(), newPlace); err != nil {
				t.Errorf("%v\nmust hold: %s", err, check.Explanation)
			}
		})
	}
}

// on runs a check on a new place.
func on(check func(ctx context.Context, p *Place) error) func(context.Context, func() (Place, error)) error {
	return func(ctx context.Context, newPlace func() (Place, error)) error {
		p, err := newPlace()
		if err != nil {
			return err
		}
		opener, ok := p.Destination.(storage.Opener)
		switch {
		case p.Read != nil:
		case !ok:
			return errors.New("the destination is no storage.Opener, and Place.Read is missing")
		default:
			p.Read = func(ctx context.Context, name string) ([]byte, error) { return readAll(ctx, opener, name) }
		}
		return check(ctx, &p)
	}
}

func readAll(ctx context.Context, o storage.Opener, name string) (data []byte, err error) {
	file, err := o.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(file)
}

// put uploads a file in pieces.
func (p *Place) put(ctx context.Context, name string, pieces ...string) error {
	up, err := p.start(ctx, name, pieces...)
	if err != nil {
		return err
	}
	if err := up.Commit(ctx); err != nil {
		return errors.Join(fmt.Errorf("Commit: %w", err), up.Abort())
	}
	return nil
}

// start begins the upload of a file.
func (p *Place) start(ctx context.Context, name string, pieces ...string) (storage.Upload, error) {
	up, err := p.Destination.Create(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("Create: %w", err)
	}
	for _, piece := range pieces {
		buf := []byte(piece)
		n, err := up.Write(buf)
		if err != nil || n != len(piece) {
			return nil, errors.Join(fmt.Errorf("Write took %d of %d bytes: %w", n, len(piece), err), up.Abort())
		}
		clear(buf) // the slice is the caller's again
	}
	return up, nil
}

// holds says what is wrong with a file.
func (p *Place) holds(ctx context.Context, name, want string) error {
	got, err := p.Read(ctx, name)
	switch {
	case err != nil:
		return fmt.Errorf("read a file that was committed: %w", err)
	case string(got) != want && len(want) > 100:
		return fmt.Errorf("the file has %d bytes, which are not the %d that were written", len(got), len(want))
	case string(got) != want:
		return fmt.Errorf("the file holds %.100q; want %q", got, want)
	}
	return nil
}

// lacks says that there is a file where there must be none.
func (p *Place) lacks(ctx context.Context, name string) error {
	got, err := p.Read(ctx, name)
	switch {
	case err == nil:
		return fmt.Errorf("there is a file, which holds %.100q; want none", got)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("read a file that must not be there: %w; want fs.ErrNotExist", err)
	}
	return nil
}
