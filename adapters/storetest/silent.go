package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/godsr/dsr"
)

// secret stands in all that errors must not quote.
const secret = "nia.vale@example.com"

// silent has a store refuse changes for each reason there is.
func silent(ctx context.Context, s dsr.Store) error {
	over, cancel := context.WithCancel(ctx)
	cancel()
	m, e, plain := message("m", "r1"), entryOf("k", "e", false), entryOf("k", "p", true)
	for _, data := range []*[]byte{&m.Data, &m.Sealed, &e.Data, &e.Sealed, &plain.Data, &plain.Sealed} {
		*data = []byte(`"` + secret + `"`)
	}
	change := func(alter func(*dsr.StoreChange)) func(context.Context) error {
		return func(ctx context.Context) error {
			ch := &dsr.StoreChange{ExpectVersion: 1, Record: sample("r1"), Events: events(1), AppendJournal: chunks(1), Messages: put(m)}
			ch.Record.Version = 2
			lengthen(ch, 1)
			quote := []byte(secret)
			ch.Record.ExternalID, ch.Record.Failure = secret, secret
			ch.Record.Identity, ch.Record.Details, ch.Record.Manual = quote, quote, quote
			ch.Record.Lookup, ch.Record.Keys = [][]byte{quote}, map[string][]byte{"identity": quote}
			ch.Events[0].Message, ch.AppendJournal[0].Sealed = secret, quote
			ch.Audit[0].Actor, ch.Audit[0].Details = secret, map[string]string{"reason": secret}
			alter(ch)
			return s.Commit(ctx, ch)
		}
	}
	as := func(*dsr.StoreChange) {}
	query := dsr.RecordQuery{ExternalID: secret, Text: secret, Lookup: [][]byte{[]byte(secret)}}
	for _, refused := range []struct {
		name string
		ctx  context.Context
		call func(context.Context) error
	}{
		{"Commit under a context that is over", over, change(as)},
		{"Commit of another version", ctx, change(func(ch *dsr.StoreChange) { ch.ExpectVersion, ch.Record.Version = 7, 8 })},
		{"Commit of an earlier epoch", ctx, change(func(ch *dsr.StoreChange) { ch.Record.Epoch = 1 })},
		{"Commit of a tick for no chunk", ctx, change(func(ch *dsr.StoreChange) { ch.Ticks = []dsr.Tick{{Seq: 9}} })},
		{"Commit with a message of another version", ctx, change(func(ch *dsr.StoreChange) {
			ch.Messages[0].ExpectVersion, ch.Messages[0].Message.Version = 7, 8
		})},
		{"Commit with a message of another request", ctx, change(func(ch *dsr.StoreChange) { ch.Messages[0].Message.RequestID = "r2" })},
		{"SaveMessages under a context that is over", over, func(ctx context.Context) error { return s.SaveMessages(ctx, put(m)) }},
		{"SaveMessages of another version", ctx, func(ctx context.Context) error {
			changed := put(m)
			changed[0].ExpectVersion, changed[0].Message.Version = 7, 8
			return s.SaveMessages(ctx, changed)
		}},
		{"SaveMessages of nobody", ctx, func(ctx context.Context) error {
			other := m
			other.RequestID = "r2"
			return s.SaveMessages(ctx, put(other))
		}},
		{"SaveEntries under a context that is over", over, func(ctx context.Context) error { _, err := s.SaveEntries(ctx, putEntries(e)); return err }},
		{"SaveEntries of another version", ctx, func(ctx context.Context) error {
			changed := putEntries(plain, e)
			changed[1].ExpectVersion, changed[1].Entry.Version = 7, 8
			_, err := s.SaveEntries(ctx, changed)
			return err
		}},
		{"Requests under a context that is over", over, func(ctx context.Context) error { _, err := s.Requests(ctx, query); return err }},
	} {
		if err := refused.call(refused.ctx); err != nil && strings.Contains(err.Error(), secret) {
			return fmt.Errorf("the error of %s quotes what the store was given", refused.name)
		}
	}
	return nil
}
