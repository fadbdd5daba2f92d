package audit_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/audit"
)

func TestNewCheckpoint(t *testing.T) {
	t.Parallel()
	hash := bytes.Repeat([]byte{7}, 32)
	heads := []audit.Head{{"b", 2, hash}, {"B", 3, hash}, {"a", 1, hash}}
	c, err := audit.NewCheckpoint(2, hash, began, heads, signer("engine"))
	require.NoError(t, err)
	require.Equal(t, audit.Checkpoint{
		Seq: 2, Time: time.Date(2026, time.March, 28, 23, 59, 59, 123456000, time.UTC), Prev: hash,
		Heads: []audit.Head{{"B", 3, hash}, {"a", 1, hash}, {"b", 2, hash}}, Hash: c.Digest(), Signature: ed25519.Sign(signer("engine"), c.Digest()),
	}, c)
	require.Equal(t, "b", heads[0].RequestID, "the caller's heads stay as they are")
}

func TestCheckpointIsBounded(t *testing.T) {
	t.Parallel()
	heads := func(count, idLength int) []audit.Head {
		all := make([]audit.Head, count)
		for i := range all {
			all[i] = audit.Head{RequestID: fmt.Sprintf("%0*d", idLength, i), Seq: 1 << 40, Hash: make([]byte, 32)}
		}
		return all
	}
	_, err := audit.NewCheckpoint(1, nil, began, heads(audit.MaxHeads, 100), signer("engine"))
	require.NoError(t, err)
	_, err = audit.NewCheckpoint(1, nil, began, heads(audit.MaxHeads+1, 36), signer("engine"))
	require.EqualError(t, err, "audit: make checkpoint 1: it has 50001 heads, more than 50000; make several checkpoints of them")
	_, err = audit.NewCheckpoint(1, nil, began, heads(audit.MaxHeads, 300), signer("engine"))
	require.ErrorContains(t, err, "more than 16777216; give it fewer heads")
}

func TestCheckpointRefuses(t *testing.T) {
	t.Parallel()
	hash := make([]byte, 32)
	_, err := audit.NewCheckpoint(0, nil, began.AddDate(9000, 0, 0), []audit.Head{{"b", 1, hash}, {"", 1, hash}, {"b", 0, hash[:3]}, {"\xff", 1, hash}}, nil)
	require.EqualError(t, err, strings.Join([]string{
		"audit: make checkpoint 0: checkpoints are numbered from 1", "the year 11026 is not within 1 to 9999", "a head names no request",
		`request "b" has two heads`, `the head of request "b" has number 0 and a hash of 3 bytes; numbers start at 1, hashes have 32 bytes`,
		`the request ID "\xff" is not UTF-8`, "there is no signer; give one with an Ed25519 key",
	}, "\n"))
	_, err = audit.NewCheckpoint(1, hash, began, nil, signer("engine"))
	require.EqualError(t, err, "audit: make checkpoint 1: the first checkpoint has none before it, yet a hash of one was given")
	_, err = audit.NewCheckpoint(2, nil, began, nil, signer("engine"))
	require.EqualError(t, err, "audit: make checkpoint 2: the hash of the checkpoint before has 0 bytes, not 32")

	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = audit.NewCheckpoint(1, nil, began, nil, other)
	require.EqualError(t, err, "audit: make checkpoint 1: the signer's public key is a *ecdsa.PublicKey; only Ed25519 is supported (ed25519.PublicKey)")
	_, err = audit.NewCheckpoint(1, nil, began, nil, remote{key: public("engine")[:5]})
	require.EqualError(t, err, "audit: make checkpoint 1: the signer's public key has 5 bytes, not 32")
	_, err = audit.NewCheckpoint(1, nil, began, nil, remote{key: public("engine"), err: errors.New("away")})
	require.EqualError(t, err, "audit: sign checkpoint 1: away")
	_, err = audit.NewCheckpoint(1, nil, began, nil, remote{key: public("engine")})
	require.EqualError(t, err, "audit: sign checkpoint 1: the signature does not fit the signer's own public key; look at the signer")
}

// remote is a key service that signs nothing.
type remote struct {
	key ed25519.PublicKey
	err error
}

func (r remote) Public() crypto.PublicKey { return r.key }

func (r remote) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return make([]byte, ed25519.SignatureSize), r.err
}
