package storage

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zip"
)

// archive writes the files of a package into one zip, one after the other.
// Entries are as large as they need to be (Zip64), and are compressed but for
// those that are so already.
type archive struct {
	buf     *bufio.Writer
	zip     *zip.Writer
	names   fileNames
	created time.Time
	keyed   *keyedWriter // encrypts each file; nil for none
	files   []*Attachment
}

func newArchive(w io.Writer, created time.Time, key []byte) (*archive, error) {
	buf := bufio.NewWriterSize(w, bufferSize)
	a := &archive{buf: buf, zip: zip.NewWriter(buf), created: created.UTC()}
	if key != nil {
		var err error
		if a.keyed, err = newKeyedWriter(nil, key); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// file ends the last file and starts the next, at a path that
// [fileNames.in] gave. The media type decides whether it is compressed.
func (a *archive) file(path, mediaType string) (io.Writer, error) {
	if err := a.endFile(); err != nil {
		return nil, err
	}
	method := zip.Deflate
	if a.keyed != nil || packed(mediaType) {
		method = zip.Store
	}
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: path, Method: method, Modified: a.created})
	if err != nil {
		return nil, fmt.Errorf("storage: write the package: %w", err)
	}
	if a.keyed == nil {
		return w, nil
	}
	a.keyed.start(w)
	return a.keyed, nil
}

func (a *archive) endFile() error {
	if a.keyed == nil {
		return nil
	}
	return a.keyed.Close()
}

// attach notes a file, which is written by attachments, and returns its path.
func (a *archive) attach(file *Attachment) string {
	a.files = append(a.files, file)
	return a.names.attachment(file.Name)
}

// attachments writes the noted files.
func (a *archive) attachments(ctx context.Context) error {
	if len(a.files) == 0 {
		return nil
	}
	buf := make([]byte, bufferSize)
	for i, file := range a.files {
		w, err := a.file(a.names.attached[i], file.mediaType())
		if err != nil {
			return err
		}
		if _, err := file.copyTo(ctx, w, buf); err != nil {
			return err
		}
	}
	return nil
}

// close ends the archive.
func (a *archive) close() error {
	if err := a.endFile(); err != nil {
		return err
	}
	err := a.zip.Close()
	if err == nil {
		err = a.buf.Flush()
	}
	if err != nil {
		return fmt.Errorf("storage: write the package: %w", err)
	}
	return nil
}

// packed reports whether files of a media type are compressed by themselves.
func packed(mediaType string) bool {
	kind, sub, _ := strings.Cut(strings.ToLower(mediaType), "/")
	switch kind {
	case "image":
		return !strings.HasPrefix(sub, "svg") && !strings.HasPrefix(sub, "bmp")
	case "audio", "video":
		return true
	case "application":
		sub, _, _ = strings.Cut(sub, ";")
		return sub == "zip" || sub == "gzip" || sub == "pdf" || strings.HasPrefix(sub, "vnd.openxmlformats")
	}
	return false
}
