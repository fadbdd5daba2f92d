package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/godsr/dsr"
)

// outbox stands in for the shop's e-mail: each message with a code to verify
// becomes a file, named after its request. What else happens is logged, which
// must not hold anything personal. The engine tries again what fails here.
type outbox struct {
	dir string
	log *slog.Logger
}

// Notify implements [dsr.Notifier].
func (o *outbox) Notify(ctx context.Context, n dsr.Notice) error {
	o.log.InfoContext(ctx, "privacy request", "id", n.RequestID, "policy", n.Policy, "notice", string(n.Kind))
	if n.Kind != dsr.NoticeVerify {
		return nil
	}
	mail := fmt.Sprintf("To: %s\nSubject: %s\n\n%s", strings.Join(n.To["email"], ", "), n.Subject, n.Text)
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	return writeFile(filepath.Join(o.dir, n.RequestID+".txt"), []byte(mail))
}
