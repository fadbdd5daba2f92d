package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
)

const (
	kindClient = "client"
	kindToken  = "token"
	// maxTries bounds how often a change is repeated that others got ahead of.
	maxTries = 100
)

// clientRecord is a client as it is stored.
type clientRecord struct {
	Client
	Secret secretHash `json:"secret"`
	// Epoch is on each token; a new one ends those with the old.
	Epoch   string `json:"epoch"`
	version int64
}

// load reads a client. Without one it is [ErrNoClient]. The root client has no
// record.
func (s *Server) load(ctx context.Context, id string) (*clientRecord, error) {
	if !validID(id) || s.isRoot(id) {
		return nil, noClient()
	}
	r, err := s.records.Get(ctx, kindClient, id)
	if errors.Is(err, dsr.ErrNotFound) {
		return nil, noClient()
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: read client %q: %w", id, err)
	}
	return decodeClient(r)
}

func decodeClient(r Record) (*clientRecord, error) {
	c := &clientRecord{version: r.Version}
	if err := json.Unmarshal(r.Data, c); err != nil || c.ID != r.Key {
		return nil, fmt.Errorf("oauth: the record of client %q is damaged", r.Key)
	}
	return c, nil
}

func (s *Server) storeClient(ctx context.Context, c *clientRecord) error {
	data, err := json.Marshal(c)
	if err == nil {
		err = s.records.Put(ctx, Record{Kind: kindClient, Key: c.ID, Data: data}, c.version)
	}
	if err != nil {
		return fmt.Errorf("oauth: store client %q: %w", c.ID, err)
	}
	return nil
}

// each passes all records of a kind whose keys begin with a prefix.
func (s *Server) each(ctx context.Context, kind, prefix string, pass func(Record) error) error {
	const page = 500
	for after := prefix; ; {
		records, err := s.records.List(ctx, kind, after, page)
		if err != nil {
			return fmt.Errorf("oauth: list %s records: %w", kind, err)
		}
		for _, r := range records {
			if !strings.HasPrefix(r.Key, prefix) {
				return nil
			}
			if err := pass(r); err != nil {
				return err
			}
			after = r.Key
		}
		if len(records) < page {
			return nil
		}
	}
}

// tokenRecord is a token as it is stored, under its client's ID and its own.
type tokenRecord struct {
	TokenInfo
	Epoch   string `json:"epoch"`
	version int64
}

// recordKey is the key of a token's record.
func recordKey(clientID, tokenID string) string { return clientID + "/" + tokenID }

// loadToken returns nil where there is no such token.
func (s *Server) loadToken(ctx context.Context, clientID, tokenID string) (*tokenRecord, error) {
	r, err := s.records.Get(ctx, kindToken, recordKey(clientID, tokenID))
	if errors.Is(err, dsr.ErrNotFound) {
		return nil, nil //nolint:nilnil // documented
	}
	if err != nil {
		return nil, fmt.Errorf("oauth: read a token of client %q: %w", clientID, err)
	}
	return decodeToken(r)
}

func decodeToken(r Record) (*tokenRecord, error) {
	t := &tokenRecord{version: r.Version}
	if err := json.Unmarshal(r.Data, t); err != nil || recordKey(t.ClientID, t.ID) != r.Key {
		return nil, fmt.Errorf("oauth: the record of token %q is damaged", r.Key)
	}
	return t, nil
}

func (s *Server) storeToken(ctx context.Context, t *tokenRecord) error {
	key := recordKey(t.ClientID, t.ID)
	data, err := json.Marshal(t)
	if err == nil {
		err = s.records.Put(ctx, Record{Kind: kindToken, Key: key, Data: data}, t.version)
	}
	if err != nil {
		return fmt.Errorf("oauth: store a token of client %q: %w", t.ClientID, err)
	}
	return nil
}
