package fides

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/godsr/dsr"
)

// commentView is a comment as it is shown.
type commentView struct {
	ID          string           `json:"id"`
	RequestID   string           `json:"privacy_request_id"`
	UserID      *string          `json:"user_id"`
	Username    *string          `json:"username"`
	FirstName   *string          `json:"user_first_name"`
	LastName    *string          `json:"user_last_name"`
	CreatedAt   *stamp           `json:"created_at"`
	Attachments []attachmentView `json:"attachments" nullable:"false" doc:"Always empty: files hang on the request."`
	Text        string           `json:"comment_text"`
	Type        string           `json:"comment_type" enum:"note"`
}

type commentPath struct {
	ID      string `json:"privacy_request_id" minLength:"1" maxLength:"200"`
	Comment string `json:"comment_id" minLength:"1" maxLength:"200"`
}

type oneComment struct{ Path commentPath }

// createComment takes a note. Fides reserves replies for later.
func (d *Door) createComment(ctx context.Context, in *requestForm) (*commentView, error) {
	if _, err := d.request(ctx, in.Path.ID); err != nil {
		return nil, err
	}
	form := &formReader{texts: map[string]bool{"comment_text": true, "comment_type": true}}
	texts, err := form.read(in.Request)
	if err != nil {
		return nil, err
	}
	var faults []fault
	for _, name := range []string{"comment_text", "comment_type"} {
		if _, ok := texts[name]; !ok {
			faults = append(faults, fault{"missing", []any{"body", name}, "Field required"})
		}
	}
	if err := invalid(append(faults, checkComment(texts)...)...); err != nil {
		return nil, err
	}
	who := by(ctx, "")
	if err := d.engine.Attachments().Comment(ctx, in.Path.ID, "", texts["comment_text"], false, who); err != nil {
		return nil, paperFailure(in.Path.ID, err)
	}
	list, err := d.engine.Attachments().Comments(ctx, in.Path.ID)
	if err != nil {
		return nil, paperFailure(in.Path.ID, err)
	}
	for i, c := range slices.Backward(list) { // others may have commented since, and said the same
		if c.Task == "" && c.Text == texts["comment_text"] && c.Actor == who.Actor {
			v := viewComment(in.Path.ID, i, &c)
			return &v, nil
		}
	}
	return nil, refuse(http.StatusNotFound, "The comment was removed with the end of the privacy request.")
}

// checkComment says what is wrong with a comment, where there is one.
func checkComment(texts map[string]string) (faults []fault) {
	if text, ok := texts["comment_text"]; ok && strings.TrimSpace(text) == "" {
		faults = append(faults, fault{"string_too_short", []any{"body", "comment_text"}, "String should have at least 1 character"})
	}
	if kind, ok := texts["comment_type"]; ok && kind != "note" {
		faults = append(faults, fault{"enum", []any{"body", "comment_type"}, "Input should be 'note'"})
	}
	return faults
}

// comments of a request. The ID of one is its place: none is ever removed by
// itself.
func (d *Door) comments(ctx context.Context, requestID string) ([]commentView, error) {
	if _, err := d.request(ctx, requestID); err != nil {
		return nil, err
	}
	list, err := d.engine.Attachments().Comments(ctx, requestID)
	if err != nil {
		return nil, paperFailure(requestID, err)
	}
	views := make([]commentView, len(list))
	for i, c := range list {
		views[i] = viewComment(requestID, i, &c)
	}
	return views, nil
}

func viewComment(requestID string, at int, c *dsr.Comment) commentView {
	return commentView{
		ID: "com_" + strconv.Itoa(at+1), RequestID: requestID, UserID: textOf(c.Actor), Username: textOf(c.Actor),
		CreatedAt: stampOf(c.At), Attachments: []attachmentView{}, Text: c.Text, Type: "note",
	}
}

func (d *Door) listComments(ctx context.Context, in *attachmentsInput) (*pageOfItems[commentView], error) {
	views, err := d.comments(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	return cutPage(views, in.Query), nil
}

func (d *Door) getComment(ctx context.Context, in *oneComment) (*commentView, error) {
	views, err := d.comments(ctx, in.Path.ID)
	if err != nil {
		return nil, err
	}
	for i := range views {
		if views[i].ID == in.Path.Comment {
			return &views[i], nil
		}
	}
	return nil, refuse(http.StatusNotFound, "No comment found with id '%s'.", in.Path.Comment)
}
