package dsr_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// The mailing list is kept by another company, which erases people when asked
// by e-mail, on Mondays.
func ExampleVendor() {
	ctx := context.Background()
	now := time.Date(2030, 1, 3, 9, 0, 0, 0, time.UTC) // a Thursday
	datasets, diags := graph.Load("shop.yml", []byte(`
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: id, data_categories: [user.unique_id], fides_meta: {primary_key: true, data_type: integer}}
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, data_type: string}}
`), nil)
	if err := diags.Err(); err != nil {
		panic(err)
	}
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "nia@example.com"}, {"id": 2, "email": "ravi@example.com"}}}
	mails := memory.NewNotifier()
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(rows, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "forget", Rules: []graph.Rule{{
			Key: "erase", Action: graph.Erasure, Targets: []graph.Category{"user.contact"}, Masking: &graph.Masking{Strategy: "random_string_rewrite"},
		}}}},
		Store: memory.NewStore(), Spool: memory.NewSpool(), Keyring: dsr.NewEphemeralKeyring(),
		Notifier: mails,
		Vendors: []dsr.Vendor{{
			Key: "letters", Name: "Letters Ltd", Address: "privacy@letters.example",
			Identities: []string{"email"},
			When:       dsr.Weekly(time.Monday, 9, 0, time.UTC),
		}},
		Clock: func() time.Time { return now },
	})
	if err != nil {
		panic(err)
	}
	var ids []string
	send := func() { // Run would do so at the right time
		if _, err := engine.Messages().Send(ctx); err != nil {
			panic(err)
		}
	}
	send()
	for _, email := range []string{"nia@example.com", "ravi@example.com"} {
		req, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "forget", Identities: dsr.Identities{"email": {email}}, Silent: true})
		if err == nil {
			req, err = engine.Requests().Advance(ctx, req.ID)
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(req.Status, req.Awaits)
		ids = append(ids, req.ID)
	}
	now = now.AddDate(0, 0, 4) // Monday
	send()
	for _, n := range mails.Notices() {
		lines := strings.Split(n.Text, "\n")
		fmt.Println(n.Kind, n.Vendor.Address, len(n.People), "people;", lines[0])
	}
	for _, id := range ids {
		req, err := engine.Requests().Advance(ctx, id)
		if err != nil {
			panic(err)
		}
		fmt.Println(req.Status, req.Vendors[0].AskedAt.Format(time.DateTime))
		by := dsr.By{Actor: "privacy desk", Reason: "they wrote that it is done"}
		// Somebody has read the vendor's answer.
		if _, err = engine.Vendors().Confirm(ctx, id, "letters", by); err == nil {
			req, err = engine.Requests().Advance(ctx, id)
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(req.Status)
	}
	// Output:
	// awaiting_email_send [vendor:letters]
	// awaiting_email_send [vendor:letters]
	// erase privacy@letters.example 2 people; Hello Letters Ltd,
	// pending_external 2030-01-07 09:00:00
	// complete
	// pending_external 2030-01-07 09:00:00
	// complete
}

// What waits in the outbox can be looked at, sent again, or dropped.
func ExampleMessages() {
	var engine *dsr.Engine
	mend := func(ctx context.Context) error {
		list, err := engine.Messages().Pending(ctx, "", 0)
		if err != nil {
			return err
		}
		for _, m := range list {
			if !m.Refused {
				continue // it is tried again by itself
			}
			fmt.Println(m.RequestID, m.Notice, m.Failure)
			if m.Notice == dsr.NoticeReceived {
				err = engine.Messages().Discard(ctx, m.ID)
			} else {
				err = engine.Messages().Retry(ctx, m.ID)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	_ = mend
}
