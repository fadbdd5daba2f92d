// Server is a whole service for data subject requests in one process: Fides'
// HTTP API in front of dsr, with OAuth clients, a store that outlives it, and a
// small demo shop to try it on.
//
//	go run ./examples/server
//	go run ./examples/server -data /var/lib/dsr -demo=false
//	go run ./examples/server -data /var/lib/dsr -store postgres://…
//
// Everything that it answers about is configured over its API, and kept: it
// starts where it was stopped, or killed. service.go is how the library is set
// up, settings.go the flags, demo.go the shop. Without the demo, its first client
// is the root client of OAUTH_ROOT_CLIENT_ID and OAUTH_ROOT_CLIENT_SECRET.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/godsr/dsr/adapters/api/oauth"
)

func main() {
	s, err := parse(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil: // which is told
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err = run(ctx, s, os.Getenv, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. Then it lets HTTP requests finish, and cuts off
// those that take too long; privacy requests stop at a safe point; it signs the
// audit trail and closes the store. What was not finished goes on with the next
// start.
func run(ctx context.Context, s settings, getenv func(string) string, out, log io.Writer) (err error) {
	root := oauth.RootFromEnv(getenv)
	if err := s.check(root); err != nil {
		return err
	}
	service, err := newService(ctx, s, root, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.close()) }()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	server := service.server()
	fmt.Fprint(out, service.welcome(listener.Addr().String()))

	after := context.WithoutCancel(ctx)
	working, stopWorking := context.WithCancel(after)
	defer stopWorking()
	worked, served, purged := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() { worked <- service.engine.Run(working) }()
	go func() { served <- server.Serve(listener) }()
	go func() { defer close(purged); service.oauth.Run(working) }()

	select {
	case <-ctx.Done():
	case err = <-served:
	case err = <-worked:
		worked <- nil
	}
	err = errors.Join(err, service.finish(after, server))
	stopWorking()
	err = errors.Join(err, <-worked)
	<-purged
	_, signErr := service.engine.Audit().Checkpoint(after)
	return errors.Join(err, signErr)
}

// server is what the door is served by.
func (s *service) server() *http.Server {
	return &http.Server{
		Handler: s.door, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		DisableGeneralOptionsHandler: true, // the door answers OPTIONS * as well
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
}

// finish lets HTTP requests finish for a while, and then cuts them off, so that
// none goes on when the store is closed.
func (s *service) finish(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, s.drain)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("HTTP requests that did not finish in time are cut off", "time", s.drain.String())
		err = server.Close()
	}
	return err
}

// welcome says where everything is.
func (s *service) welcome(addr string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Serving data subject requests at http://%s\n", addr)
	fmt.Fprintf(&text, "  the API       http://%s/docs\n", addr)
	fmt.Fprintf(&text, "  packages      %s\n", s.path("fides_uploads"))
	fmt.Fprintf(&text, "  SQLite files  %s, of connections\n", s.path("databases"))
	if !s.demo {
		return text.String()
	}
	if !s.ownRoot {
		fmt.Fprintf(&text, "  demo client   %s, its secret is in %s\n", demoClient, s.path("demo-secret"))
	}
	if s.demoMissing {
		text.WriteString("\nThe demo's policies are not there, since there was a configuration before. To try them, name a new folder with -data.\n")
	} else {
		fmt.Fprintf(&text, "\n%s\n", s.tryIt(addr))
	}
	return text.String()
}
