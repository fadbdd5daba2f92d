package smtptest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/godsr/dsr/adapters/notifiertest"
	"github.com/godsr/dsr/adapters/smtp"
	"github.com/godsr/dsr/internal/dbtest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	notifiertest.Run(t, notifiertest.Harness{
		New: func(context.Context) (*notifiertest.OtherSide, error) {
			server := dbtest.SMTP(t, nil)
			opts := options(server)
			n, err := smtp.New(opts)
			if err != nil {
				return nil, err
			}
			fault := func(f dbtest.SMTPFault) func(bool) {
				return func(on bool) {
					f := f
					if !on {
						f = dbtest.SMTPHealthy
					}
					server.Fail(f)
				}
			}
			return &notifiertest.OtherSide{
				Notifier: n, Operators: opts.Operators,
				Received:   func() ([]notifiertest.Received, error) { return arrived(server) },
				Down:       fault(dbtest.SMTPDeferRecipient),
				Reject:     fault(dbtest.SMTPRefuseRecipient),
				LoseAnswer: fault(dbtest.SMTPLoseAnswer),
				Hang:       fault(dbtest.SMTPSilent),
			}, nil
		},
		Lacks: map[notifiertest.Feature]string{notifiertest.Kinds: "mail has no field for it"},
	})
}

// arrived is what the server took, with the Message-ID as mark.
func arrived(server *dbtest.SMTPServer) ([]notifiertest.Received, error) {
	var list []notifiertest.Received
	for _, m := range server.Messages() {
		r, err := read(m)
		if err != nil {
			return nil, err
		}
		list = append(list, notifiertest.Received{
			ID: strings.Trim(r.header.Get("Message-Id"), "<>"), To: []string{m.To}, Subject: r.subject, Text: r.text, HTML: r.html,
		})
	}
	return list, nil
}
