package fides

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godsr/dsr"
)

const multipartForm = "multipart/form-data"

// encodedForm is taken where there are texts only.
const encodedForm = "application/x-www-form-urlencoded"

// maxFormText is how long one text of a form may be, in bytes: as long as a
// reason.
const maxFormText = 32_000

// maxFileName is how long the name of a file may be, in bytes.
const maxFileName = 1000

// fileTypes are the files that Fides takes, by the endings of their names, and
// their media types. What a caller says of the type is not believed.
func fileTypes() map[string]string {
	const office = "application/vnd.openxmlformats-officedocument."
	return map[string]string{
		".pdf": "application/pdf", ".doc": "application/msword", ".docx": office + "wordprocessingml.document", ".txt": "text/plain",
		".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".xls": "application/vnd.ms-excel",
		".xlsx": office + "spreadsheetml.sheet", ".csv": "text/csv", ".zip": "application/zip",
	}
}

// formReader reads a form part by part: files go where they belong while they
// arrive, and never lie anywhere unsealed.
type formReader struct {
	texts    map[string]bool // the names of texts that there may be
	files    string          // the name of files; none for ""
	repeated bool            // several files may come
	// file takes a file. It may look at what texts came before.
	file func(ctx context.Context, texts map[string]string, file *formFile) error
}

// formFile is a file that arrives.
type formFile struct {
	name, media string
	content     io.Reader
}

// read returns the texts of a form.
func (f *formReader) read(r *http.Request) (map[string]string, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == encodedForm {
		return f.encoded(r)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, refuse(http.StatusUnsupportedMediaType, "Content-Type must be %s with a boundary", multipartForm).with("Accept", multipartForm)
	}
	texts, files := map[string]string{}, 0
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return texts, nil
		}
		if err != nil {
			return nil, formBroken(err)
		}
		name := part.FormName()
		switch {
		case name == f.files && f.files != "":
			if files++; files > 1 && !f.repeated {
				return nil, invalid(valueFault("one file may be given", "body", name))
			}
			err = f.take(r.Context(), texts, part)
		case f.texts[name]:
			err = addText(texts, name, part)
		default:
			err = invalid(fault{"extra_forbidden", []any{"body", name}, "Extra inputs are not permitted"})
		}
		if err != nil {
			return nil, err
		}
	}
}

// encoded returns the texts of a form that has no files. Its route bounds the
// body.
func (f *formReader) encoded(r *http.Request) (map[string]string, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, formBroken(err)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, invalid(valueFault("the form is malformed or ends too early", "body"))
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !f.texts[name] {
			return nil, invalid(fault{"extra_forbidden", []any{"body", name}, "Extra inputs are not permitted"})
		}
		for _, text := range values[name] {
			if err := addText(texts, name, strings.NewReader(text)); err != nil {
				return nil, err
			}
		}
	}
	return texts, nil
}

// formBroken is what is wrong with a form that cannot be read.
func formBroken(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return invalid(valueFault("the form is malformed or ends too early", "body"))
}

func addText(texts map[string]string, name string, part io.Reader) error {
	if _, ok := texts[name]; ok {
		return invalid(valueFault("it may be given once", "body", name))
	}
	text, err := io.ReadAll(io.LimitReader(part, maxFormText+1))
	switch {
	case err != nil:
		return formBroken(err)
	case len(text) > maxFormText:
		return invalid(fault{"string_too_long", []any{"body", name}, "String should have at most 32000 bytes"})
	}
	if why := unfit("text", string(text)); why != "" {
		return invalid(valueFault(why, "body", name))
	}
	texts[name] = string(text)
	return nil
}

// take hands a file on.
func (f *formReader) take(ctx context.Context, texts map[string]string, part *multipart.Part) error {
	name := part.FileName()
	media := fileTypes()[strings.ToLower(path.Ext(name))]
	switch {
	case strings.TrimSpace(name) == "" || len(name) > maxFileName || !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return invalid(valueFault("a file needs a name of at most 1000 bytes", "body", f.files))
	case media == "":
		return invalid(valueFault("Files of this type are not taken; those that are end with csv, doc, docx, jpeg, jpg, pdf, png, txt, xls, xlsx and zip", "body", f.files))
	}
	return f.file(ctx, texts, &formFile{name: name, media: media, content: part})
}

// attach keeps a file of a request.
func (d *Door) attach(ctx context.Context, requestID string, file *formFile, include bool) (dsr.FileInfo, error) {
	source := &watchedReader{r: file.content}
	info, err := d.engine.Attachments().Add(ctx, requestID, file.name, file.media, include, source, by(ctx, ""))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return info, nil
	case errors.As(err, &large):
		return info, err
	case source.failed != nil:
		return info, formBroken(source.failed)
	}
	return info, paperFailure(requestID, err)
}

// watchedReader remembers why reading failed: then it is the form that broke off,
// and not the engine that refused the file.
type watchedReader struct {
	r      io.Reader
	failed error
}

func (c *watchedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}

// paperFailure tells why files, comments and answers are not taken.
func paperFailure(requestID string, err error) error {
	var refused *dsr.RefusedError
	switch {
	case errors.Is(err, dsr.ErrNoFiles):
		return refuse(http.StatusBadRequest, "This server takes no files.")
	case errors.Is(err, dsr.ErrLimit):
		return refuse(http.StatusRequestEntityTooLarge, "%s", withoutPackage(err))
	case errors.As(err, &refused):
		return refuse(http.StatusBadRequest, "%s", withoutPackage(refused))
	case errors.Is(err, dsr.ErrShredded):
		return refuse(http.StatusBadRequest, "The privacy request with id %s has ended: what people added to it is gone.", requestID)
	case errors.Is(err, dsr.ErrConflict):
		return refuse(http.StatusConflict, "Somebody else changed it meanwhile; look again.")
	}
	return requestFailure(requestID, err)
}
