// Embed is the HTTP service of a made-up shop that answers data subject
// requests itself: dsr runs inside its process, beside its own routes, on its
// own database handle and behind its own authorization.
//
//	go run ./examples/embed
//
// privacy.go is all that the library adds to the shop; shop.go would be there
// without it.
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
	addr := flag.String("addr", "127.0.0.1:8080", "listen on this `address`")
	dir := flag.String("dir", "", "keep databases, keys and packages in this `folder`, instead of a temporary one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *addr, *dir, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Then it lets the requests of the network finish,
// lets the privacy requests stop at a safe point, and closes the databases, in
// that order. What was not finished goes on with the next start.
func run(ctx context.Context, addr, dir string, out io.Writer) (err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "dsr-embed-")
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return err
	}
	keyring, err := loadKeyring(dir)
	if err != nil {
		return err
	}
	app, err := newApp(ctx, dir, "desk", keyring, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.close()) }()

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: app.routes(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintf(out, "Serving a shop at http://%s, with everything it keeps in %s\n\n%s\n", listener.Addr(), dir, tryIt(listener.Addr().String()))

	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
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
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, server.Shutdown(draining))
	stopWorking()
	return errors.Join(err, <-worked)
}

// tryIt are commands to paste into another terminal.
func tryIt(addr string) string {
	return fmt.Sprintf(`Paste this into another terminal:

  shop=http://%s desk='Authorization: Bearer desk'
  curl -s $shop/orders -d '{"email":"nia.vale@example.com","name":"Nia Vale","product":"teapot","note":"Leave it with the neighbour"}'
  id=$(curl -s -H "$desk" $shop/privacy/requests -d '{"policy":"access","email":"Nia.Vale@example.com"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
  sleep 1; curl -s -H "$desk" $shop/privacy/requests/$id
  curl -s -H "$desk" $shop/privacy/requests/$id/package
  curl -s -H "$desk" $shop/privacy/requests -d '{"policy":"erasure","email":"nia.vale@example.com"}'
  sleep 1; curl -s $shop/orders/1
`, addr)
}
