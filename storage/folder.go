package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Uploads are written under names of this shape until they are committed,
// where the file system has no files without a name.
const (
	tempPrefix = ".dsr-upload-"
	tempSuffix = ".tmp"
)

// Folder is a [Destination] in a local directory. Files can be read by their
// owner only. Processes may share a folder. On Linux a process that dies leaves
// nothing of an unfinished upload; elsewhere, and on file systems without
// unnamed files, Sweep removes what it left.
type Folder struct {
	dir   string
	stale time.Duration
	now   func() time.Time
	named bool // gives every upload a name, for tests
}

// FolderOptions tune a [Folder].
type FolderOptions struct {
	// StaleAfter is how long nothing must have been written to an
	// uncommitted upload before [Folder.Sweep] takes it for one that a
	// crash left behind. Defaults to one hour.
	StaleAfter time.Duration
	// Now tells the time. Defaults to time.Now.
	Now func() time.Time
}

// NewFolder returns a destination in dir, which is created with the first
// upload, with permissions for its owner only, if it is missing. opts may be
// nil.
func NewFolder(dir string, opts *FolderOptions) *Folder {
	f := &Folder{dir: dir, stale: time.Hour, now: time.Now}
	if opts != nil {
		if opts.StaleAfter > 0 {
			f.stale = opts.StaleAfter
		}
		if opts.Now != nil {
			f.now = opts.Now
		}
	}
	return f
}

// Create implements [Destination]. Besides what [CheckName] refuses, a name
// must not look like that of an unfinished upload.
func (f *Folder) Create(ctx context.Context, name string) (Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkFile(name); err != nil {
		return nil, err
	}
	if err := makeDir(f.dir); err != nil {
		return nil, f.fail("create the folder", err)
	}
	u := &upload{folder: f, temp: filepath.Join(f.dir, tempPrefix+rand.Text()+tempSuffix), target: filepath.Join(f.dir, name)}
	u.ended = func() error { return context.Cause(ctx) }
	if !f.named {
		if file, err := openUnnamed(f.dir); err == nil {
			u.file, u.unnamed = file, file
			return u, nil
		}
	}
	file, err := os.OpenFile(u.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, f.fail("start an upload", err)
	}
	u.file = file
	return u, nil
}

// Remove implements [Remover].
func (f *Folder) Remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkFile(name); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fail("remove a file", err)
	}
	if err := syncDir(f.dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.fail("remove a file", err)
	}
	return nil
}

// Open implements [Opener]. What is no file of the folder itself, such as a link
// that leads out of it, is not opened.
func (f *Folder) Open(ctx context.Context, name string) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkFile(name); err != nil {
		return nil, err
	}
	path := filepath.Join(f.dir, name)
	if info, err := os.Lstat(path); err != nil {
		return nil, f.fail("open a file", err)
	} else if !info.Mode().IsRegular() {
		return nil, f.fail("open a file", errors.New("it is no regular file"))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, f.fail("open a file", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(f.fail("open a file", err), file.Close())
	}
	return &folderFile{File: file, size: info.Size()}, nil
}

// checkFile is CheckName for a folder: names of unfinished uploads are not those
// of files.
func checkFile(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if strings.HasPrefix(name, tempPrefix) {
		return fmt.Errorf("storage: the name cannot be used for a file: names that start with %q are those of unfinished uploads", tempPrefix)
	}
	return nil
}

type folderFile struct {
	*os.File
	size int64
}

// Size implements [File].
func (f *folderFile) Size() int64 { return f.size }

// Sweep removes what crashed uploads left in the folder and returns how many
// files those were. An upload that is still being written is left alone.
func (f *Folder) Sweep(ctx context.Context) (int, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, f.fail("list the folder", err)
	}
	removed := 0
	var faults []error
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		name := entry.Name()
		if !strings.HasPrefix(name, tempPrefix) || !strings.HasSuffix(name, tempSuffix) || !entry.Type().IsRegular() {
			continue
		}
		info, err := entry.Info()
		if err == nil && f.now().Sub(info.ModTime()) < f.stale {
			continue
		}
		if err == nil {
			err = os.Remove(filepath.Join(f.dir, name))
		}
		switch {
		case err == nil:
			removed++
		case !errors.Is(err, fs.ErrNotExist): // else it was committed or swept meanwhile
			faults = append(faults, f.fail("remove "+name, err))
		}
	}
	return removed, errors.Join(faults...)
}

// fail says what went wrong where. It drops the paths that the error of the
// operating system quotes: the name of a package may hold an identifier.
func (f *Folder) fail(doing string, err error) error {
	err = withoutPath(err)
	return fmt.Errorf("storage: folder %s: %s: %w", f.dir, doing, err)
}

// tempFile is what an upload needs of an [os.File].
type tempFile interface {
	io.WriteCloser
	Sync() error
}

type upload struct {
	folder       *Folder
	file         tempFile
	unnamed      *os.File // the file, where it has no name before Commit
	temp, target string
	ended        func() error // why the context of Create is over, if it is
	err          error        // why Commit must fail
	over         bool
}

func (u *upload) Write(p []byte) (int, error) {
	if u.over {
		return 0, ErrUploadOver
	}
	if u.err == nil {
		u.err = u.ended()
	}
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.file.Write(p)
	if err != nil {
		u.err = u.folder.fail("write", err)
	}
	return n, u.err
}

func (u *upload) Commit(ctx context.Context) error {
	if u.over {
		return ErrUploadOver
	}
	u.over = true
	err := u.err
	if err == nil {
		err = u.ended()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		if e := u.file.Sync(); e != nil {
			err = u.folder.fail("write to disk", e)
		}
	}
	placed := false
	if err == nil && u.unnamed != nil {
		placed, err = u.place()
	}
	if e := u.file.Close(); e != nil && err == nil {
		err = u.folder.fail("close", e)
	}
	if err == nil && !placed {
		if e := os.Rename(u.temp, u.target); e != nil {
			err = u.folder.fail("rename into place", e)
		}
	}
	if err != nil {
		_ = os.Remove(u.temp) // Sweep finds what cannot be removed now
		return err
	}
	if err := syncDir(u.folder.dir); err != nil {
		return u.folder.fail("the file is in place, but whether it survives a power failure is unknown", err)
	}
	return nil
}

// place names a file that has none: as its target, or, where that exists, for
// being renamed over it.
func (u *upload) place() (placed bool, err error) {
	err = giveName(u.unnamed, u.target)
	if errors.Is(err, fs.ErrExist) {
		err = giveName(u.unnamed, u.temp)
		return false, err
	}
	if err != nil {
		return false, u.folder.fail("move into place", err)
	}
	return true, nil
}

func (u *upload) Abort() error {
	if u.over {
		return nil
	}
	u.over = true
	_ = u.file.Close()
	if u.unnamed != nil {
		return nil
	}
	if err := os.Remove(u.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return u.folder.fail("remove an aborted upload", err)
	}
	return nil
}

// makeDir creates a directory and its missing parents durably.
func makeDir(dir string) error {
	info, err := os.Stat(dir)
	if err == nil {
		if !info.IsDir() {
			return errors.New("it is not a directory")
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
