package dbtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Options say how a server runs. The zero value is a fast server for tests.
type Options struct {
	// Durable makes every commit wait for the disk, as in production.
	// Defaults to false: a killed server loses nothing, a lost machine does.
	Durable bool
	// Args are further command-line arguments of the server.
	// Defaults to none.
	Args []string
}

// patience is how long a program may take until it answers, and longer than any
// takes on a busy machine.
const patience = 5 * time.Minute

// A server that ends by itself is started starts times, with a pause between.
const (
	starts = 20
	pause  = 100 * time.Millisecond
)

// engine is what differs between the products.
type engine struct {
	name       string
	driver     string
	admin      string // the database to connect to for administration
	stopSignal os.Signal
	socket     string // file name of the socket below the server's directory
	initialise func(s *Server) error
	serve      func(s *Server) []string
	dsn        func(dir, database string) string
	tcp        func(addr *net.TCPAddr, database string) string
	quote      func(name string) string
	drop       string // the statement that drops a database, with one %s
}

// Server is one database server and its directory. Its methods may be called
// from several goroutines.
type Server struct {
	engine  engine
	options *Options
	dir     string
	owner   *owner
	install string // the program that makes an empty data directory
	program string // the server itself

	mu      sync.Mutex
	running *process

	hold io.Closer
	reap func() error
}

// Dir is the directory with the server's data, socket and log.
func (s *Server) Dir() string { return s.dir }

// Log is the path of the server's log file.
func (s *Server) Log() string { return filepath.Join(s.dir, "server.log") }

// DSN is the connection string of a database for the engine's driver: "pgx"
// of jackc/pgx or "mysql" of go-sql-driver. Other processes can use it. An
// empty database means the one for administration.
func (s *Server) DSN(database string) string {
	if database == "" {
		database = s.engine.admin
	}
	return s.engine.dsn(s.dir, database)
}

// Open opens a database of the server; the caller closes it. An empty
// database means the one for administration.
func (s *Server) Open(database string) (*sql.DB, error) {
	return sql.Open(s.engine.driver, s.DSN(database))
}

// CreateDatabase makes an empty database.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	return s.exec(ctx, "CREATE DATABASE "+s.engine.quote(name))
}

// DropDatabase drops a database and cuts off whoever uses it.
func (s *Server) DropDatabase(ctx context.Context, name string) error {
	for {
		err := s.exec(ctx, fmt.Sprintf(s.engine.drop, s.engine.quote(name)))
		// PostgreSQL gives up when a connection that it cuts off is not gone
		// after five seconds.
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "55006" {
			return err
		}
	}
}

func (s *Server) exec(ctx context.Context, statement string) error {
	db, err := s.Open("")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}

// Start starts a server that was stopped or killed and returns when it
// answers. On a running server it does nothing.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive() {
		return nil
	}
	for n := 1; ; n++ {
		retry, err := s.start()
		if err == nil || !retry || n == starts {
			return err
		}
		<-time.After(pause)
	}
}

// start makes one attempt. It is worth a retry when the server ended by
// itself: what a killed one left behind may have been in its way.
func (s *Server) start() (retry bool, err error) {
	log, err := os.OpenFile(s.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return false, fmt.Errorf("start %s: %w", s.engine.name, err)
	}
	defer log.Close() //nolint:errcheck // the server writes to its own copy
	cmd := s.owner.command(s.dir, s.program, s.engine.serve(s)...)
	cmd.Stdout, cmd.Stderr = log, log
	p, err := launch(cmd)
	if err != nil {
		return false, fmt.Errorf("start %s: %w", s.engine.name, err)
	}
	pid := strconv.Itoa(p.os.Pid) + "\n"
	if err := os.WriteFile(filepath.Join(s.dir, pidFile), []byte(pid), 0o600); err != nil {
		return false, errors.Join(fmt.Errorf("start %s: %w", s.engine.name, err), p.kill())
	}
	if retry, err := s.await(p); err != nil {
		return retry, errors.Join(err, p.kill())
	}
	s.running = p
	return false, nil
}

// await returns when the server answers, has ended or is too late.
func (s *Server) await(p *process) (ended bool, err error) {
	db, err := s.Open("")
	if err != nil {
		return false, err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return false, nil
		}
		select {
		case <-p.done:
			return true, fmt.Errorf("%s ended while starting; its log ends:\n%s", s.engine.name, s.logTail())
		case <-ctx.Done():
			return false, fmt.Errorf("%s does not answer after %s (%w); its log ends:\n%s",
				s.engine.name, patience, err, s.logTail())
		case <-tick.C:
		}
	}
}

// alive reports whether the process runs; s.mu is held.
func (s *Server) alive() bool {
	if s.running == nil {
		return false
	}
	select {
	case <-s.running.done:
		return false
	default:
		return true
	}
}

// Stop shuts the server down in order and waits until it is gone. On a
// stopped server it does nothing.
func (s *Server) Stop() error {
	return s.end(func(p *process) error { return p.stop(s.engine.stopSignal) })
}

// Kill ends the server with SIGKILL, as a crash does, and waits until it is
// gone. On a stopped server it does nothing.
func (s *Server) Kill() error { return s.end((*process).kill) }

func (s *Server) end(how func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running == nil {
		return nil
	}
	if err := how(s.running); err != nil {
		return fmt.Errorf("end %s: %w", s.engine.name, err)
	}
	s.running = nil
	if err := os.Remove(filepath.Join(s.dir, pidFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("end %s: %w", s.engine.name, err)
	}
	return nil
}

// Close kills the server and removes its directory if the server made it. It
// need not be called: the end of the process does the same.
func (s *Server) Close() error {
	if err := s.Kill(); err != nil {
		return err
	}
	if err := s.hold.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close %s: %w", s.engine.name, err)
	}
	return s.reap()
}

// logTail is the end of the server's log, for error messages.
func (s *Server) logTail() string {
	log, err := os.ReadFile(s.Log())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-2000):])
}
