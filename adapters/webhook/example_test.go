package webhook_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/webhook"
)

func Example_receive() {
	oldSecret, newSecret := older, secret

	verifier, err := webhook.NewVerifier([]string{newSecret, oldSecret}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	notices := verifier.Handler(func(_ http.ResponseWriter, _ *http.Request, id string, body []byte) error {
		event, err := webhook.DecodeEvent(body)
		if err != nil {
			return err
		}
		fmt.Println(id, event.Type, event.Data.RequestID)
		return nil // an error lets the sender try again
	})
	hooks := verifier.Handler(func(w http.ResponseWriter, _ *http.Request, _ string, body []byte) error {
		call, err := webhook.DecodeCall(body)
		if err != nil {
			return err
		}
		answer := webhook.Answer{Identities: webhook.Identity{"customer_id": {"c-" + call.RequestID}}}
		return answer.Write(w)
	})

	mux := http.NewServeMux()
	mux.Handle("/notices", notices)
	mux.Handle("/hooks", hooks)
	server := httptest.NewServer(mux)
	defer server.Close()
	ctx := context.Background()
	opts := &webhook.Options{Insecure: true, Allow: loopback()}
	client, err := webhook.New(server.URL+"/notices", []string{newSecret}, opts)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client.Notify(ctx, dsr.Notice{ID: "n1", Kind: dsr.NoticeComplete, RequestID: "r1", At: time.Now()}))
	if client, err = webhook.New(server.URL+"/hooks", []string{newSecret}, opts); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Call(ctx, &dsr.HookCall{ID: "c1", Hook: "crm", Phase: dsr.HookBefore, TwoWay: true, Request: &dsr.Request{ID: "r1"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Identities["customer_id"][0])
	// Output:
	// n1 privacy_request.completed r1
	// <nil>
	// c-r1
}

func Example_send() {
	newSecret, oldSecret := secret, older

	hook, err := webhook.New("https://crm.shop.example/privacy", []string{newSecret, oldSecret}, &webhook.Options{
		Personal: true, ReplyTo: "https://privacy.shop.example/api/v1",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	notifier, err := webhook.New("https://desk.shop.example/notices", []string{newSecret}, &webhook.Options{Personal: true})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer hook.Close()
	defer notifier.Close()
	// Output:
}

// The guide shows the examples.
func TestGuide(t *testing.T) {
	t.Parallel()
	source, guide := file(t, "example_test.go"), file(t, "../../docs/webhooks.md")
	for begin, end := range map[string]string{
		"oldSecret, newSecret := older, secret\n\n": "\n\tmux := ",
		"newSecret, oldSecret := secret, older\n\n": "\n\tdefer hook",
	} {
		_, body, found := strings.Cut(source, begin)
		require.True(t, found)
		body, _, found = strings.Cut(body, end)
		require.True(t, found)
		require.Contains(t, guide, "```go"+strings.ReplaceAll("\n"+body, "\n\t", "\n")+"```\n")
	}
}
