package fides_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// sick is a store that may not answer.
type sick struct {
	dsr.Store
	err error
}

func (s *sick) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Request(ctx, id)
}

func TestHealthSaysHowTheServiceIsAndNothingElse(t *testing.T) {
	t.Parallel()
	store := &sick{}
	k := newDesk(t, func(k *desk) {
		store.Store = k.store
		k.config.Store = store
	})
	for _, path := range []string{"/health", "/api/v1/health", "/ready", "/health/database"} {
		a := k.send(t, "", "GET", path, nil)
		require.Equal(t, http.StatusOK, a.Status)
		require.Regexp(t, `^\{"webserver":"healthy","version":"[^"]+","database":"healthy"\}$`, a.Body)
	}
	// Errors of stores hold nothing personal, see dsr.Store: the log has them as they
	// are, so that an operator sees why, and the answer nothing of them.
	store.err = errors.New("no route to the database")
	a := k.send(t, "", "GET", "/health", nil)
	require.Equal(t, http.StatusOK, a.Status)
	require.Regexp(t, `^\{"webserver":"healthy","version":"[^"]+","database":"unhealthy"\}$`, a.Body)
	require.Equal(t, notedLine{"WARN", 200, "no route to the database", 0}, k.noted(t))
	for _, path := range []string{"/ready", "/health/database"} {
		k.send(t, "", "GET", path, nil).want(t, http.StatusServiceUnavailable, `{"detail":"The database is unhealthy"}`)
		require.Equal(t, notedLine{"ERROR", 503, "no route to the database", 0}, k.noted(t))
	}
}

func TestWhetherACodeIsSentIsPublic(t *testing.T) {
	t.Parallel()
	k := newDesk(t, nil)
	k.send(t, "", "GET", "/api/v1/id-verification/config", nil).
		want(t, http.StatusOK, `{"identity_verification_required":false,"disable_consent_identity_verification":true,"valid_email_config_exists":false}`)
	k = newDesk(t, func(k *desk) { k.config.Flow.VerifyIdentity = true })
	k.send(t, "", "GET", "/api/v1/id-verification/config", nil).
		want(t, http.StatusOK, `{"identity_verification_required":true,"disable_consent_identity_verification":true,"valid_email_config_exists":true}`)
}
