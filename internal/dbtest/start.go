package dbtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// StartPostgres starts a PostgreSQL server whose files are in dir; see
// [StartMariaDB] for what dir may be. The driver's name is "pgx", the
// superuser is "postgres" without a password, the encoding UTF-8.
func StartPostgres(dir string, opts *Options) (*Server, error) {
	return startServer(postgresEngine(), postgresProgram, dir, opts)
}

// StartMariaDB starts a MariaDB server whose files are in dir. A dir that
// holds a server's files from before is used again, an empty or absent one is
// filled. An empty string means a temporary directory that goes with the
// server. As root, the user nobody must be able to reach dir. The driver's
// name is "mysql", the superuser is "root" without a password, the character
// set utf8mb4.
//
// It returns a [*MissingError] when the server is not installed.
func StartMariaDB(dir string, opts *Options) (*Server, error) {
	return startServer(mariadbEngine(), mariadbProgram, dir, opts)
}

// longestSocket is the longest path of a unix socket that both Linux and
// macOS take.
const longestSocket = 103

func startServer(e engine, need program, dir string, opts *Options) (_ *Server, err error) {
	found, err := need.find(os.Getenv("PATH"))
	if err != nil {
		return nil, err
	}
	own, err := serverOwner()
	if err != nil {
		return nil, err
	}
	temporary := dir == ""
	if temporary {
		dir, err = os.MkdirTemp("", "dbtest-"+e.driver+"-")
	} else {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("prepare the directory of %s: %w", e.name, err)
	}
	if err := checkSocket(e, dir); err != nil {
		return nil, err
	}
	hold, wait, err := reap(dir, temporary)
	if err != nil {
		return nil, err
	}
	s := &Server{
		engine: e, options: cmp.Or(opts, &Options{}), dir: dir, owner: own,
		install: found[0], program: found[1], hold: hold, reap: sync.OnceValue(wait),
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.Start(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// checkSocket refuses a directory whose socket could not be bound.
func checkSocket(e engine, dir string) error {
	if socket := filepath.Join(dir, e.socket); len(socket) > longestSocket {
		return fmt.Errorf("start %s: the socket's path %s has %d bytes, at most %d work; choose a shorter directory",
			e.name, socket, len(socket), longestSocket)
	}
	return nil
}

// prepare makes the directory and, when it is new, an empty data directory.
func (s *Server) prepare() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("prepare the directory of %s: %w", s.engine.name, err)
	}
	if err := s.owner.own(s.dir); err != nil {
		return fmt.Errorf("prepare the directory of %s: %w", s.engine.name, err)
	}
	ready := filepath.Join(s.dir, "initialised")
	if _, err := os.Stat(ready); err == nil {
		return nil
	}
	if err := s.engine.initialise(s); err != nil {
		return err
	}
	return os.WriteFile(ready, nil, 0o600)
}

// run runs a program to its end and tells its output when it fails.
func (s *Server) run(program string, args ...string) error {
	cmd := s.owner.command(s.dir, program, args...)
	output, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("run %s in %s: %w; as root the user nobody must be able to reach that directory",
			filepath.Base(program), s.dir, err)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w\n%s", filepath.Base(program), err, output)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }
