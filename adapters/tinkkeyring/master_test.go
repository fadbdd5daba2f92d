package tinkkeyring_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/adapters/tinkkeyring"
)

func TestMasterTakesAnAEADWithoutContext(t *testing.T) {
	t.Parallel()
	service := newService(t, 'm')
	sealed := create(t, tinkkeyring.Master(service.aead))
	open(t, sealed, tinkkeyring.Master(service.aead))
	open(t, sealed, service) // the same bytes

	denied := errors.New("access denied")
	_, err := tinkkeyring.Open(t.Context(), sealed, tinkkeyring.Master(plainAEAD(func(_, _ []byte) ([]byte, error) {
		return nil, denied
	})), nil)
	require.ErrorIs(t, err, denied)
	_, err = tinkkeyring.Open(t.Context(), sealed, tinkkeyring.Master(nil), nil)
	require.EqualError(t, err, "tinkkeyring: open: there is no master key; give the AEAD of your key service")
}

func TestMasterDoesNotWaitForAServiceThatHangs(t *testing.T) {
	t.Parallel()
	sealed := create(t, newService(t, 'm'))
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	master := tinkkeyring.Master(plainAEAD(func(_, _ []byte) ([]byte, error) {
		close(asked)
		<-release
		return nil, nil
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		<-asked
		cancel()
	}()
	_, err := tinkkeyring.Open(ctx, sealed, master, nil)
	require.ErrorIs(t, err, context.Canceled)
	// asked is closed: another question would panic.
	_, err = tinkkeyring.Create(ctx, master)
	require.ErrorIs(t, err, context.Canceled)
}

type plainAEAD func(data, associatedData []byte) ([]byte, error)

func (f plainAEAD) Encrypt(data, associatedData []byte) ([]byte, error) {
	return f(data, associatedData)
}

func (f plainAEAD) Decrypt(data, associatedData []byte) ([]byte, error) {
	return f(data, associatedData)
}
