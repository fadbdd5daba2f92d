package smtp_test

import (
	"context"
	"fmt"
	"net/mail"
	"os"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/smtp"
)

// A notifier that hands its mail to a server for submission, and finds the
// addresses of groups in the host's own directory.
func Example() {
	groups := map[string][]string{"crm": {"crm-1@example.com", "crm-2@example.com"}}
	notifier, err := smtp.New(&smtp.Options{
		Host: "mail.example.com", Username: "privacy", Password: os.Getenv("SMTP_PASSWORD") + "example",
		From:      mail.Address{Name: "Privacy desk", Address: "privacy@example.com"},
		ReplyTo:   mail.Address{Address: "privacy-answers@example.com"},
		Operators: []string{"desk@example.com"},
		Assignees: func(_ context.Context, assignee string) ([]string, error) {
			if group, ok := groups[assignee]; ok {
				return group, nil
			}
			return []string{assignee}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var _ dsr.Notifier = notifier
	fmt.Println("ready")
	// Output: ready
}
