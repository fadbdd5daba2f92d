package dbtest

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

func mariadbEngine() engine {
	const socket = "mariadb.sock"
	return engine{
		name:       "MariaDB",
		driver:     "mysql",
		admin:      "mysql",
		stopSignal: syscall.SIGTERM,
		socket:     socket,
		initialise: func(s *Server) error {
			return s.run(s.install, "--no-defaults", "--datadir="+s.data(),
				"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
		},
		serve: func(s *Server) []string {
			args := []string{
				"--no-defaults", "--datadir=" + s.data(), "--tmpdir=" + s.dir,
				"--socket=" + filepath.Join(s.dir, socket), "--pid-file=" + filepath.Join(s.dir, "mariadb.pid"),
				"--skip-networking", "--skip-log-bin", "--max-connections=200",
				"--innodb-buffer-pool-size=64M", "--performance-schema=OFF", "--default-time-zone=+00:00",
				"--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
			}
			if !s.options.Durable {
				args = append(args, "--innodb-flush-log-at-trx-commit=2", "--sync-frm=OFF")
			}
			return slices.Concat(args, s.options.Args)
		},
		dsn: func(dir, database string) string {
			return mariadbDSN("unix", filepath.Join(dir, socket), database)
		},
		tcp: func(addr *net.TCPAddr, database string) string {
			return mariadbDSN("tcp", addr.String(), database)
		},
		quote: func(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" },
		drop:  "DROP DATABASE %s",
	}
}

func mariadbDSN(network, addr, database string) string {
	config := mysql.NewConfig()
	config.User = "root"
	config.Net = network
	config.Addr = addr
	config.DBName = database
	config.ParseTime = true
	config.Loc = time.UTC
	config.Logger = &mysql.NopLogger{}
	return config.FormatDSN()
}
