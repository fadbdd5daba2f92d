package tinkkeyring_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/godsr/dsr/adapters/tinkkeyring"
)

func TestRotateWrapsWithTheNewestKey(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	sealed := create(t, master)
	rings := []*tinkkeyring.Keyring{open(t, sealed, master)}
	for range 3 {
		sealed = do(t, tinkkeyring.Rotate, sealed, master)
		rings = append(rings, open(t, sealed, master))
	}
	var ids []uint32
	for _, k := range rings[3].Keys() {
		ids = append(ids, k.ID)
	}
	require.Len(t, ids, 4)
	require.Equal(t, []tinkkeyring.Key{
		{ID: ids[0], Role: tinkkeyring.Opens}, {ID: ids[1], Role: tinkkeyring.Opens},
		{ID: ids[2], Role: tinkkeyring.Opens}, {ID: ids[3], Role: tinkkeyring.Wraps},
	}, rings[3].Keys())

	for made, maker := range rings {
		wrapped := wrap(t, maker, "key")
		require.Equal(t, ids[made], wrappedBy(t, wrapped))
		for i, ring := range rings {
			if i >= made {
				requireOpens(t, ring, wrapped, "key")
				continue
			}
			_, err := ring.Unwrap(t.Context(), wrapped, []byte("bound"))
			require.ErrorContains(t, err, fmt.Sprintf("lacks the key %d", ids[made]), "ring %d opens what ring %d wrapped", i, made)
		}
		require.Equal(t, lookup(t, rings[0], "email"), lookup(t, maker, "email"))
	}
}

func TestPrepareLetsProcessesRotateOneAfterAnother(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	first := create(t, master)
	prepared := do(t, tinkkeyring.Prepare, first, master)
	before := open(t, prepared, master)
	old, next := before.Keys()[0].ID, before.Keys()[1].ID
	require.Equal(t, []tinkkeyring.Key{{ID: old, Role: tinkkeyring.Wraps}, {ID: next, Role: tinkkeyring.Prepared}}, before.Keys())
	require.Equal(t, old, wrappedBy(t, wrap(t, before, "key")))

	twice := open(t, do(t, tinkkeyring.Prepare, prepared, master), master)
	require.Equal(t, before.Keys(), twice.Keys(), "a second time adds nothing")

	rotated := do(t, tinkkeyring.Rotate, prepared, master)
	after := open(t, rotated, master)
	require.Equal(t, []tinkkeyring.Key{{ID: old, Role: tinkkeyring.Opens}, {ID: next, Role: tinkkeyring.Wraps}}, after.Keys())
	wrapped := wrap(t, after, "key")
	require.Equal(t, next, wrappedBy(t, wrapped))
	requireOpens(t, before, wrapped, "key")

	fresh := open(t, do(t, tinkkeyring.Rotate, rotated, master), master).Keys()
	require.Len(t, fresh, 3)
	require.NotContains(t, []uint32{old, next}, fresh[2].ID)
}

func TestRetireDestroysAKey(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	first := create(t, master)
	old := open(t, first, master)
	wrapped := wrap(t, old, "key")
	id := wrappedBy(t, wrapped)

	_, err := tinkkeyring.Retire(t.Context(), first, master, id)
	require.EqualError(t, err, fmt.Sprintf("tinkkeyring: retire: key %d is the one that wraps; rotate first", id))
	_, err = tinkkeyring.Retire(t.Context(), first, master, id+1)
	require.EqualError(t, err, fmt.Sprintf("tinkkeyring: retire: the keyring has no key %d; it has: %d (wraps)", id+1, id))

	rotated := do(t, tinkkeyring.Rotate, first, master)
	requireOpens(t, open(t, rotated, master), wrapped, "key")
	sealed, err := tinkkeyring.Retire(t.Context(), rotated, master, id)
	require.NoError(t, err)
	retired := open(t, sealed, master)
	require.Equal(t, open(t, rotated, master).Keys()[1:], retired.Keys())
	_, err = retired.Unwrap(t.Context(), wrapped, []byte("bound"))
	require.EqualError(t, err, fmt.Sprintf("tinkkeyring: unwrap: the keyring lacks the key %d: "+
		"it was retired, or is of a newer sealed keyring; open the newest", id))
	require.Equal(t, lookup(t, old, "email"), lookup(t, retired, "email"))
}

func TestRetireTakesAPreparedKeyAway(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	prepared := do(t, tinkkeyring.Prepare, create(t, master), master)
	keys := open(t, prepared, master).Keys()
	sealed, err := tinkkeyring.Retire(t.Context(), prepared, master, keys[1].ID)
	require.NoError(t, err)
	require.Equal(t, keys[:1], open(t, sealed, master).Keys())
	rotated := open(t, do(t, tinkkeyring.Rotate, sealed, master), master).Keys()
	require.Len(t, rotated, 2)
	require.NotEqual(t, keys[1].ID, rotated[1].ID)
}

// Services encrypt a few kilobytes at most, and keys add up over the years.
func TestManyRotationsAskTheServiceForNoMore(t *testing.T) {
	t.Parallel()
	master := newService(t, 'm')
	master.encrypt = func(data, associatedData []byte) ([]byte, error) {
		if len(data) > 32 {
			return nil, fmt.Errorf("%d bytes are too many", len(data))
		}
		return master.aead.Encrypt(data, associatedData)
	}
	sealed := create(t, master)
	wrapped := wrap(t, open(t, sealed, master), "key")
	for range 100 {
		sealed = do(t, tinkkeyring.Rotate, sealed, master)
	}
	last := open(t, sealed, master)
	require.Len(t, last.Keys(), 101)
	requireOpens(t, last, wrapped, "key")
}

func TestResealMovesToAnotherMasterKey(t *testing.T) {
	t.Parallel()
	from, to := newService(t, 'f'), newService(t, 't')
	sealed := do(t, tinkkeyring.Rotate, create(t, from), from)
	before := open(t, sealed, from)
	resealed, err := tinkkeyring.Reseal(t.Context(), sealed, from, to)
	require.NoError(t, err)
	after := open(t, resealed, to)
	require.Equal(t, before.Keys(), after.Keys())
	requireOpens(t, after, wrap(t, before, "key"), "key")
	requireOpens(t, before, wrap(t, after, "key"), "key")
	require.Equal(t, lookup(t, before, "email"), lookup(t, after, "email"))
	_, err = tinkkeyring.Open(t.Context(), resealed, from, nil)
	require.ErrorContains(t, err, "tinkkeyring: open: the master key cannot decrypt")

	_, err = tinkkeyring.Reseal(t.Context(), sealed, to, to)
	require.ErrorContains(t, err, "tinkkeyring: reseal: under the old master key: the master key cannot decrypt")
	_, err = tinkkeyring.Reseal(t.Context(), sealed, from, nil)
	require.EqualError(t, err, "tinkkeyring: reseal: under the new master key: there is no master key; give the AEAD of your key service")
}

func TestImportNeedsAWholeKey(t *testing.T) {
	t.Parallel()
	_, err := tinkkeyring.Import(t.Context(), newService(t, 'm'), bytesOf('l', 31))
	require.EqualError(t, err, "tinkkeyring: import: the look-up key has 31 bytes; give it at least 32")
}

// verbs are all functions that take one blob and one master key.
var verbs = map[string]func(context.Context, []byte, tink.AEADWithContext) error{
	"open": func(ctx context.Context, sealed []byte, master tink.AEADWithContext) error {
		_, err := tinkkeyring.Open(ctx, sealed, master, nil)
		return err
	},
	"prepare": func(ctx context.Context, sealed []byte, master tink.AEADWithContext) error {
		_, err := tinkkeyring.Prepare(ctx, sealed, master)
		return err
	},
	"rotate": func(ctx context.Context, sealed []byte, master tink.AEADWithContext) error {
		_, err := tinkkeyring.Rotate(ctx, sealed, master)
		return err
	},
	"retire": func(ctx context.Context, sealed []byte, master tink.AEADWithContext) error {
		_, err := tinkkeyring.Retire(ctx, sealed, master, 0)
		return err
	},
	"reseal: under the old master key": func(ctx context.Context, sealed []byte, master tink.AEADWithContext) error {
		_, err := tinkkeyring.Reseal(ctx, sealed, master, master)
		return err
	},
}
