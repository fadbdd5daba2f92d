package dsr_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// breaking is a store whose answer to a commit is lost, and whose reads fail
// after that if it is gone.
type breaking struct {
	dsr.Store
	stores, gone bool
	broken       bool
}

func (s *breaking) Commit(ctx context.Context, ch *dsr.StoreChange) error {
	s.broken = true
	if s.stores {
		if err := s.Store.Commit(ctx, ch); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: the connection broke", dsr.ErrUnavailable)
}

func (s *breaking) Request(ctx context.Context, id string) (*dsr.Record, error) {
	if s.broken && s.gone {
		return nil, fmt.Errorf("%w: the connection broke", dsr.ErrUnavailable)
	}
	return s.Store.Request(ctx, id)
}

// A commit whose answer is lost is no reason to submit a request twice.
func TestSubmitLooksWhatBecameOfALostCommit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stores, gone, ok, unknown bool
	}{
		"stored":                   {stores: true, ok: true},
		"not stored":               {},
		"stored, and nobody knows": {stores: true, gone: true, unknown: true},
		"nobody knows":             {gone: true, unknown: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &breaking{stores: c.stores, gone: c.gone}
			o := newOffice(t, dsr.Flow{}, func(config *dsr.Config) {
				store.Store = config.Store
				config.Store, config.Notifier = store, nil
			})
			req, err := o.Submit(t.Context(), submission("access", "ada@example.com"))
			if c.ok {
				require.NoError(t, err)
				require.Equal(t, "r1", req.ID)
				return
			}
			require.ErrorIs(t, err, dsr.ErrUnavailable)
			require.Equal(t, c.unknown, errors.Is(err, dsr.ErrUnknown))
			require.Nil(t, req)
		})
	}
}

// Identities of kinds that no dataset has are kept, and told by their kind, unless
// the kind is none: then it may be somebody's.
func TestSubmitTellsKindsThatNoDatasetHas(t *testing.T) {
	t.Parallel()
	o := newOffice(t, dsr.Flow{}, nil)
	req, err := o.Submit(t.Context(), dsr.Submission{Policy: "access", Identities: dsr.Identities{
		"email": {"ada@example.com"}, "loyalty_card": {"77"}, "canary@example.com": {"x"}, "Ada Canary": {"y"},
	}})
	require.NoError(t, err)
	log, err := o.Log(t.Context(), req.ID, 0, 0)
	require.NoError(t, err)
	require.Equal(t, "identities of no dataset", log[0].Kind)
	require.Equal(t, "another kind, loyalty_card", log[0].Message)
	o.advanced(t, req.ID, dsr.StatusComplete)
}
