package fides

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/godsr/dsr"
)

// testTimeout is how long a connection may take to answer.
const testTimeout = 10 * time.Second

// testStatus says how a test ended; null where none was made.
type testStatus struct {
	Msg    string  `json:"msg"`
	Status *string `json:"test_status" enum:"succeeded,failed,skipped"`
	Reason *string `json:"failure_reason"`
}

type secretsInput struct {
	Path  connectionPath
	Query verifyQuery
	Body  scalars
}

type verifyQuery struct {
	Verify bool `json:"verify" required:"false" default:"true"`
}

func (d *Door) putSecrets(ctx context.Context, in *secretsInput) (*testStatus, error) {
	return d.setSecrets(ctx, in, false)
}

func (d *Door) patchSecrets(ctx context.Context, in *secretsInput) (*testStatus, error) {
	return d.setSecrets(ctx, in, true)
}

// setSecrets sets all secrets of a connection, or some and keeps the others.
func (d *Door) setSecrets(ctx context.Context, in *secretsInput, some bool) (*testStatus, error) {
	key := in.Path.Key
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		def := defs.Connections[key]
		switch {
		case def == nil:
			return refuse(http.StatusNotFound, "No connection config found with key %s", key)
		case def.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		}
		secrets, faults, err := d.newSecrets(ctx, def, &secretChange{given: in.Body, partial: some, loc: []any{"body"}})
		switch {
		case errors.Is(err, dsr.ErrNotFound): // it was there just now
			return refuse(http.StatusNotFound, "No connection config found with key %s", key)
		case err != nil:
			return err
		}
		if err := invalid(faults...); err != nil {
			return err
		}
		def.Secrets = secrets
		return nil
	})
	if err != nil {
		return nil, err
	}
	msg := fmt.Sprintf("Secrets updated for ConnectionConfig with key: %s.", key)
	if !in.Query.Verify {
		return &testStatus{Msg: msg}, nil
	}
	return d.tryConnection(ctx, key, msg)
}

func (d *Door) testConnection(ctx context.Context, in *oneConnection) (*testStatus, error) {
	return d.tryConnection(ctx, in.Path.Key, fmt.Sprintf("Test completed for ConnectionConfig with key: %s.", in.Path.Key))
}

// tryConnection asks a connection whether it answers, and notes how it ended.
func (d *Door) tryConnection(ctx context.Context, key, msg string) (*testStatus, error) {
	defs, err := d.definitions(ctx)
	if err != nil {
		return nil, err
	}
	def := defs.Connections[key]
	if def == nil {
		return nil, noConnection(key)
	}
	answer := &testStatus{Msg: msg}
	end := func(status, reason string) { answer.Status, answer.Reason = &status, textOf(reason) }
	switch {
	case def.Disabled:
		end("skipped", "The connection is disabled.")
		return answer, nil
	case d.isManual(def.Type):
		if form := defs.Forms[key]; form == nil || len(form.Fields) == 0 {
			end("failed", "No fields are defined for it.")
			break
		}
		end("succeeded", "")
	case !def.Fixed && d.isTask(def.Type):
		t, err := taskOf(def)
		if err == nil && (t == nil || len(t.Fields) == 0) {
			end("failed", "No fields are defined for it.")
			break
		}
		end("succeeded", "") // it has fields, whoever defined them
	case !def.Fixed && d.engine.Catalogue().ConnectionTypes()[def.Type].Connect == nil:
		end("skipped", "")
		return answer, nil
	default:
		limited, cancel := context.WithTimeout(ctx, testTimeout)
		err := d.engine.Catalogue().Ping(limited, key)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			end("failed", d.withoutSecrets(ctx, def, err))
		default:
			end("succeeded", "")
		}
	}
	if def.Fixed {
		return answer, nil
	}
	return answer, d.noteTest(ctx, def, *answer.Status == "succeeded")
}

// noteTest notes how a test ended. One like the one before, of a connection that
// did not change since, is noted once a minute: whoever may read may test, and
// need not write each time.
func (d *Door) noteTest(ctx context.Context, def *dsr.ConnectionDefinition, ok bool) error {
	tests, err := d.engine.Catalogue().Tests(ctx, def)
	if err != nil {
		return err
	}
	now := d.options.Clock().UTC().Truncate(time.Microsecond)
	if last, tested := tests[def.Key]; tested && last.OK == ok && !last.At.Before(def.UpdatedAt) && now.Sub(last.At) < time.Minute {
		return nil
	}
	err = d.engine.Catalogue().NoteTest(ctx, def, dsr.ConnectionTest{At: now, OK: ok})
	if errors.Is(err, dsr.ErrNotFound) { // it was there just now
		return nil
	}
	return err
}

// withoutSecrets is the text of an error. Connectors promise that there is no
// secret in it; should one break its promise, the secret is masked.
func (d *Door) withoutSecrets(ctx context.Context, def *dsr.ConnectionDefinition, err error) string {
	reason := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		reason = "It did not answer in time."
	}
	if def.SecretVersion == 0 {
		return reason
	}
	secrets, failed := d.engine.Catalogue().Secrets(ctx, dsr.CatalogueConnection, def.Key)
	if failed != nil {
		return "It does not answer."
	}
	return maskIn(reason, d.engine.Catalogue().ConnectionTypes()[def.Type].Fields, secrets)
}
