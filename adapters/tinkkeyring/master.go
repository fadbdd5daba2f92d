package tinkkeyring

import (
	"bytes"
	"context"

	"github.com/tink-crypto/tink-go/v2/tink"
)

// Master makes a master key of an AEAD that knows no context. A call returns
// when its context ends, also if the service hangs; the call to the service is
// then left to itself, and what it answers is dropped.
func Master(a tink.AEAD) tink.AEADWithContext {
	if a == nil {
		return nil // told by whatever is to use it
	}
	return patient{a}
}

type patient struct{ aead tink.AEAD }

func (p patient) EncryptWithContext(ctx context.Context, plaintext, associatedData []byte) ([]byte, error) {
	return await(ctx, p.aead.Encrypt, plaintext, associatedData)
}

func (p patient) DecryptWithContext(ctx context.Context, ciphertext, associatedData []byte) ([]byte, error) {
	return await(ctx, p.aead.Decrypt, ciphertext, associatedData)
}

// await calls with copies, because the call may outlive its caller's interest.
func await(ctx context.Context, call func(data, associatedData []byte) ([]byte, error), data, associatedData []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type answer struct {
		data []byte
		err  error
	}
	answers := make(chan answer, 1)
	data, associatedData = bytes.Clone(data), bytes.Clone(associatedData)
	go func() {
		out, err := call(data, associatedData)
		answers <- answer{out, err}
	}()
	select {
	case a := <-answers:
		return a.data, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
