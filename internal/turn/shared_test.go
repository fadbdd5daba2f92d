package turn_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/turn"
)

// counting returns a call that takes a second and tells when it began.
func counting(calls *atomic.Int32) func(context.Context) (time.Time, error) {
	return func(ctx context.Context) (time.Time, error) {
		began := time.Now()
		calls.Add(1)
		select {
		case <-time.After(time.Second):
			return began, nil
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}

func TestSharedCallsBeginAfterTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s turn.Shared[time.Time]
		var calls atomic.Int32
		var wg sync.WaitGroup
		for i := range 100 { // over two seconds: one call at once, then one for all who came during the one before
			wg.Go(func() {
				<-time.After(time.Duration(i) * 20 * time.Millisecond)
				asked := time.Now()
				began, err := s.Do(t.Context(), "a", counting(&calls))
				require.NoError(t, err)
				require.False(t, began.Before(asked))
				require.Less(t, time.Since(asked), 2*time.Second+1)
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, calls.Load())
		_, err := s.Do(t.Context(), "a", counting(&calls))
		require.NoError(t, err)
		require.EqualValues(t, 4, calls.Load(), "nothing is kept")
	})
}

func TestSharedCallsForDifferentThingsGoSideBySide(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s turn.Shared[time.Time]
		var calls atomic.Int32
		var wg sync.WaitGroup
		begun := time.Now()
		for _, key := range []string{"a", "b"} {
			wg.Go(func() {
				_, err := s.Do(t.Context(), key, counting(&calls))
				require.NoError(t, err)
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, calls.Load())
		require.Equal(t, time.Second, time.Since(begun))
	})
}

func TestSharedCallLivesAsLongAsSomebodyWaits(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		leave []time.Duration // when each of the callers leaves; 0 for one who stays
		calls int32
		ended time.Duration // of the last call
	}{
		"the first leaves, the second has a call of its own": {[]time.Duration{time.Second / 2, 0}, 2, 3 * time.Second / 2},
		"one of two who wait leaves":                         {[]time.Duration{0, time.Second / 2, 0}, 2, 2 * time.Second},
		"all who wait leave":                                 {[]time.Duration{0, time.Second / 2, time.Second / 4}, 1, time.Second},
		"all leave":                                          {[]time.Duration{time.Second / 2, time.Second / 4}, 1, time.Second / 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s turn.Shared[time.Time]
				var calls atomic.Int32
				var last atomic.Int64
				begun := time.Now()
				var wg sync.WaitGroup
				for i, leave := range tc.leave {
					wg.Go(func() {
						<-time.After(time.Duration(i) * time.Millisecond)
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						if leave > 0 {
							time.AfterFunc(time.Until(begun.Add(leave)), cancel)
						}
						_, err := s.Do(ctx, "a", func(ctx context.Context) (time.Time, error) {
							value, err := counting(&calls)(ctx)
							last.Store(int64(time.Since(begun)))
							return value, err
						})
						if leave > 0 {
							require.ErrorIs(t, err, context.Canceled)
						} else {
							require.NoError(t, err)
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				require.Equal(t, tc.calls, calls.Load())
				require.Equal(t, tc.ended, time.Duration(last.Load()))
			})
		})
	}
}

func TestSharedCallFailsForAllWhoShareIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s turn.Shared[int]
		fault := errors.New("no disk")
		var failed atomic.Int32
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				_, err := s.Do(t.Context(), "a", func(context.Context) (int, error) {
					<-time.After(time.Second)
					return 0, fault
				})
				if errors.Is(err, fault) {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, failed.Load())
	})
}
