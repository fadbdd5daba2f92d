package fides

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/godsr/dsr"
)

// resultsView are links to the packages of a request.
type resultsView struct {
	URLs []string `json:"access_result_urls" nullable:"false"`
}

// incomplete tells that a request has no packages yet.
func incomplete(id string) error {
	return refuse(http.StatusBadRequest, "Access results for privacy request '%s' are not available because the request is not complete.", id)
}

// accessResults makes a link to each package.
func (d *Door) accessResults(ctx context.Context, in *oneRequest) (*resultsView, error) {
	if !d.options.AccessResults {
		return nil, refuse(http.StatusForbidden, "Access results download is disabled.")
	}
	req, err := d.request(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	if req.Status != dsr.StatusComplete {
		return nil, incomplete(req.ID)
	}
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	v := &resultsView{URLs: []string{}}
	for _, p := range req.Packages {
		if to := defs.Destinations[p.Destination]; to != nil && to.Type == localType {
			v.URLs = append(v.URLs, localResults)
			continue
		}
		url, err := d.resultURL(ctx, req.ID, p.Rule)
		switch {
		case errors.Is(err, dsr.ErrPackageGone):
			continue
		case err != nil:
			return nil, requestFailure(req.ID, err)
		}
		v.URLs = append(v.URLs, url)
	}
	return v, nil
}

// localType is the type of destinations of which Fides gives no links, and
// localResults what it says instead.
const (
	localType    = "local"
	localResults = "your local fides_uploads folder"
)

// redirectFor is how long the address of an object store is good that a download
// is sent to.
const redirectFor = 5 * time.Minute

// resultURL is an address of a package: the destination's own, where it can sign
// one, else one of this door.
func (d *Door) resultURL(ctx context.Context, id, rule string) (string, error) {
	token, expires, err := d.engine.Downloads().Link(ctx, id, rule, &dsr.LinkOptions{By: by(ctx, "")})
	if err != nil {
		return "", err
	}
	shown, err := d.engine.Downloads().Show(ctx, token)
	if err != nil {
		return "", err
	}
	if shown.Linked {
		opened, err := d.engine.Downloads().Open(ctx, token, &dsr.OpenOptions{Redirect: expires.Sub(d.options.Clock())})
		if err != nil {
			return "", err
		}
		if opened.URL != "" {
			return opened.URL, nil
		}
		_ = opened.Content.Close() // it could sign none
	}
	return d.options.Server + "/privacy-request/" + url.PathEscape(id) + "/access-package?token=" + url.QueryEscape(token), nil
}

type packageInput struct {
	Path  requestPath
	Query struct {
		Token string `json:"token" minLength:"1" maxLength:"4000"`
	}
}

// accessPackage sends the package that a link leads to, or where it is.
func (d *Door) accessPackage(ctx context.Context, in *packageInput) (*download, error) {
	shown, err := d.engine.Downloads().Show(ctx, in.Query.Token)
	var refused *dsr.RefusedError
	if err == nil && shown.RequestID != in.Path.ID || errors.As(err, &refused) && refused.RequestID != in.Path.ID {
		return nil, refuse(http.StatusForbidden, "Download token does not grant access to this privacy request")
	}
	var opened *dsr.Download
	if err == nil && methodOf(ctx) == http.MethodHead { // uses nothing up
		return packageFile(shown), nil
	}
	if err == nil {
		opened, err = d.engine.Downloads().Open(ctx, in.Query.Token, &dsr.OpenOptions{Redirect: redirectFor})
	}
	switch {
	case err == nil:
		return packageFile(opened), nil
	case errors.Is(err, dsr.ErrLinkExpired), errors.Is(err, dsr.ErrLinkUsed):
		return nil, refuse(http.StatusUnauthorized, "Download token has expired").with("WWW-Authenticate", "Bearer")
	case errors.Is(err, dsr.ErrDeleted):
		return nil, requestFailure(in.Path.ID, err)
	case errors.As(err, &refused):
		return nil, incomplete(in.Path.ID)
	case errors.Is(err, dsr.ErrPackageGone):
		return nil, refuse(http.StatusNotFound, "No access results found for privacy request '%s'.", in.Path.ID)
	case errors.Is(err, dsr.ErrNotFound):
		return nil, refuse(http.StatusUnauthorized, "Invalid download token format").with("WWW-Authenticate", "Bearer")
	}
	return nil, err
}

// packageFile is a package as it is sent: JSON, too, as bytes, since it may be
// encrypted.
func packageFile(p *dsr.Download) *download {
	f := &download{name: p.FileName, size: p.Size, url: p.URL}
	if p.Content != nil { // not a nil one of another type
		f.content = p.Content
	}
	if p.ContentType == "application/zip" {
		f.media = p.ContentType
	}
	return f
}
