package fides

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const tagDocument = "Document"

// nothingLoaded is the policy of files that no browser shows as a page.
const nothingLoaded = "default-src 'none'; frame-ancestors 'none'"

// documentRoutes are the document and its page.
func (d *Door) documentRoutes() []route {
	why := "It describes the API and holds no data."
	file := func(of func() (*staticFile, error)) endpoint {
		return typed(func(context.Context, *struct{}) (*staticFile, error) { return of() })
	}
	return []route{
		{
			method: "GET", path: "/openapi.json", public: why, id: "openapi_json", summary: "The OpenAPI 3.1 document", tag: tagDocument,
			media: []string{"application/json"},
			call:  file(func() (*staticFile, error) { return d.files.json, nil }),
		},
		{
			method: "GET", path: "/openapi.yaml", public: why, id: "openapi_yaml", summary: "The OpenAPI 3.1 document as YAML", tag: tagDocument,
			media: []string{"application/yaml"},
			call:  file(func() (*staticFile, error) { return d.files.yaml() }),
		},
		{
			method: "GET", path: "/docs", public: why, id: "docs", summary: "The page of the document", tag: tagDocument,
			media: []string{"text/html"},
			call:  file(func() (*staticFile, error) { return d.files.page, nil }),
		},
	}
}

// staticFile is a file that New made.
type staticFile struct {
	media, policy string
	body          []byte
	compressed    func() []byte // nil for none
}

func (f *staticFile) respond(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Content-Security-Policy", f.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Vary", "Accept-Encoding")
	body := f.body
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = f.compressed()
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, err := w.Write(body)
	return err
}

// newFile is a file that is compressed when it is first asked for so.
func newFile(media, policy string, body []byte) *staticFile {
	return &staticFile{media, policy, body, sync.OnceValue(func() []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, _ = z.Write(body) // a buffer takes all
		_ = z.Close()
		return out.Bytes()
	})}
}

// takesGzip reports whether a client says so.
func takesGzip(r *http.Request) bool {
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			_, value, _ := strings.Cut(weight, "=")
			q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return strings.TrimSpace(weight) == "" || err == nil && q > 0
		}
	}
	return false
}
