package fides

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/godsr/dsr"
)

// openField finds the field of a path that is still to be filled in, and its
// task. Fides' calls do not say what somebody looked at: so that nobody
// overwrites what another answered, a field is filled in once.
func (d *Door) openField(ctx context.Context, path fieldPath) (*dsr.Task, *dsr.TaskField, error) {
	req, err := d.request(ctx, path.ID)
	if err != nil {
		return nil, nil, err
	}
	none := refuse(http.StatusNotFound, "No manual field found with id '%s'.", path.Field)
	name, err := base64.RawURLEncoding.DecodeString(path.Field)
	if err != nil {
		return nil, nil, none
	}
	task, key, _ := strings.Cut(string(name), "\n")
	t, err := d.engine.Tasks().Get(ctx, path.ID, task)
	switch {
	case errors.Is(err, dsr.ErrNotFound), errors.Is(err, dsr.ErrShredded):
		return nil, nil, none
	case err != nil:
		return nil, nil, err
	case !mayAnswer(ctx, t):
		return nil, nil, none
	}
	at := slices.IndexFunc(t.Fields, func(f dsr.TaskField) bool { return f.Key == key })
	if at < 0 {
		return nil, nil, none
	}
	if req.Status != dsr.StatusRequiresInput {
		return nil, nil, refuse(http.StatusBadRequest, "Manual fields cannot be completed or skipped now: privacy request '%s' status = %s.", path.ID, req.Status)
	}
	if _, done := t.Answers[key]; done {
		return nil, nil, refuse(http.StatusConflict, "The manual field was completed or skipped already.")
	}
	return t, &t.Fields[at], nil
}

func (d *Door) completeField(ctx context.Context, in *fieldForm) (*fieldState, error) {
	t, f, err := d.openField(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	var files []string
	form := &formReader{
		texts: map[string]bool{"field_value": true, "comment_text": true, "comment_type": true, "attachment_type": true}, files: "attachments", repeated: true,
	}
	form.file = func(ctx context.Context, _ map[string]string, file *formFile) error {
		if f.Type != dsr.TaskFile {
			return invalid(valueFault("the field takes no files", "body", "attachments"))
		}
		info, err := d.attach(ctx, in.Path.ID, file, false) // it is where its field is
		if err != nil {
			return err
		}
		if files = append(files, info.ID); info.Size == 0 {
			return invalid(valueFault("a file is empty. "+skipInstead, "body", "attachments"))
		}
		return nil
	}
	texts, err := form.read(in.Request)
	if err == nil {
		err = d.answer(ctx, t, f, texts, files)
	}
	if err != nil {
		d.detach(ctx, in.Path.ID, files...)
		return nil, err
	}
	return &fieldState{in.Path.Field, "completed"}, nil
}

// skipInstead tells whoever has nothing to answer what to do: a field is filled in
// once, for good.
const skipInstead = "Where there is nothing to tell, skip the field with a reason."

// answer fills in a field, and adds what was said of it.
func (d *Door) answer(ctx context.Context, t *dsr.Task, f *dsr.TaskField, texts map[string]string, files []string) error {
	value, faults := taskValue(f, texts, files)
	faults = append(faults, checkComment(texts)...)
	if use, ok := texts["attachment_type"]; ok && use != usePackage {
		faults = append(faults, fault{"enum", []any{"body", "attachment_type"}, "Input should be 'include_with_access_package'"})
	}
	if err := invalid(faults...); err != nil {
		return err
	}
	if comment, ok := texts["comment_text"]; ok { // before the answer, which may let the request go on
		if err := d.commentOnce(ctx, t, comment); err != nil {
			return paperFailure(t.RequestID, err)
		}
	}
	done, err := d.engine.Tasks().Answer(ctx, t.RequestID, t.ID, t.Revision, map[string]any{f.Key: value}, by(ctx, ""))
	return answerFailure(ctx, t.RequestID, done, err)
}

// commentOnce adds what was said of a task, unless the caller has just said it:
// the answer that came with it may have failed, and be sent again.
func (d *Door) commentOnce(ctx context.Context, t *dsr.Task, text string) error {
	who := by(ctx, "")
	said, err := d.engine.Attachments().Comments(ctx, t.RequestID)
	if err != nil {
		return err
	}
	if n := len(said); n > 0 && said[n-1].Task == t.ID && said[n-1].Actor == who.Actor && said[n-1].Text == text {
		return nil
	}
	return d.engine.Attachments().Comment(ctx, t.RequestID, t.ID, text, false, who)
}

// taskValue reads the value of a field.
func taskValue(f *dsr.TaskField, texts map[string]string, files []string) (value any, faults []fault) {
	text, given := texts["field_value"]
	switch {
	case f.Type == dsr.TaskFile && given:
		faults = append(faults, valueFault("the field takes files", "body", "field_value"))
	case f.Type == dsr.TaskFile && len(files) == 0:
		faults = append(faults, fault{"missing", []any{"body", "attachments"}, "Field required"})
	case f.Type == dsr.TaskFile:
		value = files
	case !given:
		faults = append(faults, fault{"missing", []any{"body", "field_value"}, "Field required"})
	case f.Type == dsr.TaskCheckbox:
		checked, err := strconv.ParseBool(strings.ToLower(text))
		if err != nil {
			faults = append(faults, fault{"bool_parsing", []any{"body", "field_value"}, "Input should be a valid boolean, unable to interpret input"})
		}
		value = checked
	case strings.TrimSpace(text) == "":
		faults = append(faults, valueFault("a text cannot be blank. "+skipInstead, "body", "field_value"))
	default:
		value = text
	}
	return value, faults
}

// answerFailure is nil where an answer was stored: the executor finds by itself
// what it was not told of.
func answerFailure(ctx context.Context, requestID string, done *dsr.Task, err error) error {
	switch {
	case err == nil:
		return nil
	case done != nil:
		callOf(ctx).note(err)
		return nil
	}
	return paperFailure(requestID, err)
}

func (d *Door) skipField(ctx context.Context, in *fieldForm) (*fieldState, error) {
	t, f, err := d.openField(ctx, in.Path)
	if err != nil {
		return nil, err
	}
	form := &formReader{texts: map[string]bool{"skip_reason": true}}
	texts, err := form.read(in.Request)
	if err != nil {
		return nil, err
	}
	reason, given := texts["skip_reason"]
	switch {
	case !given:
		return nil, invalid(fault{"missing", []any{"body", "skip_reason"}, "Field required"})
	case strings.TrimSpace(reason) == "":
		return nil, invalid(fault{"string_too_short", []any{"body", "skip_reason"}, "String should have at least 1 character"})
	}
	done, err := d.engine.Tasks().Skip(ctx, t.RequestID, t.ID, t.Revision, []string{f.Key}, by(ctx, reason))
	if err := answerFailure(ctx, t.RequestID, done, err); err != nil {
		return nil, err
	}
	return &fieldState{in.Path.Field, "skipped"}, nil
}
