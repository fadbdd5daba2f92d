package download

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// kind is what a page says, in the log's words.
type kind string

const (
	unknown  kind = "unknown"
	expired  kind = "expired"
	used     kind = "used up"
	gone     kind = "package gone"
	notReady kind = "not ready"
	busy     kind = "too many"
	failed   kind = "failed"
)

// style is all there is: no script, no image, nothing from elsewhere.
const style = `:root{color-scheme:light dark}` +
	`body{margin:0;font:1.125rem/1.6 system-ui,sans-serif}` +
	`main{max-width:36rem;margin:0 auto;padding:2rem 1rem}` +
	`h1{font-size:1.75rem;line-height:1.25}` +
	`dt{font-weight:bold}dd{margin:0 0 .5rem;overflow-wrap:anywhere}` +
	`button{font:inherit;font-weight:bold;padding:.75rem 1.5rem;border:2px solid;border-radius:.5rem;background:#0b57d0;color:#fff;cursor:pointer}` +
	`:focus-visible{outline:3px solid;outline-offset:3px}`

const pageHTML = `<!DOCTYPE html>
<html lang="{{.Language}}"{{if .Texts.RightToLeft}} dir="rtl"{{end}}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Text.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<main>
<h1>{{.Text.Title}}</h1>
<p>{{.Text.Body}}</p>
{{- with .File}}
<dl>
<dt>{{$.Texts.File}}</dt><dd>{{.Name}}</dd>
<dt>{{$.Texts.Size}}</dt><dd>{{.Size}}</dd>
<dt>{{$.Texts.Until}}</dt><dd><time datetime="{{.Machine}}">{{.Until}}</time></dd>
</dl>
<form method="post"><button type="submit">{{$.Texts.Button}}</button></form>
{{- end}}
{{- if .Contact}}
<p>{{.Texts.Contact}} {{if .Link}}<a href="{{.Link}}">{{.Contact}}</a>{{else}}{{.Contact}}{{end}}</p>
{{- end}}
</main>
</body>
</html>
`

// view is what a page shows.
type view struct {
	Language string
	Texts    Texts
	Text     Text
	File     *fileView
	Contact  string
	Link     string // to the contact; "" for none
}

type fileView struct{ Name, Size, Machine, Until string }

// pages shows pages.
type pages struct {
	template      *template.Template
	policy        string // Content-Security-Policy but for forms
	texts         map[string]Texts
	contact, link string
}

func newPages(opts *Options) *pages {
	sum := sha256.Sum256([]byte(style))
	p := &pages{
		template: template.Must(template.New("page").Parse(pageHTML)),
		policy:   "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; frame-ancestors 'none'",
		texts:    map[string]Texts{fallback: English()},
		contact:  opts.Contact,
	}
	for tag, texts := range opts.Texts {
		p.texts[strings.ToLower(tag)] = texts.or(English())
	}
	switch {
	case strings.HasPrefix(p.contact, "https://"):
		p.link = p.contact
	case strings.Contains(p.contact, "@") && !strings.ContainsAny(p.contact, " <>:"):
		p.link = "mailto:" + p.contact
	}
	return p
}

// tell shows why there is nothing to download.
func (p *pages) tell(w http.ResponseWriter, r *http.Request, status int, which kind) {
	v := p.view(r)
	switch which {
	case unknown:
		v.Text = v.Texts.Unknown
	case expired:
		v.Text = v.Texts.Expired
	case used:
		v.Text = v.Texts.Used
	case gone:
		v.Text = v.Texts.Gone
	case notReady:
		v.Text = v.Texts.NotReady
	case busy:
		v.Text = v.Texts.Busy
	default:
		v.Text = v.Texts.Failed
	}
	p.write(w, status, v, "form-action 'none'")
}

// confirm asks before a one-time link is used up.
func (p *pages) confirm(w http.ResponseWriter, r *http.Request, d *dsr.Download) {
	v := p.view(r)
	v.Text = v.Texts.Confirm
	v.File = &fileView{
		Name: d.FileName, Size: size(d.Size),
		Machine: d.Expires.UTC().Format(time.RFC3339), Until: d.Expires.UTC().Format("2006-01-02 15:04 MST"),
	}
	forms := "form-action 'self'"
	if d.Elsewhere { // browsers hold a redirect after a form to the same rule
		forms = "form-action 'self' https: http:"
	}
	p.write(w, http.StatusOK, v, forms)
}

func (p *pages) view(r *http.Request) *view {
	language := preferred(strings.Join(r.Header.Values("Accept-Language"), ","), p.texts)
	return &view{Language: language, Texts: p.texts[language], Contact: p.contact, Link: p.link}
}

func (p *pages) write(w http.ResponseWriter, status int, v *view, forms string) {
	var page bytes.Buffer
	if err := p.template.Execute(&page, v); err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Security-Policy", p.policy+"; "+forms)
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", v.Language)
	header.Set("Content-Length", strconv.Itoa(page.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // nobody is left to tell
}

// size is a size as people read it.
func size(n int64) string {
	value, units := float64(n), []string{"kB", "MB", "GB", "TB"}
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	unit := 0
	for value /= 1000; value >= 999.95 && unit < len(units)-1; unit++ {
		value /= 1000
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
