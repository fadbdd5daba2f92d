package dsr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/adapters/webhook"
	"github.com/godsr/dsr/graph"
)

// crmReceiver knows the customer numbers that belong to an e-mail address.
func crmReceiver(numbers map[string][]string, secret string) (http.Handler, error) {
	verifier, err := webhook.NewVerifier([]string{secret}, nil)
	if err != nil {
		return nil, err
	}
	return verifier.Handler(func(w http.ResponseWriter, _ *http.Request, _ string, body []byte) error {
		call, err := webhook.DecodeCall(body)
		if err != nil {
			return err
		}
		answer := webhook.Answer{Identities: webhook.Identity{}}
		for _, email := range call.Identity["email"] {
			answer.Identities["customer_no"] = append(answer.Identities["customer_no"], numbers[email]...)
		}
		return answer.Write(w)
	}), nil
}

// A hook asks the CRM, over HTTP, by what else it knows the data subject; the
// invoices of that customer are then found as well.
func ExampleHook() {
	const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	handler, err := crmReceiver(map[string][]string{"nia.vale@example.com": {"K-7"}}, secret)
	if err != nil {
		panic(err)
	}
	receiver := httptest.NewServer(handler)
	defer receiver.Close()

	crm, err := webhook.New(receiver.URL, []string{secret}, &webhook.Options{
		Personal: true,                                                               // the CRM must see the e-mail address
		Insecure: true, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, // in this example only
	})
	if err != nil {
		panic(err)
	}
	datasets, diagnostics := graph.Load("shop.yml", []byte(`
dataset:
  - fides_key: shop
    collections:
      - name: customers
        fields:
          - {name: email, data_categories: [user.contact.email], fides_meta: {identity: email, primary_key: true}}
      - name: invoices
        fields:
          - {name: number, data_categories: [user.financial], fides_meta: {primary_key: true}}
          - {name: customer, data_categories: [user.unique_id], fides_meta: {identity: customer_no}}
`), nil)
	if err := diagnostics.Err(); err != nil {
		panic(err)
	}
	db := memory.NewConnector(map[string][]map[string]any{
		"customers": {{"email": "nia.vale@example.com"}},
		"invoices":  {{"number": "2026-1", "customer": "K-7"}, {"number": "2026-2", "customer": "K-8"}},
	}, nil)
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: db, Datasets: []string{"shop"}}},
		Policies:    []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "all", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{
			"nowhere": {Storage: &deliveries{count: map[string]int{}}},
		},
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(),
		Hooks: map[string]dsr.Hook{"crm": crm},
		Flow:  dsr.Flow{Before: []dsr.Hooking{{Hook: "crm", TwoWay: true}}},
	})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	request, err := engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	if err != nil {
		panic(err)
	}
	if request, err = engine.Requests().Advance(ctx, request.ID); err != nil {
		panic(err)
	}
	fmt.Println(request.Status, request.Hooks[0].Hook, request.Hooks[0].Identities)
	for _, c := range request.Collections {
		fmt.Println(c.Address, c.Rows)
	}
	// Output:
	// complete crm 1
	// shop:customers 1
	// shop:invoices 1
}

// The endpoint of a host at which a receiver answers later that had halted a
// request.
func ExampleRequests_ResumeWith() {
	var engine *dsr.Engine // made by dsr.New
	mux := http.NewServeMux()
	mux.HandleFunc("POST /privacy-request/{id}/resume", func(w http.ResponseWriter, r *http.Request) {
		var answer webhook.Answer
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&answer); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, err := engine.Requests().ResumeWith(r.Context(), r.PathValue("id"), r.Header.Get("Reply-To-Token"), dsr.Identities(answer.Identities))
		switch {
		case errors.Is(err, dsr.ErrToken):
			w.WriteHeader(http.StatusForbidden)
		case errors.Is(err, dsr.ErrConflict): // not halted yet, or no longer
			w.WriteHeader(http.StatusConflict)
		case err != nil:
			w.WriteHeader(http.StatusBadRequest)
		}
	})
}
