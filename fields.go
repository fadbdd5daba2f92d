package dsr

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fields are what a submission says besides who the data subject is, by the key
// of the field: the custom fields of a form, as Fides has them. They are kept
// sealed with the identities, as long as these, and print as [redacted] under
// every verb.
type Fields map[string]Field

// Field is the value of one of [Fields]. It prints as [redacted] under every
// verb.
type Field struct {
	// Label is what the form calls the field; it may be empty. At most 1,000
	// bytes.
	Label string
	// Value is a string, an int64, or a list of those as []any. An int, a
	// float64 without a fraction, a [json.Number], a []string and a []int are
	// taken as well, and read as one of the three.
	Value any
}

// FieldValues are values of [Fields] to look for, by key: texts, and whole
// numbers by their decimal digits. They print as [redacted] under every verb.
type FieldValues map[string][]string

// Labels are short notes of a host's own, by key. They print as [redacted] under
// every verb.
type Labels map[string]string

// Format implements [fmt.Formatter] for every verb without showing a value.
func (fs Fields) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (fs Fields) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value, as that of
// [Identities] does; they are read from JSON as ever.
func (fs Fields) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Format implements [fmt.Formatter] for every verb without showing a value.
func (f Field) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (f Field) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value.
func (f Field) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// UnmarshalJSON implements [json.Unmarshaler]. It reads whole numbers exactly,
// and refuses a value that a field cannot have without quoting it.
func (f *Field) UnmarshalJSON(data []byte) error {
	var read struct {
		Label string `json:"label"`
		Value any    `json:"value"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&read); err != nil {
		return errors.New("dsr: a field is not an object with a label and a value")
	}
	value, err := fieldValue(read.Value)
	if err != nil {
		return fmt.Errorf("dsr: a field: %w", err)
	}
	f.Label, f.Value = read.Label, value
	return nil
}

// Format implements [fmt.Formatter] for every verb without showing a value.
func (v FieldValues) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (v FieldValues) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value.
func (v FieldValues) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// Format implements [fmt.Formatter] for every verb without showing a value.
func (l Labels) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements [slog.LogValuer] without showing a value.
func (l Labels) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements [json.Marshaler] without showing a value; they are read
// from JSON as ever.
func (l Labels) MarshalJSON() ([]byte, error) { return json.Marshal(redacted) }

// openField is a field as it is sealed.
type openField struct {
	Label string `json:"label,omitempty"`
	Value any    `json:"value"`
}

// UnmarshalJSON implements [json.Unmarshaler] as that of [Field].
func (f *openField) UnmarshalJSON(data []byte) error { return (*Field)(f).UnmarshalJSON(data) }

const (
	maxFields      = 100    // of one submission
	maxFieldValues = 1000   // in all its fields together
	maxFieldBytes  = 65_536 // of keys, labels and values together
	maxKey         = 100    // bytes of the key of a field or a label
	maxSource      = 100    // bytes
	maxLabels      = 20     // of one submission
)

var errFieldValue = errors.New("its value is neither a text, a whole number of 64 bits, nor a list of those")

// fieldValue is a value as it is kept: a string, an int64 or a list of those.
func fieldValue(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			var err error
			if list[i], err = fieldScalar(e); err != nil {
				return nil, err
			}
		}
		return list, nil
	case []string:
		return fieldList(v)
	case []int:
		return fieldList(v)
	}
	return fieldScalar(v)
}

func fieldList[T any](list []T) (any, error) {
	all := make([]any, len(list))
	for i, v := range list {
		all[i] = v
	}
	return fieldValue(all)
}

func fieldScalar(v any) (any, error) {
	switch v := v.(type) {
	case string:
		if utf8.ValidString(v) {
			return v, nil
		}
		return nil, errors.New("a value of it is not valid UTF-8 text")
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case float64:
		if v == math.Trunc(v) && math.Abs(v) <= 1<<53 {
			return int64(v), nil
		}
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, errFieldValue
}

// fieldTexts are the texts by which a kept value is found.
func fieldTexts(v any) (texts []string) {
	switch v := v.(type) {
	case string:
		if v != "" {
			texts = append(texts, v)
		}
	case int64:
		texts = append(texts, strconv.FormatInt(v, 10))
	case []any:
		for _, e := range v {
			texts = append(texts, fieldTexts(e)...)
		}
	}
	return texts
}

// kept are the fields as they are sealed. The faults quote no value.
func (fs Fields) kept(fault func(subject, message string)) map[string]openField {
	if len(fs) == 0 {
		return nil
	}
	if len(fs) > maxFields {
		fault("submission", fmt.Sprintf("it has more than %d fields", maxFields))
		return nil
	}
	all, size, count := make(map[string]openField, len(fs)), 0, 0
	for _, key := range slices.Sorted(maps.Keys(fs)) {
		if !validKey(key) {
			fault("submission", fmt.Sprintf("the key of a field is empty, has more than %d bytes, or holds what cannot be printed", maxKey))
			continue
		}
		f := fs[key]
		value, err := fieldValue(f.Value)
		switch {
		case err != nil:
			fault("field "+key, err.Error())
		case len(f.Label) > maxText || !utf8.ValidString(f.Label):
			fault("field "+key, fmt.Sprintf("its label has more than %d bytes, or is not valid UTF-8 text", maxText))
		}
		size += len(key) + len(f.Label)
		for _, text := range fieldTexts(value) {
			size += len(text)
			count++
		}
		all[key] = openField{f.Label, value}
	}
	if count > maxFieldValues || size > maxFieldBytes {
		fault("submission", fmt.Sprintf("its fields have more than %d values, or more than %d bytes together", maxFieldValues, maxFieldBytes))
	}
	return all
}

// validKey reports whether a text can be the key of a field or a label.
func validKey(key string) bool {
	return key != "" && len(key) <= maxKey && utf8.ValidString(key) &&
		!strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) })
}

// checkNotes tells what is wrong with what a submission says besides who the
// data subject is.
func (s *Submission) checkNotes(fault func(subject, message string)) {
	s.Fields.kept(fault)
	if len(s.Source) > maxSource || !utf8.ValidString(s.Source) {
		fault("submission", fmt.Sprintf("its source has more than %d bytes, or is not valid UTF-8 text", maxSource))
	}
	if len(s.Labels) > maxLabels {
		fault("submission", fmt.Sprintf("it has more than %d labels", maxLabels))
		return
	}
	for _, key := range slices.Sorted(maps.Keys(s.Labels)) {
		switch v := s.Labels[key]; {
		case !validKey(key):
			fault("submission", fmt.Sprintf("the key of a label is empty, has more than %d bytes, or holds what cannot be printed", maxKey))
		case len(v) > maxText || !utf8.ValidString(v):
			fault("label "+key, fmt.Sprintf("it has more than %d bytes, or is not valid UTF-8 text", maxText))
		}
	}
}

// fieldMark begins the look-up of a field's value, so that requests which have
// a value in common are not taken for those of one data subject.
const fieldMark = "field\x00"

// fieldLookup hashes a value of a field for exact search.
func (e *Engine) fieldLookup(ctx context.Context, key, text string) ([]byte, error) {
	hash, err := e.config.Keyring.Lookup(ctx, []byte(fieldMark+key+"\x00"+text))
	if err != nil {
		return nil, fmt.Errorf("dsr: hash a field: %w", err)
	}
	return append([]byte(fieldMark), hash...), nil
}

// fieldLookups hashes all values of the fields, each once.
func (e *Engine) fieldLookups(ctx context.Context, fields map[string]openField) (hashes [][]byte, err error) {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		texts := fieldTexts(fields[key].Value)
		slices.Sort(texts)
		for _, text := range slices.Compact(texts) {
			hash, err := e.fieldLookup(ctx, key, text)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, hash)
		}
	}
	return hashes, nil
}

// people are the look-ups of the data subject, without those of fields.
func (rec *Record) people() (hashes [][]byte) {
	for _, hash := range rec.Lookup {
		if !bytes.HasPrefix(hash, []byte(fieldMark)) {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}
