package fides

import (
	"io"
	"mime"
	"net/http"
	"strconv"
)

// download is a file on its way. A browser saves it and never shows it: who made
// it is not who looks at it.
type download struct {
	name string
	// media defaults to application/octet-stream.
	media   string
	size    int64
	content io.ReadCloser // nil for HEAD
	url     string        // where it is instead, if not empty
}

func (f *download) respond(w http.ResponseWriter, r *http.Request) error {
	if f.url != "" {
		w.Header().Set("Location", f.url)
		w.WriteHeader(http.StatusFound)
		return nil
	}
	name := mime.FormatMediaType("attachment", map[string]string{"filename": f.name})
	if name == "" {
		name = "attachment"
	}
	media := f.media
	defaultTo(&media, "application/octet-stream")
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Disposition", name)
	w.Header().Set("Content-Length", strconv.FormatInt(f.size, 10))
	w.Header().Set("Referrer-Policy", "no-referrer") // its address may hold a token
	w.WriteHeader(http.StatusOK)
	if f.content == nil {
		return nil
	}
	defer func() { _ = f.content.Close() }() // it was only read
	if _, err := io.CopyN(w, f.content, f.size); err != nil {
		callOf(r.Context()).note(err)
		panic(http.ErrAbortHandler) //nolint:forbidigo // half a file must not look like a whole one
	}
	return nil
}
