package dsr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/internal/seal"
	"github.com/godsr/dsr/manual"
)

// keyManual seals what people answered. It goes with the end of the request.
const keyManual = "manual"

// papers are all that people were asked for a request and answered, as they are
// sealed in Record.Manual.
type papers struct {
	// Forms holds the last upload to each form, by action and form.
	Forms map[string]*paper `json:"forms,omitempty"`
	// Tasks are by ID.
	Tasks    map[string]*paperTask `json:"tasks,omitempty"`
	Files    []*paperFile          `json:"files,omitempty"`
	Comments []comment             `json:"comments,omitempty"`
}

// paper is an upload to a form.
type paper struct {
	Form   string         `json:"form"`
	Action graph.Action   `json:"action"`
	Upload *manual.Upload `json:"upload"`
	By     openBy         `json:"by"`
	At     time.Time      `json:"at"`
}

// openBy is a By as it is sealed.
type openBy struct {
	Actor  string `json:"actor,omitempty"`
	Reason string `json:"reason,omitempty"`
}

func paperKey(action graph.Action, form string) string { return string(action) + "/" + form }

// openPapers unseals what people answered; empty where nobody was asked.
func openPapers(rec *Record, key []byte) (*papers, error) {
	p := &papers{}
	if len(rec.Manual) == 0 {
		return p, nil
	}
	plain, err := seal.Open(key, rec.Manual, bound(rec.ID, keyManual))
	if err != nil {
		return nil, fmt.Errorf("dsr: open the answers of request %s: %w", rec.ID, err)
	}
	if err := json.Unmarshal(plain, p); err != nil {
		return nil, errors.New("dsr: the stored answers cannot be decoded")
	}
	return p, nil
}

// papers returns what people answered.
func (r *run) papers(ctx context.Context) (*papers, error) {
	if len(r.record().Manual) == 0 {
		return &papers{}, nil
	}
	key, err := r.key(ctx, keyManual)
	if err != nil {
		return nil, err
	}
	return openPapers(r.record(), key)
}

// papers opens what people answered, to be changed.
func (d *draft) papers(ctx context.Context) (*papers, error) {
	if len(d.Record.Manual) == 0 {
		return &papers{}, nil
	}
	key, err := newRun(d.engine, &d.Record).key(ctx, keyManual)
	if err != nil {
		return nil, err
	}
	return openPapers(&d.Record, key)
}

// maxPapers bounds what people may answer for one request, sealed, in bytes.
// Files have a place of their own.
const maxPapers = 16 << 20

// setPapers seals what people answered into the change.
func (d *draft) setPapers(ctx context.Context, p *papers) error {
	rec := &d.Record
	var key []byte
	if rec.Keys[keyManual] == nil {
		key = make([]byte, seal.KeySize)
		if err := d.engine.newKey(ctx, rec, keyManual, key); err != nil {
			return err
		}
	} else {
		var err error
		if key, err = newRun(d.engine, rec).key(ctx, keyManual); err != nil {
			return err
		}
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return errors.New("dsr: the answers cannot be encoded")
	}
	if len(plain) > maxPapers {
		return limitError(fmt.Sprintf("dsr: request %s: its answers take more than %d MiB together; attach files instead", rec.ID, maxPapers>>20))
	}
	if rec.Manual, err = seal.Seal(d.engine.config.Random, key, plain, bound(rec.ID, keyManual)); err != nil {
		return fmt.Errorf("dsr: seal the answers of request %s: %w", rec.ID, err)
	}
	return nil
}

// forgetPapers shreds what people answered.
func (d *draft) forgetPapers() {
	if d.Record.Keys[keyManual] == nil && d.Record.Manual == nil {
		return
	}
	d.shred(keyManual)
	d.Record.Manual = nil
	d.papersGone = true
}

// without returns a list that lacks a name.
func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}
