package dsr_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
)

// slowCounts takes a second to count.
type slowCounts struct {
	dsr.Store
	counts atomic.Int32
}

func (s *slowCounts) CountRequests(ctx context.Context, q dsr.RecordQuery) (int64, error) {
	s.counts.Add(1)
	n, err := s.Store.CountRequests(ctx, q)
	<-time.After(time.Second)
	return n, err
}

// TestTotalsAreShared by those who ask at the same time, whichever page they
// look at; each sees what was there when it asked.
func TestTotalsAreShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowCounts{}
		o := newOffice(t, dsr.Flow{Approval: true}, func(c *dsr.Config) { store.Store, c.Store = c.Store, store })
		var wg sync.WaitGroup
		ask := func(want int64, f dsr.Filter) {
			wg.Go(func() {
				page, err := o.List(t.Context(), f)
				require.NoError(t, err)
				require.Equal(t, want, page.Total, fmt.Sprint(f))
			})
		}
		ask(0, dsr.Filter{Total: true})
		synctest.Wait()
		o.submitted(t, submission("access", "ada@example.com"))
		for n := range 20 {
			ask(1, dsr.Filter{Total: true, Page: 1 + n%3, Size: 1 + n%4, Descending: n%2 == 0, Open: n%2 == 1})
			ask(0, dsr.Filter{Total: true, Status: []dsr.Status{dsr.StatusComplete}})
			ask(0, dsr.Filter{Total: true, Text: "\xfe"})
			ask(0, dsr.Filter{Total: true, Text: "\xff"})
		}
		wg.Wait()
		// The first; the same once more; and twice, as the first of each had come
		// before the others, for each other filter.
		require.EqualValues(t, 2+2+2+2, store.counts.Load())
	})
}

// lookUps counts what is looked for.
type lookUps struct {
	dsr.Keyring
	count atomic.Int32
}

func (l *lookUps) Lookup(ctx context.Context, data []byte) ([]byte, error) {
	l.count.Add(1)
	return l.Keyring.Lookup(ctx, data)
}

// TestAFilterHasAThousandValues at most, of identities and fields together: the
// keyring, which may be a service far away, is asked for no other.
func TestAFilterHasAThousandValues(t *testing.T) {
	t.Parallel()
	list := func(count int) []string {
		values := make([]string, count)
		for i := range values {
			values[i] = fmt.Sprint("v", i)
		}
		return values
	}
	keyring := &lookUps{}
	o := newOffice(t, dsr.Flow{}, func(c *dsr.Config) { keyring.Keyring, c.Keyring = c.Keyring, keyring })
	for _, c := range []struct {
		filter dsr.Filter
		asked  int32
	}{
		{dsr.Filter{Identities: dsr.Identities{"email": list(400), "card": list(300)}, Fields: dsr.FieldValues{"a": list(200), "b": list(100)}}, 1000},
		{dsr.Filter{Identities: dsr.Identities{"email": list(400), "card": list(300)}, Fields: dsr.FieldValues{"a": list(200), "b": list(101)}}, 0},
		{dsr.Filter{Identities: dsr.Identities{"email": list(1001)}}, 0},
		{dsr.Filter{Fields: dsr.FieldValues{"a": list(1001)}}, 0},
	} {
		keyring.count.Store(0)
		_, err := o.List(t.Context(), c.filter)
		if c.asked == 0 {
			require.EqualError(t, err, "dsr: error: filter: it has more than 1000 values of identities and fields")
		} else {
			require.NoError(t, err)
		}
		require.Equal(t, c.asked, keyring.count.Load())
	}
}
