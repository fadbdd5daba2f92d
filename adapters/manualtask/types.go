package manualtask

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/manual"
)

// ConnectionType returns the type of connections that people answer, for
// [dsr.Config].ConnectionTypes; in Fides it is called "manual_task". It takes no
// secrets. Its options are those of [ReadOptions]; without any, its connections
// have no collections.
func ConnectionType() dsr.ConnectionType {
	return dsr.ConnectionType{
		Title: "Manual task",
		CheckOptions: func(options json.RawMessage) error {
			_, err := ReadOptions(options)
			return err
		},
		Connect: func(s dsr.ConnectionSettings) (dsr.Connector, error) {
			if len(s.Options) == 0 {
				return &Connector{}, nil
			}
			o, err := ReadOptions(s.Options)
			if err != nil {
				return nil, err
			}
			return New(o)
		},
	}
}

// ReadOptions reads options from JSON, see [Options]. A key that there is not is
// an error; so is all that [Options.Check] finds.
func ReadOptions(text []byte) (*Options, error) {
	o := &Options{}
	if err := decodeStrictly(text, o); err != nil {
		var wrong *manual.FaultError
		var malformed *json.SyntaxError
		switch {
		case errors.As(err, &wrong):
			return nil, fmt.Errorf("manualtask: a condition: %w", wrong)
		case errors.As(err, &malformed), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			return nil, errors.New("manualtask: the options are no JSON")
		}
		return nil, fmt.Errorf("manualtask: the options cannot be read: %w", err)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return o, nil
}

// decodeStrictly reads one JSON value of known keys, and nothing after it.
func decodeStrictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value")
	}
	return nil
}

// wire is a collection in JSON.
type wire struct {
	Title        string            `json:"title,omitempty"`
	Instructions string            `json:"instructions,omitempty"`
	Fields       []Field           `json:"fields,omitempty"`
	Assignees    []string          `json:"assignees,omitempty"`
	Due          duration          `json:"due,omitzero"`
	Remind       duration          `json:"remind,omitzero"`
	When         *manual.Condition `json:"when,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (c Collection) MarshalJSON() ([]byte, error) {
	return json.Marshal(wire{c.Title, c.Instructions, c.Fields, c.Assignees, duration(c.Due), duration(c.Remind), c.When})
}

// UnmarshalJSON implements [json.Unmarshaler]. A key that there is not is an
// error.
func (c *Collection) UnmarshalJSON(text []byte) error {
	var w wire
	if err := decodeStrictly(text, &w); err != nil {
		return err
	}
	*c = Collection{w.Title, w.Instructions, w.Fields, w.Assignees, time.Duration(w.Due), time.Duration(w.Remind), w.When}
	return nil
}

// duration is a text such as "168h" in JSON.
type duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration, such as 48h", text)
	}
	*d = duration(parsed)
	return nil
}
