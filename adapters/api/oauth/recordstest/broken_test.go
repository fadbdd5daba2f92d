package recordstest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/api/oauth/recordstest"
)

// fake is honest but for what is set.
type fake struct {
	*oauth.MemoryRecords
	get    func(r oauth.Record, err error) (oauth.Record, error)
	list   func(kind, after string, limit int) ([]oauth.Record, error)
	put    func(ctx context.Context, r oauth.Record, expect int64) error
	remove func(ctx context.Context, kind, key string, expect int64) error
}

func (f *fake) Get(ctx context.Context, kind, key string) (oauth.Record, error) {
	r, err := f.MemoryRecords.Get(ctx, kind, key)
	if f.get != nil {
		return f.get(r, err)
	}
	return r, err
}

func (f *fake) List(ctx context.Context, kind, after string, limit int) ([]oauth.Record, error) {
	if f.list != nil {
		return f.list(kind, after, limit)
	}
	return f.MemoryRecords.List(ctx, kind, after, limit)
}

func (f *fake) Put(ctx context.Context, r oauth.Record, expect int64) error {
	if f.put != nil {
		return f.put(ctx, r, expect)
	}
	return f.MemoryRecords.Put(ctx, r, expect)
}

func (f *fake) Delete(ctx context.Context, kind, key string, expect int64) error {
	if f.remove != nil {
		return f.remove(ctx, kind, key, expect)
	}
	return f.MemoryRecords.Delete(ctx, kind, key, expect)
}

func newFake() *fake { return &fake{MemoryRecords: oauth.NewMemoryRecords()} }

// broken are the fakes that prove each check.
var broken = map[string]map[string]func() *fake{
	"get": {
		"another absence": func() *fake {
			f := newFake()
			f.get = func(r oauth.Record, err error) (oauth.Record, error) {
				if err != nil {
					err = errors.New("no such row")
				}
				return r, err
			}
			return f
		},
		"tidies JSON": func() *fake {
			f := newFake()
			f.get = func(r oauth.Record, err error) (oauth.Record, error) {
				r.Data = bytes.ReplaceAll(r.Data, []byte("  "), []byte(" "))
				return r, err
			}
			return f
		},
		"keeps the caller's bytes": func() *fake {
			f := newFake()
			given := map[string][]byte{}
			f.put = func(ctx context.Context, r oauth.Record, expect int64) error {
				given[r.Kind+r.Key] = r.Data
				return f.MemoryRecords.Put(ctx, r, expect)
			}
			f.get = func(r oauth.Record, err error) (oauth.Record, error) {
				r.Data = given[r.Kind+r.Key]
				return r, err
			}
			return f
		},
	},
	"list": {
		"another order": func() *fake {
			f := newFake()
			f.list = func(kind, after string, limit int) ([]oauth.Record, error) {
				all, err := f.MemoryRecords.List(context.Background(), kind, after, 1000)
				slices.SortFunc(all, func(a, b oauth.Record) int { return strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key)) })
				return all[:min(limit, len(all))], err
			}
			return f
		},
		"from a key on": func() *fake {
			f := newFake()
			f.list = func(kind, after string, limit int) ([]oauth.Record, error) {
				found, err := f.MemoryRecords.List(context.Background(), kind, after, limit)
				if r, ok := f.MemoryRecords.Get(context.Background(), kind, after); ok == nil {
					found = append([]oauth.Record{r}, found...)
				}
				return found, err
			}
			return f
		},
		"without limit": func() *fake {
			f := newFake()
			f.list = func(kind, after string, _ int) ([]oauth.Record, error) {
				return f.MemoryRecords.List(context.Background(), kind, after, 1000)
			}
			return f
		},
		"only after what can be a key": func() *fake {
			f := newFake()
			f.list = func(kind, after string, limit int) ([]oauth.Record, error) {
				if strings.Contains(after, "\x00") {
					return nil, errors.New("a text with a zero byte")
				}
				return f.MemoryRecords.List(context.Background(), kind, after, limit)
			}
			return f
		},
		"every kind": func() *fake {
			f := newFake()
			f.list = func(_, after string, limit int) ([]oauth.Record, error) {
				one, err := f.MemoryRecords.List(context.Background(), "one", after, limit)
				two, err2 := f.MemoryRecords.List(context.Background(), "two", after, limit)
				return append(one, two...), errors.Join(err, err2)
			}
			return f
		},
	},
	"versions": {
		"last write wins": func() *fake {
			f := newFake()
			f.put = func(ctx context.Context, r oauth.Record, _ int64) error {
				old, _ := f.MemoryRecords.Get(ctx, r.Kind, r.Key)
				return f.MemoryRecords.Put(ctx, r, old.Version)
			}
			return f
		},
		"any absence is new": func() *fake {
			f := newFake()
			f.put = func(ctx context.Context, r oauth.Record, expect int64) error {
				if _, err := f.MemoryRecords.Get(ctx, r.Kind, r.Key); err != nil {
					expect = 0
				}
				return f.MemoryRecords.Put(ctx, r, expect)
			}
			return f
		},
		"the caller's version": func() *fake {
			f := newFake()
			f.get = func(r oauth.Record, err error) (oauth.Record, error) {
				r.Version = 77
				return r, err
			}
			return f
		},
	},
	"race": {
		"looks, then writes": func() *fake {
			f := newFake()
			var mu sync.Mutex
			arrived, together := 0, make(chan struct{})
			f.put = func(ctx context.Context, r oauth.Record, expect int64) error {
				old, _ := f.MemoryRecords.Get(ctx, r.Kind, r.Key)
				mu.Lock()
				if arrived++; arrived == 2 {
					close(together)
				}
				mu.Unlock()
				<-together // both have looked
				if old.Version != expect {
					return dsr.ErrConflict
				}
				_ = f.MemoryRecords.Put(ctx, r, expect)
				return nil
			}
			return f
		},
	},
	"delete": {
		"any version": func() *fake {
			f := newFake()
			f.remove = func(ctx context.Context, kind, key string, _ int64) error {
				r, err := f.MemoryRecords.Get(ctx, kind, key)
				return errors.Join(err, f.MemoryRecords.Delete(ctx, kind, key, r.Version))
			}
			return f
		},
		"only says so": func() *fake {
			f := newFake()
			f.remove = func(ctx context.Context, kind, key string, expect int64) error {
				if r, err := f.MemoryRecords.Get(ctx, kind, key); err != nil || r.Version != expect {
					return fmt.Errorf("%w: version %d", dsr.ErrConflict, r.Version)
				}
				return nil
			}
			return f
		},
		"twice": func() *fake {
			f := newFake()
			f.remove = func(ctx context.Context, kind, key string, expect int64) error {
				if err := f.MemoryRecords.Delete(ctx, kind, key, expect); !errors.Is(err, dsr.ErrNotFound) {
					return err
				}
				return nil
			}
			return f
		},
	},
}

// Every check finds all records at fault that were broken for it.
func TestChecksFindBrokenRecords(t *testing.T) {
	t.Parallel()
	for _, check := range recordstest.Checks() {
		require.NotEmpty(t, check.Explanation)
		require.NotEmpty(t, broken[check.Name], "no records prove check %q", check.Name)
		for name, newBroken := range broken[check.Name] {
			t.Run(check.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				require.Error(t, check.Run(t.Context(), newBroken()))
			})
		}
	}
	require.Len(t, broken, len(recordstest.Checks()))
}

func TestChecksOnHonestRecords(t *testing.T) {
	t.Parallel()
	recordstest.Run(t, func() (oauth.Records, error) { return newFake(), nil })
}
