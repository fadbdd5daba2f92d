package dsr

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// NewDirSpool returns a [Spool] in a local directory, which is created when it
// is first needed, for its owner only. An empty dir means one that belongs to
// the user under whom the process runs: [os.TempDir]/dsr-spool-<user id>. It is
// the same in each process, so that a process that is started again finds the
// parts of the one before, and removes them in the end. It is refused when
// something else stands in its place, or when others may look into it.
//
// Processes that share a directory must not share the ids of requests. The
// names of requests and parts do not show in the names of files, and no name
// leads outside of the directory. Nothing is synced to disk: after a power
// failure a part may be cut off, which the seal of its content shows.
func NewDirSpool(dir string) Spool {
	if dir != "" {
		return &dirSpool{dir: dir}
	}
	return &dirSpool{dir: filepath.Join(os.TempDir(), "dsr-spool-"+strconv.Itoa(os.Geteuid())), private: true}
}

type dirSpool struct {
	dir     string
	private bool // dir lies where others may write
}

// spoolTemp ends the names of parts that are still written.
const spoolTemp = ".tmp"

func (s *dirSpool) Create(ctx context.Context, requestID, part string) (io.WriteCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := s.root(true)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, spoolName(requestID))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, spoolError("create a directory", err)
	}
	path := filepath.Join(dir, spoolName(part))
	// Two writers of one part must not write into one file.
	temp := path + "-" + rand.Text() + spoolTemp
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, spoolError("create a part", err)
	}
	return &spoolWriter{file: file, temp: temp, path: path}, nil
}

func (s *dirSpool) Open(ctx context.Context, requestID, part string) (io.ReadCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := s.root(false)
	if err != nil {
		return nil, err
	}
	if root == "" {
		return nil, fmt.Errorf("dsr: spool: no such part: %w", ErrNotFound)
	}
	file, err := os.Open(filepath.Join(root, spoolName(requestID), spoolName(part)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dsr: spool: no such part: %w", ErrNotFound)
	}
	if err != nil {
		return nil, spoolError("open a part", err)
	}
	return file, nil
}

func (s *dirSpool) Remove(ctx context.Context, requestID string, parts ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	root, err := s.root(false)
	if err != nil || root == "" {
		return err
	}
	dir := filepath.Join(root, spoolName(requestID))
	if len(parts) == 0 {
		if err := os.RemoveAll(dir); err != nil {
			return spoolError("remove a request", err)
		}
		return nil
	}
	var faults []error
	for _, part := range parts {
		err := os.Remove(filepath.Join(dir, spoolName(part)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, spoolError("remove a part", err))
		}
	}
	return errors.Join(faults...)
}

// root returns the directory, or "" when it is not there and is not to be made.
// In a place where others may write, it is looked at each time.
func (s *dirSpool) root(create bool) (string, error) {
	if !s.private {
		return s.dir, nil
	}
	if create {
		if err := os.Mkdir(s.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", spoolError("create the private directory", err)
		}
	}
	info, err := os.Lstat(s.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !create:
		return "", nil
	case err != nil:
		return "", spoolError("look at the private directory", err)
	}
	var fault string
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		fault = "is a symbolic link"
	case !info.IsDir():
		fault = "is not a directory"
	case !ownedByUser(info):
		fault = "belongs to another user"
	case !closedToOthers(info):
		fault = fmt.Sprintf("has the permissions %#o, which let others in", info.Mode().Perm())
	default:
		return s.dir, nil
	}
	return "", fmt.Errorf("dsr: spool: the private directory %s %s; remove it, or name another directory with NewDirSpool", s.dir, fault)
}

// spoolName maps any name to one that is safe and short, and another name to
// another one.
func spoolName(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func spoolError(doing string, err error) error {
	return fmt.Errorf("dsr: spool: %s: %w", doing, err)
}

// spoolWriter shows its part once it is closed, if every write succeeded.
type spoolWriter struct {
	file       *os.File
	temp, path string
	err        error
	closed     bool
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	if err != nil {
		w.err = spoolError("write a part", err)
		w.discard()
	}
	return n, w.err
}

// discard leaves nothing of a part that failed, whether or not it is closed.
func (w *spoolWriter) discard() {
	w.closed = true
	_ = w.file.Close()
	_ = os.Remove(w.temp)
}

func (w *spoolWriter) Close() error {
	if w.closed {
		return w.err
	}
	w.closed = true
	if err := w.file.Close(); err != nil {
		w.err = spoolError("close a part", err)
	} else if err := os.Rename(w.temp, w.path); err != nil {
		w.err = spoolError("finish a part", err)
	}
	if w.err != nil {
		w.discard()
	}
	return w.err
}
