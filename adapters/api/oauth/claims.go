package oauth

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Claims are what the identity provider says in a token. They print as
// [redacted], since they tell of a person.
type Claims map[string]any

// Strings returns the texts of a claim: of a list, its texts; of one text, its
// words, as in the claim "scope" (RFC 8693, 4.2). The path leads into claims
// that are objects: Strings("realm_access", "roles").
func (c Claims) Strings(path ...string) []string {
	var value any = map[string]any(c)
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		var texts []string
		for _, item := range value {
			if text, ok := item.(string); ok {
				texts = append(texts, text)
			}
		}
		return texts
	}
	return nil
}

// audience reports whether a token is for somebody. "aud" is one text or a
// list (RFC 7519, 4.1.3).
func (c Claims) audience(whom string) bool {
	if list, ok := c["aud"].([]any); ok {
		return slices.Contains(list, any(whom))
	}
	return c["aud"] == any(whom)
}

// Format implements [fmt.Formatter] for every verb without the claims.
func (c Claims) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[redacted]") }

// LogValue implements [slog.LogValuer] without the claims.
func (c Claims) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalJSON implements [json.Marshaler] without the claims.
func (c Claims) MarshalJSON() ([]byte, error) { return json.Marshal("[redacted]") }

// mapScopes is how claims are mapped by default.
func mapScopes(c Claims) (scopes, roles []string) {
	if scopes = c.Strings("scope"); scopes == nil {
		scopes = c.Strings("scp")
	}
	return scopes, nil
}
