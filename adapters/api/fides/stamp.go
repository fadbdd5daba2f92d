package fides

import (
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// stamp is a time as Fides writes it: in UTC, with six digits of a second. It
// is read with a zone or, in UTC, without one, as isoformat() and str() of a
// datetime of Python write it, and as a date alone.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

// stampOf is nil, and null in JSON, for the zero time.
func stampOf(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

// time is the zero time for nil.
func (s *stamp) time() time.Time {
	if s == nil {
		return time.Time{}
	}
	return time.Time(*s)
}

// MarshalText implements [encoding.TextMarshaler].
func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format(stampLayout)), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *stamp) UnmarshalText(text []byte) error {
	t, err := parseStamp(string(text))
	*s = stamp(t)
	return err
}

// TransformSchema implements [huma.SchemaTransformer].
func (stamp) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	s.Format = "date-time"
	return s
}

func parseStamp(text string) (time.Time, error) {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02t15:04:05.999999999z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700",
		"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z0700",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04Z07:00", "2006-01-02 15:04", time.DateOnly,
	} {
		if t, err := time.Parse(layout, text); err == nil {
			t = t.UTC() // where a year may have other than four digits, which Python and RFC 3339 do not know
			if t.Year() < 1 || t.Year() > 9999 {
				break
			}
			return t, nil
		}
	}
	return time.Time{}, errors.New("fides: not a time by ISO 8601")
}
