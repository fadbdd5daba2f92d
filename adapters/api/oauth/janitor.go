package oauth

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/godsr/dsr"
)

// The janitor rests for an hour, give or take a tenth, so that processes that
// started together do not go on together.
const (
	rest   = time.Hour
	jitter = rest / 10
)

// Run calls [Server.Purge] at once and then every hour, give or take six
// minutes, until ctx ends. What fails is logged, and tried again the next time.
// Every process that has a server may run it; one is enough.
func (s *Server) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.Purge(ctx); err != nil && ctx.Err() == nil {
			s.logger.ErrorContext(ctx, "expired tokens cannot be removed for now", "error", err.Error())
		}
		timer := time.NewTimer(rest - jitter + rand.N(2*jitter))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Purge removes what is stored of tokens that have expired, and returns how
// many it removed. Several processes may do so at once. A damaged record is
// left where it is, told in the error as every other one, and keeps none from
// being removed.
func (s *Server) Purge(ctx context.Context) (int, error) {
	purged := 0
	var faults []error
	now := s.clock()
	err := s.each(ctx, kindToken, "", func(r Record) error {
		t, err := decodeToken(r)
		if err != nil {
			faults = append(faults, err)
			return nil
		}
		if now.Before(t.ExpiresAt) {
			return nil
		}
		err = s.records.Delete(ctx, kindToken, r.Key, r.Version)
		switch {
		case err == nil:
			purged++
		case !errors.Is(err, dsr.ErrNotFound) && !errors.Is(err, dsr.ErrConflict): // another process was first
			return fmt.Errorf("oauth: remove an expired token: %w", err)
		}
		return nil
	})
	return purged, errors.Join(append(faults, err)...)
}
