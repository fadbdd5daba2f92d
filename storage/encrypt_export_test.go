package storage

import (
	"io"
	"time"
)

// KeyedArchive writes a zip whose files are each encrypted with a key.
func KeyedArchive(w io.Writer, key []byte, files map[string]io.WriterTo, order ...string) error {
	a, err := newArchive(w, time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), key)
	if err != nil {
		return err
	}
	for _, name := range order {
		out, err := a.file(a.names.in("", name, ".csv"), "text/csv")
		if err != nil {
			return err
		}
		if _, err := files[name].WriteTo(out); err != nil {
			return err
		}
	}
	return a.close()
}
