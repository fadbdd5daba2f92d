// Embed is the HTTP service of a made-up shop that answers data subject
// requests itself: dsr runs inside its process, beside its own routes, on its
// own database handle and behind its own authorization.
//
//	go run ./examples/embed
//	go run ./examples/embed -db postgres://… -store postgres://… -dir /var/lib/shop
//	go run ./examples/embed -dir /var/lib/shop -verify
//
// privacy.go, desk.go and outbox.go are all that the library adds to the shop;
// shop.go and database.go would be there without it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	s := settings{desk: "desk"} // a real service takes it from a secret store
	flag.StringVar(&s.addr, "addr", "127.0.0.1:8080", "listen on this `address`")
	flag.StringVar(&s.dir, "dir", "", "keep files, keys and packages in this `folder`, instead of a temporary one")
	flag.StringVar(&s.db, "db", "", "the shop's database, a postgres:// or mysql:// `address`, instead of a SQLite file in the folder")
	flag.StringVar(&s.store, "store", "", "keep requests at this postgres:// `address`, instead of in a SQLite file in the folder")
	flag.DurationVar(&s.coolingOff, "cooling-off", 5*time.Second, "wait for this `time` between approval and erasure; a real shop takes days")
	flag.DurationVar(&s.lease, "lease", time.Minute, "take over after this `time` what a killed process was working on")
	verify := flag.Bool("verify", false, "verify the audit trail and stop")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	do := run
	if *verify {
		do = verifyAudit
	}
	err := do(ctx, s, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Then it lets the requests of the network finish,
// lets the privacy requests stop at a safe point, signs the audit trail, and
// closes the databases, in that order. What was not finished goes on with the
// next start.
func run(ctx context.Context, s settings, out, log io.Writer) (err error) {
	if s.dir == "" {
		s.dir, err = os.MkdirTemp("", "dsr-embed-")
	} else {
		err = os.MkdirAll(s.dir, 0o700)
	}
	if err != nil {
		return err
	}
	app, err := newApp(ctx, s, nil, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.close()) }()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: app.routes(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintf(out, "Serving a shop at http://%s, with its files in %s\n\n%s\n", listener.Addr(), s.dir, tryIt(listener.Addr().String(), s))

	after := context.WithoutCancel(ctx)
	working, stopWorking := context.WithCancel(after)
	defer stopWorking()
	worked, served := make(chan error, 1), make(chan error, 1)
	go func() { worked <- app.engine.Run(working) }()
	go func() { served <- server.Serve(listener) }()

	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-worked:
		worked <- nil
	}
	draining, cancel := context.WithTimeout(after, 10*time.Second)
	defer cancel()
	err = errors.Join(err, server.Shutdown(draining))
	stopWorking()
	err = errors.Join(err, <-worked)
	_, signErr := app.engine.Audit().Checkpoint(after)
	return errors.Join(err, signErr)
}

// verifyAudit says whether the audit trail is as it was written.
func verifyAudit(ctx context.Context, s settings, out, log io.Writer) (err error) {
	if _, err := os.Stat(s.dir); err != nil {
		return fmt.Errorf("-verify needs the -dir of a service: %w", err)
	}
	app, err := newApp(ctx, s, nil, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.close()) }()
	report, err := app.engine.Audit().Verify(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d requests, %d entries, %d of them since the last of %d checkpoints\n", report.Chains, report.Entries, report.Unsigned, report.Checkpoints)
	for _, f := range report.Findings {
		fmt.Fprintf(out, "%s %d %s: %s\n", f.RequestID, f.Seq, f.Kind, f.Message)
	}
	if n := int64(len(report.Findings)) + report.Omitted; n > 0 {
		return fmt.Errorf("the audit trail has %d faults", n)
	}
	return nil
}

// tryIt are commands to paste into another terminal.
func tryIt(addr string, s settings) string {
	return fmt.Sprintf(`Paste this into another terminal, a part at a time:

  shop=http://%[1]s/ desk='Authorization: Bearer %[2]s'
  ask() { curl -s ${shop}privacy/requests -d '{"policy":"'$1'","email":"Nia.Vale@example.com"}' | sed 's/.*"id":"\([^"]*\)".*/\1/'; }
  verify() { curl -s ${shop}privacy/requests/$1/verify -d '{"code":"'$(grep -Eow '[0-9]{6}' '%[3]s/outbox/'$1.txt)'"}'; }
  curl -s ${shop}orders -d '{"email":"nia.vale@example.com","name":"Nia Vale","product":"teapot","note":"Leave it with the neighbour"}'

  id=$(ask access); cat '%[3]s/outbox/'$id.txt; verify $id
  sleep 1; link=$(curl -s -H "$desk" ${shop}privacy/requests/$id/link -d '{}' | sed 's/.*"link":"\/\([^"]*\)".*/\1/')
  echo $shop$link; curl -s $shop$link

  id=$(ask erasure); verify $id; curl -s -H "$desk" "${shop}privacy/requests?status=pending"
  curl -s -H "$desk" ${shop}privacy/requests/$id/approve -d '{"reason":"no open invoice"}'
  sleep %.0[4]f; curl -s -H "$desk" ${shop}privacy/requests/$id; curl -s ${shop}orders/1
`, addr, s.desk, s.dir, s.coolingOff.Seconds()+1)
}
