package dsr

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/godsr/dsr/internal/seal"
)

// ErrToken: the token was not made here, is for something else, or too old.
var ErrToken = errors.New("dsr: the token is not valid")

// maxHookToken bounds what is looked at.
const maxHookToken = 4000

// tokenKey derives the key that seals tokens of a use.
func (e *Engine) tokenKey(ctx context.Context, use string) ([]byte, error) {
	secret, err := e.config.Keyring.Lookup(ctx, []byte("token key"))
	if err == nil {
		var key []byte
		if key, err = hkdf.Key(sha256.New, secret, nil, tokenUse(use), seal.KeySize); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("dsr: derive the key of tokens: %w", err)
}

func tokenUse(use string) string { return "dsr/1\x00token\x00" + use }

// signToken seals what a token says: nobody else can make one, or read it.
func (e *Engine) signToken(ctx context.Context, use string, plain []byte) (string, error) {
	key, err := e.tokenKey(ctx, use)
	if err != nil {
		return "", err
	}
	sealed, err := seal.Seal(e.config.Random, key, plain, []byte(tokenUse(use)))
	if err != nil {
		return "", fmt.Errorf("dsr: make a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// checkToken opens a token of a use.
func (e *Engine) checkToken(ctx context.Context, use, token string) ([]byte, error) {
	if len(token) > maxHookToken {
		return nil, fmt.Errorf("%w: it is too long", ErrToken)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return nil, fmt.Errorf("%w: it was not made here", ErrToken)
	}
	key, err := e.tokenKey(ctx, use)
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(key, sealed, []byte(tokenUse(use)))
	if err != nil {
		return nil, fmt.Errorf("%w: it was not made here", ErrToken)
	}
	return plain, nil
}
