package dsr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/value"
	"github.com/godsr/dsr/manual"
	"github.com/godsr/dsr/redact"
	"github.com/godsr/dsr/storage"
)

// Keys of packages that are taken for files and comments.
const (
	attachmentsKey = "attachments"
	commentsKey    = "comments"
)

// manualCollection is what people answered outside of the data map, on its way
// into a package.
type manualCollection struct {
	key     string
	shown   *redact.Name // of the key
	fields  *redact.Name // below which its labels are
	columns []string
	rows    []manual.Entries
}

// manualCollections are what goes into the package of the first access rule
// besides the data map: uploads to forms, whatever the form is like by now, and
// comments that are meant for it.
func (p *papers) manualCollections() []*manualCollection {
	var list []*manualCollection
	for _, key := range slices.Sorted(maps.Keys(p.Forms)) {
		up := p.Forms[key]
		if up.Action != graph.Access {
			continue
		}
		c := &manualCollection{key: up.Form}
		if row := up.Upload.Row(nil); len(row) > 0 {
			c.rows = append(c.rows, row)
			for _, v := range row {
				c.columns = append(c.columns, v.Label)
			}
		}
		list = append(list, c)
	}
	said := &manualCollection{key: commentsKey, columns: []string{"comment", "time"}}
	for _, c := range p.Comments {
		if c.Include {
			said.rows = append(said.rows, manual.Entries{{Label: "comment", Value: c.Text}, {Label: "time", Value: c.At.Format(time.RFC3339)}})
		}
	}
	if len(said.rows) > 0 {
		list = append(list, said)
	}
	return list
}

// surveyManual adds the names of what people answered to those that are shown.
func (r *run) surveyManual() {
	names := r.shown.names
	for _, c := range r.manual {
		c.shown = names.Add(nil, c.key, redact.Default)
		c.fields = names.Add(c.shown, "", redact.Keep)
		for _, column := range c.columns {
			names.Add(c.fields, column, redact.Default)
		}
	}
}

// writeManual writes what people answered, and attaches their files.
func (r *run) writeManual(p *parcel, out storage.Writer) (told []storage.ManifestCollection, err error) {
	slices.SortFunc(r.manual, func(a, b *manualCollection) int { return storage.CompareKeys(a.shown.String(), b.shown.String()) })
	for _, c := range r.manual {
		show := &storage.Collection{Dataset: c.shown.String()}
		for _, column := range c.columns {
			show.Columns = append(show.Columns, storage.Column{Path: []string{r.shown.names.Add(c.fields, column, redact.Default).String()}})
		}
		if err := out.Collection(show); err != nil {
			return nil, err
		}
		for _, row := range c.rows {
			line, err := r.manualRow(p, c, row)
			if err != nil {
				return nil, err
			}
			if err := out.Row(line); err != nil {
				return nil, err
			}
		}
		told = append(told, storage.ManifestCollection{Address: show.Dataset, State: storage.StateDone, Rows: int64(len(c.rows))})
	}
	for _, f := range r.answers.Files {
		if f.Include {
			if _, err := p.attached(f); err != nil {
				return nil, err
			}
		}
	}
	return told, nil
}

// manualRow is a row as JSON, its fields in the order of the form.
func (r *run) manualRow(p *parcel, c *manualCollection, row manual.Entries) ([]byte, error) {
	dst := []byte{'{'}
	for i, f := range row {
		v := f.Value
		if ids, ok := v.([]any); ok {
			files := make([]any, 0, len(ids))
			for _, id := range ids {
				file, err := r.attachedRow(p, fmt.Sprint(id))
				if err != nil {
					return nil, err
				}
				files = append(files, file)
			}
			v = files
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(value.AppendJSONString(dst, r.shown.names.Add(c.fields, f.Label, redact.Default).String()), ':')
		dst = value.AppendJSON(dst, v)
	}
	return append(dst, '}'), nil
}

// attachedRow attaches a file and returns what a row tells of it.
func (r *run) attachedRow(p *parcel, id string) (map[string]any, error) {
	f := r.answers.file(id)
	if f == nil {
		return nil, errors.New("dsr: a file that was answered is not there any more")
	}
	path, err := p.attached(f)
	if err != nil {
		return nil, err
	}
	return f.row(path), nil
}

// attached puts a file into the package once, and returns where it is there.
func (p *parcel) attached(f *paperFile) (string, error) {
	if path, ok := p.paths[f.ID]; ok {
		return path, nil
	}
	path, err := p.attach(f)
	if err == nil {
		p.paths[f.ID] = path
	}
	return path, err
}

// attachment is a sealed file as packages take it.
func (r *run) attachment(f *paperFile) *storage.Attachment {
	return &storage.Attachment{Name: f.Name, Type: f.Type, Open: func(ctx context.Context) (io.ReadCloser, error) {
		return r.openFile(ctx, f)
	}}
}

// dropUnasked leaves out the columns that people were not asked for, such as
// those that stand for what is asked for erasures only: they would be null, as
// if somebody had found nothing.
func (r *run) dropUnasked(s *step, w *rowMaker) {
	t := r.answers.Tasks[taskID(graph.Access, s.Address())]
	if t == nil {
		return
	}
	w.columns = slices.DeleteFunc(w.columns, func(c rowColumn) bool {
		column := s.columns[c.at]
		fed := func(in graph.Input) bool {
			return slices.ContainsFunc(in.Fields, func(p graph.Path) bool { return p.Column() == column })
		}
		return t.field(column) == nil && !slices.ContainsFunc(s.Inputs, fed)
	})
}

// withFiles puts the paths of attached files into a spooled row of answers. The
// columns of files hold lists of objects whose path is the file's ID. Files of
// columns that the rule does not select stay out of its package.
func (r *run) withFiles(s *step, p *parcel, w *rowMaker, record []byte) ([]byte, error) {
	t := r.answers.Tasks[taskID(graph.Access, s.Address())]
	at, err := s.splitInto(nil, record)
	if err != nil || t == nil {
		return record, err
	}
	var out []byte
	for i, column := range s.columns {
		v, _, err := value.Decode(at[i])
		if err != nil {
			return nil, s.damaged(err)
		}
		picked := slices.ContainsFunc(w.columns, func(c rowColumn) bool { return c.at == i })
		if f := t.field(column); picked && f != nil && f.Type == TaskFile {
			list, _ := v.([]any)
			for n, e := range list {
				file, _ := e.(map[string]any)
				if list[n], err = r.attachedRow(p, fmt.Sprint(file["path"])); err != nil {
					return nil, err
				}
			}
		}
		if out, err = value.Append(out, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}
