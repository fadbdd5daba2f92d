package fides

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
)

const tagAttachments = "Attachments and comments"

// The uses of a file.
const (
	useInternal = "internal_use_only"
	usePackage  = "include_with_access_package"
)

// attachmentRoutes are files and comments that people add to a request.
func (d *Door) attachmentRoutes() []route {
	const files, comments = "/plus/privacy-request/{privacy_request_id}/attachment", "/plus/privacy-request/{privacy_request_id}/comment"
	read, write := []string{oauth.ScopeRequestViewData}, []string{oauth.ScopeRequestUploadData}
	takes := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict}
	return []route{
		{
			method: "POST", path: files, scopes: write, status: http.StatusCreated, body: d.options.Limits.UploadBytes, timeout: time.Hour, accepts: []string{multipartForm},
			id: "create_attachment", summary: "Attach a file to a privacy request", tag: tagAttachments, errors: takes, form: attachmentForm{}, call: typed(d.createAttachment),
		},
		{
			method: "GET", path: files, scopes: read, id: "list_attachments", summary: "The files of a privacy request", tag: tagAttachments,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.listAttachments),
		},
		{
			method: "GET", path: files + "/{attachment_id}", scopes: read, id: "get_attachment", summary: "A file of a privacy request, and where its content is", tag: tagAttachments,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.getAttachment),
		},
		{
			method: "GET", path: files + "/{attachment_id}/content", scopes: read, id: "get_attachment_content", summary: "The content of a file", tag: tagAttachments,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, media: []string{"application/octet-stream"}, timeout: time.Hour, call: typed(d.openAttachment),
		},
		{
			method: "POST", path: comments, scopes: write, status: http.StatusCreated, accepts: []string{multipartForm},
			id: "create_comment", summary: "Comment on a privacy request, for the privacy desk only", tag: tagAttachments, errors: takes, form: commentForm{}, call: typed(d.createComment),
		},
		{
			method: "GET", path: comments, scopes: read, id: "list_comments", summary: "The comments on a privacy request", tag: tagAttachments,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.listComments),
		},
		{
			method: "GET", path: comments + "/{comment_id}", scopes: read, id: "get_comment", summary: "A comment on a privacy request", tag: tagAttachments,
			errors: []int{http.StatusBadRequest, http.StatusNotFound}, call: typed(d.getComment),
		},
	}
}

// attachmentForm describes the form of a file.
type attachmentForm struct {
	Type string `json:"attachment_type" enum:"internal_use_only,include_with_access_package" doc:"It must come before the file."`
	File string `json:"attachment_file" format:"binary" doc:"A file that ends with csv, doc, docx, jpeg, jpg, pdf, png, txt, xls, xlsx or zip."`
}

// commentForm describes the form of a comment.
type commentForm struct {
	Text string `json:"comment_text" doc:"At most 32000 bytes."`
	Type string `json:"comment_type" enum:"note"`
}

type requestForm struct {
	Path    requestPath
	Request *http.Request
}

type attachmentPath struct {
	ID         string `json:"privacy_request_id" minLength:"1" maxLength:"200"`
	Attachment string `json:"attachment_id" minLength:"1" maxLength:"200"`
}

type oneAttachment struct{ Path attachmentPath }

type attachmentsInput struct {
	Path  requestPath
	Query paging
}

// attachmentView is a file as it is shown.
type attachmentView struct {
	ID        string  `json:"id"`
	UserID    *string `json:"user_id"`
	Username  string  `json:"username"`
	FirstName *string `json:"user_first_name"`
	LastName  *string `json:"user_last_name"`
	Name      string  `json:"file_name"`
	Type      string  `json:"attachment_type"`
	Size      *int64  `json:"retrieved_attachment_size"`
	URL       *string `json:"retrieved_attachment_url" doc:"A path of this API, which takes a token."`
	CreatedAt *stamp  `json:"created_at"`
}

func viewAttachment(info *dsr.FileInfo) attachmentView {
	v := attachmentView{
		ID: info.ID, UserID: textOf(info.Actor), Username: info.Actor, Name: info.Name, Type: useInternal, Size: &info.Size, CreatedAt: stampOf(info.At),
	}
	if info.Include {
		v.Type = usePackage
	}
	return v
}

func (d *Door) createAttachment(ctx context.Context, in *requestForm) (*attachmentView, error) {
	if _, err := d.request(ctx, in.Path.ID); err != nil {
		return nil, err
	}
	var made *dsr.FileInfo
	form := &formReader{texts: map[string]bool{"attachment_type": true}, files: "attachment_file"}
	form.file = func(ctx context.Context, texts map[string]string, file *formFile) error {
		use, ok := texts["attachment_type"]
		switch {
		case !ok: // a file is sealed as it arrives, and what it is for with it
			return invalid(valueFault("it must be given, before the file", "body", "attachment_type"))
		case use != useInternal && use != usePackage:
			return invalid(fault{"enum", []any{"body", "attachment_type"}, "Input should be 'internal_use_only' or 'include_with_access_package'"})
		}
		info, err := d.attach(ctx, in.Path.ID, file, use == usePackage)
		if err == nil {
			made = &info
		}
		return err
	}
	_, err := form.read(in.Request)
	if err == nil && made == nil {
		err = invalid(fault{"missing", []any{"body", "attachment_file"}, "Field required"})
	}
	if err != nil {
		if made != nil {
			d.detach(ctx, in.Path.ID, made.ID)
		}
		return nil, err
	}
	v := viewAttachment(made)
	return &v, nil
}

// detach removes files of a form that was refused in the end.
func (d *Door) detach(ctx context.Context, requestID string, ids ...string) {
	ctx = context.WithoutCancel(ctx)
	for _, id := range ids {
		if err := d.engine.Attachments().Remove(ctx, requestID, id, by(ctx, "")); err != nil { // the end of the request removes it
			callOf(ctx).note(err)
		}
	}
}

func (d *Door) attachments(ctx context.Context, requestID string) ([]dsr.FileInfo, error) {
	if _, err := d.request(ctx, requestID); err != nil {
		return nil, err
	}
	infos, err := d.engine.Attachments().List(ctx, requestID)
	if err != nil {
		return nil, paperFailure(requestID, err)
	}
	return infos, nil
}

func (d *Door) listAttachments(ctx context.Context, in *attachmentsInput) (*pageOfItems[attachmentView], error) {
	infos, err := d.attachments(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	return pageFrom(infos, in.Query, func(info dsr.FileInfo) (attachmentView, error) { return viewAttachment(&info), nil })
}

func (d *Door) attachment(ctx context.Context, in *oneAttachment) (*dsr.FileInfo, error) {
	infos, err := d.attachments(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(infos, func(i dsr.FileInfo) bool { return i.ID == in.Path.Attachment })
	if at < 0 {
		return nil, noAttachment(in.Path.Attachment)
	}
	return &infos[at], nil
}

func (d *Door) getAttachment(ctx context.Context, in *oneAttachment) (*attachmentView, error) {
	info, err := d.attachment(ctx, in)
	if err != nil {
		return nil, err
	}
	v := viewAttachment(info)
	v.URL = textOf(d.options.Server + "/plus/privacy-request/" + url.PathEscape(in.Path.ID) + "/attachment/" + url.PathEscape(v.ID) + "/content")
	return &v, nil
}

func noAttachment(id string) error {
	return refuse(http.StatusNotFound, "No attachment found with id '%s'.", id)
}

func (d *Door) openAttachment(ctx context.Context, in *oneAttachment) (*download, error) {
	if methodOf(ctx) == http.MethodHead { // opens nothing
		info, err := d.attachment(ctx, in)
		if err != nil {
			return nil, err
		}
		return &download{name: info.Name, size: info.Size}, nil
	}
	if _, err := d.request(ctx, in.Path.ID); err != nil {
		return nil, err
	}
	content, info, err := d.engine.Attachments().Open(ctx, in.Path.ID, in.Path.Attachment)
	if errors.Is(err, dsr.ErrNotFound) {
		return nil, noAttachment(in.Path.Attachment)
	}
	if err != nil {
		return nil, paperFailure(in.Path.ID, err)
	}
	return &download{name: info.Name, size: info.Size, content: content}, nil
}
