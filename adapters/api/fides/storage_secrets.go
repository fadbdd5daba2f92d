package fides

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/godsr/dsr"
)

type storageSecretsInput struct {
	Path  storagePath
	Query verifyQuery
	Body  scalars
}

func (d *Door) putStorageSecrets(ctx context.Context, in *storageSecretsInput) (*testStatus, error) {
	key := in.Path.Key
	find := func(defs *dsr.Definitions) (*dsr.DestinationDefinition, error) {
		if def := defs.Destinations[key]; def != nil {
			return def, nil
		}
		return nil, refuse(http.StatusNotFound, "No storage configuration with key %s.", key)
	}
	return d.setStorageSecrets(ctx, find, in.Body, in.Query.Verify, fmt.Sprintf("Secrets updated for StorageConfig with key: %s.", key))
}

// setStorageSecrets sets the secrets of the destination that is found, and asks
// it whether it answers.
func (d *Door) setStorageSecrets(
	ctx context.Context, find func(*dsr.Definitions) (*dsr.DestinationDefinition, error), secrets scalars, verify bool, msg string,
) (*testStatus, error) {
	var key string
	var fields []dsr.SecretField
	err := d.change(ctx, func(defs *dsr.Definitions) error {
		def, err := find(defs)
		switch {
		case err != nil:
			return err
		case def.Fixed:
			return refuse(http.StatusConflict, "%s", notHere)
		}
		key, fields = def.Key, d.engine.Catalogue().DestinationTypes()[def.Type].Fields
		change := secretChange{fields: fields, given: secrets, loc: []any{"body"}} // none are shown, so that none can come back
		var faults []fault
		def.Secrets, faults = change.apply()
		return invalid(faults...)
	})
	answer := &testStatus{Msg: msg}
	if err != nil || !verify {
		return answer, err
	}
	end := func(status, reason string) { answer.Status, answer.Reason = &status, textOf(reason) }
	limited, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	err = d.engine.Catalogue().PingDestination(limited, key)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err == nil:
		end("succeeded", "")
	case errors.Is(err, dsr.ErrNotFound):
		end("skipped", "")
	case errors.Is(err, context.DeadlineExceeded):
		end("failed", "It did not answer in time.")
	default:
		end("failed", maskIn(err.Error(), fields, dsr.Secrets(secrets)))
	}
	return answer, nil
}

// wouldSend refuses to change where a destination leads, or how, while it keeps
// secrets that the caller need not know: its next call would send them there.
func (d *Door) wouldSend(def *dsr.DestinationDefinition, n *newStorage) string {
	if maps.Equal(def.Details, n.Details) || len(n.Secrets) > 0 {
		return ""
	}
	kept := sensitive(d.engine.Catalogue().DestinationTypes()[def.Type].Fields, def.SecretNames)
	if len(kept) == 0 {
		return ""
	}
	return fmt.Sprintf("The details cannot be changed while these secrets are kept: %s. Give all secrets anew with the details, in 'secrets'.", strings.Join(kept, ", "))
}
