package download_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/download"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/graph"
	"github.com/godsr/dsr/storage"
)

func Example() {
	ctx := context.Background()
	engine, request, end := completeRequest(ctx)
	defer end()

	// In the server of the shop:
	mux := http.NewServeMux()
	mux.Handle("/privacy/downloads/", download.New(engine, &download.Options{Contact: "privacy@shop.example"}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}

	// Where the request is complete:
	token, expires, err := engine.Downloads().Link(ctx, request.ID, "", &dsr.LinkOptions{
		Expires: 3 * 24 * time.Hour, Once: true, By: dsr.By{Actor: "privacy desk"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mail := "Download your data until " + expires.Format(time.DateOnly) + ":\nhttps://shop.example/privacy/downloads/" + token

	fmt.Println(strings.Replace(mail, token, "…", 1))
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPost} { // a page, the data, and what is used up
		fmt.Println(call(ctx, server, method, token))
	}
	// Output:
	// Download your data until 2030-01-05:
	// https://shop.example/privacy/downloads/…
	// 200 text/html; charset=utf-8
	// 200 application/json
	// 410 text/html; charset=utf-8
}

// The guide shows the example.
func TestGuide(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	guide, err := os.ReadFile("../../docs/downloads.md")
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(source), "defer end()\n\n")
	body, _, found := strings.Cut(body, "\n\tfmt.Println(strings.Replace(")
	require.True(t, found)
	require.Contains(t, string(guide), "```go"+strings.ReplaceAll("\n"+body, "\n\t", "\n")+"```\n")
}

// completeRequest is a shop whose clock stands still.
func completeRequest(ctx context.Context) (engine *dsr.Engine, request *dsr.Request, end func()) {
	datasets, _, err := graph.LoadFS(fstest.MapFS{"shop.yml": {Data: []byte(shopYAML)}}, []string{"*.yml"}, nil)
	check(err)
	dir, err := os.MkdirTemp("", "dsr-example-")
	check(err)
	rows := map[string][]map[string]any{"customers": {{"id": 1, "email": "nia.vale@example.com"}}}
	engine, err = dsr.New(dsr.Config{
		Datasets:     datasets,
		Connections:  []dsr.Connection{{Key: "shop", Connector: memory.NewConnector(rows, nil), Datasets: []string{"shop"}}},
		Policies:     []graph.Policy{{Key: "access", Rules: []graph.Rule{{Key: "everything", Action: graph.Access, Targets: []graph.Category{"user"}}}}},
		Destinations: map[string]dsr.Destination{"folder": {Storage: storage.NewFolder(dir, nil)}},
		Store:        memory.NewStore(), Keyring: dsr.NewEphemeralKeyring(), Spool: memory.NewSpool(),
		Clock: func() time.Time { return begin },
	})
	check(err)
	request, err = engine.Requests().Submit(ctx, dsr.Submission{Policy: "access", Identities: dsr.Identities{"email": {"nia.vale@example.com"}}})
	check(err)
	request, err = engine.Requests().Advance(ctx, request.ID)
	check(err)
	return engine, request, func() { check(os.RemoveAll(dir)) }
}

func call(ctx context.Context, s *http.Server, method, token string) string {
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, method, "/privacy/downloads/"+token, http.NoBody))
	return fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
