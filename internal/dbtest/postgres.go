package dbtest

import (
	"net"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"syscall"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

func postgresEngine() engine {
	return engine{
		name:       "PostgreSQL",
		driver:     "pgx",
		admin:      "postgres",
		stopSignal: syscall.SIGINT, // its fast shutdown
		socket:     ".s.PGSQL.5432",
		initialise: func(s *Server) error {
			locale := "C.UTF-8"
			if runtime.GOOS == "darwin" {
				locale = "en_US.UTF-8"
			}
			return s.run(s.install, "-D", s.data(), "-U", "postgres", "-A", "trust",
				"-E", "UTF8", "--locale="+locale, "--no-sync")
		},
		serve: func(s *Server) []string {
			args := []string{
				"-D", s.data(), "-k", s.dir, "-h", "", "-p", "5432",
				"-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "timezone=UTC",
			}
			if !s.options.Durable {
				args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off")
			}
			return slices.Concat(args, s.options.Args)
		},
		dsn: func(dir, database string) string {
			query := url.Values{"host": {dir}, "port": {"5432"}, "user": {"postgres"}, "sslmode": {"disable"}}
			return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}).String()
		},
		tcp: func(addr *net.TCPAddr, database string) string {
			query := url.Values{"user": {"postgres"}, "sslmode": {"disable"}}
			return (&url.URL{Scheme: "postgres", Host: addr.String(), Path: "/" + database, RawQuery: query.Encode()}).String()
		},
		quote: func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` },
		drop:  "DROP DATABASE %s WITH (FORCE)",
	}
}
