package storage

import (
	"io"
	"syscall"
)

// Named makes a folder give every upload a name, as it does where there are no
// unnamed files.
func Named(f *Folder) *Folder {
	f.named = true
	return f
}

// FillDisk makes every write of an upload that goes beyond room bytes fail as
// a full disk does, and its Sync too when room is negative.
func FillDisk(u Upload, room int) {
	up := u.(*upload)
	up.file = &fullDisk{tempFile: up.file, room: room}
}

type fullDisk struct {
	tempFile
	room int
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if f.room < 0 || len(p) <= f.room {
		if f.room >= 0 {
			f.room -= len(p)
		}
		return f.tempFile.Write(p)
	}
	n, _ := f.tempFile.Write(p[:f.room])
	f.room -= n
	return n, syscall.ENOSPC
}

func (f *fullDisk) Sync() error {
	if f.room < 0 {
		return syscall.EIO
	}
	return f.tempFile.Sync()
}

var _ io.Writer = (*fullDisk)(nil)

// BuiltInTexts are the texts of HTML packages by language.
func BuiltInTexts() map[string]Texts { return builtInTexts() }

// HTMLAllPages writes the way to the pages of a collection.
func HTMLAllPages(w io.Writer, pages int, rows int64) error {
	texts, lang := textsFor(nil, "")
	return newHTMLPages(&HTML{}, &About{}, &texts, lang).all(w, &htmlCollection{pages: pages, Rows: rows})
}
