package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// Format is what the first line of an export names.
	Format = "dsr-audit/1"
	// MaxLine is how many bytes a line of an export may have, with its
	// newline.
	MaxLine = 16 << 20
)

// header is the first line of an export.
type header struct {
	Format    string `json:"format"`
	PublicKey []byte `json:"public_key"`
	// Only lists the requests that the export is restricted to.
	Only []string `json:"only,omitempty"`
}

// line is every other line: one of these.
type line struct {
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	Entry      *Entry      `json:"entry,omitempty"`
	End        *trailer    `json:"end,omitempty"`
}

// trailer is the last line of an export.
type trailer struct {
	Checkpoints int64 `json:"checkpoints"`
	Entries     int64 `json:"entries"`
	// SHA256 is over all lines before this one, with their newlines.
	SHA256 []byte `json:"sha256"`
}

// normal returns a line in the one form in which it is written: times in UTC,
// lists and hashes never null.
func (l line) normal() line {
	if l.Checkpoint != nil {
		c := *l.Checkpoint
		c.Time, c.Prev, c.Hash, c.Signature = c.Time.UTC(), notNil(c.Prev), notNil(c.Hash), notNil(c.Signature)
		c.Heads = append(make([]Head, 0, len(c.Heads)), c.Heads...)
		for i := range c.Heads {
			c.Heads[i].Hash = notNil(c.Heads[i].Hash)
		}
		l.Checkpoint = &c
	}
	if l.Entry != nil {
		e := *l.Entry
		e.Time, e.Prev, e.Hash, e.MAC = e.Time.UTC(), notNil(e.Prev), notNil(e.Hash), notNil(e.MAC)
		l.Entry = &e
	}
	if l.End != nil {
		end := *l.End
		end.SHA256 = notNil(end.SHA256)
		l.End = &end
	}
	return l
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// encodeLine returns a header or a line as JSON with its newline.
func encodeLine[T header | line](value T) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	var err error
	if l, ok := any(value).(line); ok {
		err = enc.Encode(l.normal())
	} else {
		err = enc.Encode(value)
	}
	if err != nil {
		return nil, fmt.Errorf("write it as JSON: %w", err)
	}
	if out.Len() > MaxLine {
		return nil, fmt.Errorf("its line has %d bytes, more than %d", out.Len(), MaxLine)
	}
	return out.Bytes(), nil
}

// decodeLine reads what encodeLine wrote, and nothing else: a line that says
// the same in other bytes could say something else to another program.
func decodeLine[T header | line](text []byte) (T, error) {
	var value, none T
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&value); err != nil {
		return none, fmt.Errorf("it is not what an export holds there: %w", unquoted(err))
	}
	again, err := encodeLine(value)
	if err != nil {
		return none, err
	}
	if !bytes.Equal(again, text) {
		return none, errors.New("it is valid JSON, but not as an export is written (order and case of fields, blanks, escapes, times in UTC, one value per line): it was changed or formatted")
	}
	return value, nil
}

// unquoted keeps the text of a broken file out of errors.
func unquoted(err error) error {
	var parse *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF):
		return errors.New("the JSON ends too early")
	case errors.As(err, &parse):
		return fmt.Errorf("broken JSON at byte %d", parse.Offset)
	case errors.As(err, &kind):
		return fmt.Errorf("field %q has the wrong type at byte %d", kind.Field, kind.Offset)
	}
	return err
}

// readLine returns the next line with its newline, and io.EOF when there is
// none. It holds until the next call.
func readLine(r *bufio.Reader, buffer *[]byte) ([]byte, error) {
	*buffer = (*buffer)[:0]
	for {
		part, err := r.ReadSlice('\n')
		if len(*buffer)+len(part) > MaxLine {
			return nil, fmt.Errorf("it has more than %d bytes; no line of an export is that long", MaxLine)
		}
		*buffer = append(*buffer, part...)
		switch {
		case err == nil:
			return *buffer, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(*buffer) == 0:
			return nil, io.EOF
		case err == io.EOF:
			return nil, errors.New("it does not end with a newline: the file was cut off")
		default:
			return nil, fmt.Errorf("read it: %w", err)
		}
	}
}
