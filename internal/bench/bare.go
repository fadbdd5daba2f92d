package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/internal/value"
)

// Cast is whom the calls of a load are about.
type Cast struct {
	Token string
	// People are the IDs of requests that came through the API, of the
	// persons 0, 1 and so on.
	People []string
}

// Bare answers the calls of operations by playing the statements that a front
// door needs for each, and writing as many bytes as that answers.
type Bare struct {
	play   Player
	cast   *Cast
	hashes [][]byte // of the people
	parts  map[string]*part
}

// part is what a Bare knows of an operation.
type part struct {
	Operation
	tape   *Tape
	rec    *dsr.Record // whom the tape is about; nil for nobody
	answer []byte
	letter string // the ID of the message that it stores
}

// NewBare records each operation, with a front door over the deck's taped store.
func NewBare(ctx context.Context, deck *Deck, door http.Handler, cast *Cast) (*Bare, error) {
	b := &Bare{play: deck.Play, cast: cast, parts: map[string]*part{}}
	for _, id := range cast.People {
		rec, err := deck.Taped.Request(ctx, id)
		if err != nil {
			return nil, err
		}
		b.hashes = append(b.hashes, rec.Lookup[0])
	}
	for i, o := range Operations() {
		p := &part{Operation: o, tape: &Tape{still: !o.Makes}}
		b.parts[o.Name] = p
		// What an engine does once must not be on the tape.
		if _, err := ask(ctx, door, &o, cast.Token, p.whom(cast), fmt.Sprintf("w%d", i)); err != nil {
			return nil, err
		}
		number := fmt.Sprintf("t%d", i)
		if !o.Makes {
			number = PersonNumber + "0"
		}
		var err error
		if p.answer, err = ask(Record(ctx, p.tape), door, &o, cast.Token, p.whom(cast), number); err != nil {
			return nil, err
		}
		id := p.whom(cast)
		if o.Makes {
			var made struct {
				Succeeded []struct{ ID string }
			}
			if err := json.Unmarshal(p.answer, &made); err != nil {
				return nil, err
			}
			if len(made.Succeeded) == 0 {
				return nil, fmt.Errorf("%s: nothing was made: %s", o.Name, p.answer)
			}
			id = made.Succeeded[0].ID
		}
		p.letter = p.tape.postpone()
		if p.rec, err = deck.Taped.Request(ctx, id); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (p *part) whom(c *Cast) string {
	if p.Crowd {
		return CrowdID(1)
	}
	return c.People[0]
}

// ask calls a front door without a network.
func ask(ctx context.Context, door http.Handler, o *Operation, token, id, number string) ([]byte, error) {
	target, body := o.Target(id, number)
	r := httptest.NewRequestWithContext(ctx, o.Method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	door.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return nil, fmt.Errorf("%s: %d %s", o.Name, w.Code, w.Body)
	}
	return w.Body.Bytes(), nil
}

// Counts say how much each operation asks of the database.
func (b *Bare) Counts() map[string]Counts {
	counts := map[string]Counts{}
	for name, p := range b.parts {
		counts[name] = p.tape.Counts()
	}
	return counts
}

// ServeHTTP implements [http.Handler].
func (b *Bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := b.parts[r.Header.Get("X-Operation")]
	if p == nil {
		http.Error(w, "no such operation", http.StatusNotFound)
		return
	}
	_, err := io.Copy(io.Discard, r.Body)
	if err == nil {
		err = b.play(r.Context(), p.tape, b.swap(p, r))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(p.answer)
}

// swap makes the tape one about whom the call names.
func (b *Bare) swap(p *part, r *http.Request) Swap {
	if !p.about() || p.Same {
		return nil
	}
	var id string
	hash, number := p.rec.Lookup, r.Header.Get("X-Number")
	swap := Swap{}
	switch {
	case p.Makes:
		random := make([]byte, len(hash[0]))
		_, _ = rand.Read(random) // it never fails
		id, hash = "pri_"+uuid.NewString(), [][]byte{random}
		was, now := p.rec.ExternalID, LoadExternal(number)
		swap[was], swap[value.Fold(was)], swap[p.letter] = now, value.Fold(now), rand.Text()
	case p.Crowd:
		id = path.Base(r.URL.Path)
	default:
		n, err := strconv.Atoi(strings.TrimPrefix(number, PersonNumber))
		if err != nil || n >= len(b.cast.People) {
			n = 0
		}
		id, hash = b.cast.People[n], [][]byte{b.hashes[n]}
	}
	for was, now := range map[string]string{p.rec.ID: id, value.Fold(p.rec.ID): value.Fold(id)} {
		swap[was], swap["%"+was+"%"] = now, "%"+now+"%"
	}
	for i, was := range p.rec.Lookup {
		if !bytes.Equal(was, hash[0]) {
			swap[string(was)] = string(hash[min(i, len(hash)-1)])
		}
	}
	return swap
}

// postpone puts off the message that is stored on the tape, so that no engine
// takes it, and returns its ID.
func (t *Tape) postpone() (id string) {
	const year = 365 * 24 * time.Hour
	for i := range t.calls {
		c := &t.calls[i]
		if !strings.HasPrefix(c.text, "INSERT") || !strings.Contains(c.text, "messages (id,version,request_id,due_at,") {
			continue
		}
		id, _ = c.args[0].(string)
		switch due := c.args[3].(type) {
		case int64:
			c.args[3] = due + int64(year)
		case pgtype.Timestamptz:
			due.Time = due.Time.Add(year)
			c.args[3] = due
		}
	}
	return id
}
