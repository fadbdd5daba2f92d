package fides_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/api/fides"
	"github.com/godsr/dsr/adapters/api/oauth"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
)

// The door in front of an engine in memory: a script takes a token and asks for
// the names of a person to be erased.
func Example() {
	datasets, found := graph.Load("shop.yml", []byte(shopYAML), nil)
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "nia.vale@example.com", "name": "Nia Vale"}}}
	engine, err := dsr.New(dsr.Config{
		Datasets:    datasets,
		Connections: []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(rows, nil), Datasets: []string{"shop"}}},
		Policies: []graph.Policy{{Key: "forget", Rules: []graph.Rule{{
			Key: "names", Action: graph.Erasure, Targets: []graph.Category{"user.name"}, Masking: &graph.Masking{Strategy: "null_rewrite"},
		}}}},
		Store: memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		NewID: func() string { return "pri_1" },
	})
	if err != nil || found.Err() != nil {
		fmt.Println(err, found.Err())
		return
	}
	server, err := oauth.New(&oauth.Options{
		Records: oauth.NewMemoryRecords(), Key: make([]byte, 32), // random, and kept
		Root: oauth.Credentials{ID: "fidesopsadmin", Secret: "fidesopsadminsecret"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	door, err := fides.New(engine, &fides.Options{OAuth: server})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", door)
	web := httptest.NewServer(mux)
	defer web.Close()

	token, err := server.Token(context.Background(), "fidesopsadmin", "fidesopsadminsecret", nil) // or POST /api/v1/oauth/token
	if err != nil {
		fmt.Println(err)
		return
	}
	type shown struct{ ID, Status string }
	call := func(method, path, body string, answer any) {
		r, _ := http.NewRequestWithContext(context.Background(), method, web.URL+"/api/v1"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token.Value)
		r.Header.Set("Content-Type", "application/json")
		got, err := web.Client().Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer func() { _ = got.Body.Close() }()
		err = json.NewDecoder(got.Body).Decode(answer)
		fmt.Println(method, path, got.StatusCode, err)
	}
	var created struct{ Succeeded []shown }
	call("POST", "/privacy-request", `[{"policy_key":"forget","identity":{"email":"nia.vale@example.com"}}]`, &created)
	fmt.Println(created.Succeeded)
	if _, err := engine.Requests().Advance(context.Background(), "pri_1"); err != nil { // engine.Run does it by itself
		fmt.Println(err)
	}
	var now shown
	call("GET", "/privacy-request/pri_1", "", &now)
	fmt.Println(now)
	// Output:
	// POST /privacy-request 200 <nil>
	// [{pri_1 approved}]
	// GET /privacy-request/pri_1 200 <nil>
	// {pri_1 complete}
}

// The door under a prefix of the host's own, which [http.StripPrefix] takes away:
// routes answer there with and without /api/v1.
func Example_prefix() {
	engine, err := dsr.New(dsr.Config{
		ConnectionTypes: map[string]dsr.ConnectionType{"manual_webhook": {Title: "Manual"}}, // what to do is defined over HTTP
		Store:           memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := oauth.New(&oauth.Options{Records: oauth.NewMemoryRecords(), Key: make([]byte, 32)}) // random, and kept
	if err != nil {
		fmt.Println(err)
		return
	}
	door, err := fides.New(engine, &fides.Options{OAuth: server, Server: "/privacy"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/privacy/", http.StripPrefix("/privacy", door))
	for _, path := range []string{"/privacy/health", "/privacy/api/v1/health", "/health"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /privacy/health 200
	// /privacy/api/v1/health 200
	// /health 404
}
