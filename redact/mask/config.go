package mask

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	defaultLength = 30
	maxLength     = 1 << 16
)

// builder makes a strategy whose configuration was read.
type builder func(*keychain) (Strategy, error)

// builders returns for each strategy how its configuration is read.
func builders() map[string]func(*config) builder {
	return map[string]func(*config) builder{
		NullRewrite: func(*config) builder {
			return func(*keychain) (Strategy, error) { return nullRewrite{}, nil }
		},
		Preserve: func(*config) builder {
			return func(*keychain) (Strategy, error) { return preserve{}, nil }
		},
		StringRewrite:       readStringRewrite,
		RandomStringRewrite: readRandom,
		Hash:                readHash,
		HMAC:                readHMAC,
		AESEncrypt:          readAES,
	}
}

func parse(strategy string, configuration map[string]any) (builder, error) {
	read, ok := builders()[strategy]
	if !ok {
		return nil, &ConfigError{Strategy: strategy, Faults: []string{
			"unknown; the strategies are " + strings.Join(Names(), ", "),
		}}
	}
	c := &config{values: configuration}
	build := read(c)
	c.refuseUnknown("", c.values, c.known)
	if len(c.faults) > 0 {
		return nil, &ConfigError{Strategy: strategy, Faults: c.faults}
	}
	return build, nil
}

// config reads a configuration and collects its faults.
type config struct {
	values map[string]any
	known  []string
	faults []string
}

func (c *config) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *config) value(key string) (any, bool) {
	c.known = append(c.known, key)
	v, ok := c.values[key]
	return v, ok
}

func (c *config) refuseUnknown(prefix string, values map[string]any, known []string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if slices.Contains(known, key) {
			continue
		}
		hint := "this strategy has none"
		if len(known) > 0 {
			hint = "the keys are " + strings.Join(known, ", ")
		}
		c.fault("unknown key %q; %s", prefix+key, hint)
	}
}

// required reads a text that must be there.
func (c *config) required(key string) string {
	v, ok := c.value(key)
	if !ok {
		c.fault("%s is missing", key)
		return ""
	}
	return c.text(key, v)
}

func (c *config) text(key string, v any) string {
	s, ok := v.(string)
	switch {
	case !ok:
		c.fault("%s must be text, not %s", key, typeName(v))
	case !utf8.ValidString(s):
		c.fault("%s must be valid UTF-8", key)
	}
	return s
}

// choice reads one of some texts, the first by default.
func (c *config) choice(key string, choices ...string) string {
	v, ok := c.value(key)
	if !ok {
		return choices[0]
	}
	s, isText := v.(string)
	if !isText {
		c.fault("%s must be text, not %s", key, typeName(v))
	} else if !slices.Contains(choices, s) {
		c.fault("%s must be %s, not %q", key, strings.Join(choices, " or "), s)
	}
	return s
}

// length reads a number of characters.
func (c *config) length(key string) int {
	v, ok := c.value(key)
	if !ok {
		return defaultLength
	}
	n, ok := whole(v)
	if !ok {
		c.fault("%s must be a whole number, not %s", key, typeName(v))
	} else if n < 1 || n > maxLength {
		c.fault("%s must be from 1 to %d, not %d", key, maxLength, n)
	}
	return int(n)
}

// suffix reads format_preservation.
func (c *config) suffix() string {
	const key = "format_preservation"
	v, ok := c.value(key)
	if !ok || v == nil {
		return ""
	}
	m, ok := v.(map[string]any)
	if !ok {
		c.fault("%s must be a mapping with the key suffix, not %s", key, typeName(v))
		return ""
	}
	c.refuseUnknown(key+".", m, []string{"suffix"})
	s, ok := m["suffix"]
	if !ok {
		c.fault("%s.suffix is missing", key)
		return ""
	}
	return c.text(key+".suffix", s)
}

// whole takes the number types of the decoders.
func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(min(n, math.MaxInt64)), true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return "a boolean"
	case int, int64, uint64, json.Number:
		return "a number"
	case float64:
		return "a fraction"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("%T", v)
}
