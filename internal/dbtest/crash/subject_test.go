package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// person is a customer of the shop, with rows of their own.
type person struct {
	id          int
	email, name string
	orders      []order
	wishes      []*wish
}

type order struct {
	id   int
	note *string
}

// wish is a request that somebody makes, and what is to become of it.
type wish struct {
	policy, reference string
	verb              string // what the desk says to it; empty for nothing
	end               dsr.Status
	id                string
	view              *requestView // once it has ended
}

// requestView is a request as the example shows it.
type requestView struct {
	ID, Policy, Failure string
	Status              dsr.Status
	Collections         []struct {
		Collection    string
		Found, Erased int
	}
}

// wants is what the people of one round ask for; the last one for nothing.
func wants() [][]wish {
	return [][]wish{
		{{policy: "access", end: dsr.StatusComplete}},
		{{policy: "erasure", verb: "approve", end: dsr.StatusComplete}},
		{{policy: "access", end: dsr.StatusComplete}, {policy: "erasure", verb: "approve", end: dsr.StatusComplete}},
		{{policy: "leave", verb: "approve", end: dsr.StatusComplete}},
		{{policy: "erasure", verb: "deny", end: dsr.StatusDenied}},
		{{policy: "leave", verb: "cancel", end: dsr.StatusCanceled}},
		nil,
	}
}

// people makes those of a round. Their orders take turns.
func people(round int) []*person {
	const orders = 6
	all := wants()
	made := make([]*person, len(all))
	for i, wishes := range all {
		p := &person{id: round*100 + i + 1}
		p.email, p.name = fmt.Sprintf("Qzxmail.%d@example.com", p.id), fmt.Sprintf("Qzxname %d", p.id)
		for n := range orders {
			o := order{id: round*100 + n*len(all) + i + 1}
			if n%3 != 2 {
				note := fmt.Sprintf("Qzxtext %d of %d", n, p.id)
				o.note = &note
			}
			p.orders = append(p.orders, o)
		}
		for n, wish := range wishes {
			wish.reference = fmt.Sprintf("form %d-%d", p.id, n)
			p.wishes = append(p.wishes, &wish)
		}
		made[i] = p
	}
	return made
}

// erased reports whether the person's rows are to be masked.
func (p *person) erased() bool {
	return slices.ContainsFunc(p.wishes, func(w *wish) bool { return w.end == dsr.StatusComplete && w.policy != "access" })
}

// errGone says that a call got no answer.
var errGone = errors.New("no answer")

// call calls a route of the process that serves now, as the privacy desk.
func (w *shopWorld) call(ctx context.Context, verb, method, path string, body any) (status int, answer []byte, err error) {
	base := w.url.Load()
	if base == nil {
		return 0, nil, errGone
	}
	data, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, *base+path, bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer desk")
	req.Close = true
	w.ambush.called(verb)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, errors.Join(errGone, context.Cause(ctx))
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(resp.Body); err != nil {
		return 0, nil, errGone
	}
	return resp.StatusCode, answer, nil
}

// pursue does for a wish what comes next, again and again, until its request
// has one of the statuses. A call that got no answer is made again.
func (w *shopWorld) pursue(ctx context.Context, who *person, wish *wish, until ...dsr.Status) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := w.next(ctx, who, wish)
		switch {
		case err != nil && !errors.Is(err, errGone):
			return fmt.Errorf("%s: request %s: %w", wish.reference, wish.id, err)
		case err == nil && slices.Contains(until, status):
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: request %s is %q: %w", wish.reference, wish.id, status, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// next does one thing for a wish and returns the status that it found.
func (w *shopWorld) next(ctx context.Context, who *person, wish *wish) (dsr.Status, error) {
	if wish.id == "" {
		status, answer, err := w.call(ctx, "submit", http.MethodPost, "/privacy/requests",
			map[string]string{"policy": wish.policy, "email": strings.ToUpper(who.email), "reference": wish.reference})
		if err != nil {
			return "", err
		}
		var v requestView
		if err := json.Unmarshal(answer, &v); err != nil || status != http.StatusAccepted {
			return "", fmt.Errorf("submit: %d %s", status, answer)
		}
		wish.id = v.ID
	}
	path := "/privacy/requests/" + wish.id
	status, answer, err := w.call(ctx, "show", http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	v := &requestView{}
	if err := json.Unmarshal(answer, v); err != nil || status != http.StatusOK {
		return "", fmt.Errorf("show: %d %s", status, answer)
	}
	wish.view = v
	var verb string
	body := map[string]string{}
	switch v.Status {
	case dsr.StatusUnverified:
		// Whoever was killed may have stored a code and not sent it: it comes
		// all the same, and nobody has to ask for another.
		mail, err := os.ReadFile(w.path("outbox", wish.id+".txt"))
		if errors.Is(err, fs.ErrNotExist) {
			return v.Status, nil
		}
		if err != nil {
			return "", err
		}
		verb, body["code"] = "verify", sixDigits.FindString(string(mail))
	case dsr.StatusPending:
		verb, body["reason"] = wish.verb, "qzxtext of the desk"
	case dsr.StatusApproved, dsr.StatusInProcessing:
		return v.Status, nil
	case wish.end:
		return v.Status, nil
	default:
		return "", fmt.Errorf("it is %s: %s", v.Status, v.Failure)
	}
	status, answer, err = w.call(ctx, verb, http.MethodPost, path+"/"+verb, body)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK && status != http.StatusConflict {
		return "", fmt.Errorf("%s: %d %s", verb, status, answer)
	}
	return v.Status, nil
}

// fulfil pursues all that a person asks for. An erasure is not approved before
// the access that was asked for first has begun.
func (w *shopWorld) fulfil(ctx context.Context, p *person) error {
	for _, wish := range p.wishes[:max(len(p.wishes)-1, 0)] {
		if err := w.pursue(ctx, p, wish, dsr.StatusInProcessing, wish.end); err != nil {
			return err
		}
	}
	var errs []error
	for _, wish := range slices.Backward(p.wishes) {
		errs = append(errs, w.pursue(ctx, p, wish, wish.end))
	}
	return errors.Join(errs...)
}

// sixDigits is the code in a mail.
var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)
