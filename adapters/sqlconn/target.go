package sqlconn

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godsr/dsr"
)

// target is what a connection's secrets say, and what is wrong with it. Faults
// may quote what is not sensitive, as far as it has the right shape.
type target struct {
	secrets map[string]string
	faults  []string
}

func (t *target) fault(format string, args ...any) {
	t.faults = append(t.faults, fmt.Sprintf(format, args...))
}

// hostName are names as resolvers take them; colons and percent signs belong to
// addresses of IPv6.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?$`)

// host returns the host and the port, as they are joined in an address.
func (t *target) host(allow []string, port string) string {
	host := t.secrets["host"]
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil && !hostName.MatchString(host), addr.Zone() != "":
		t.fault("the host is neither a name nor an IP address")
	case !allowed(host, addr.Unmap(), allow):
		t.fault("the host %q is not among those that connections may go to", host)
	}
	text := cmp.Or(t.secrets["port"], port)
	for _, entry := range allow {
		if _, err := netip.ParsePrefix(entry); err != nil && strings.Contains(entry, "/") {
			t.fault("TypeOptions.Allow holds %q, which is no network", entry)
		}
	}
	if n, err := strconv.ParseUint(text, 10, 16); err != nil || n == 0 {
		t.fault("the port is not a number from 1 to 65535")
	}
	for name, value := range t.secrets {
		if strings.ContainsRune(value, 0) {
			t.fault("%s has a zero byte", name)
		}
	}
	slices.Sort(t.faults)
	if tunnel := t.secrets["ssh_required"]; tunnel != "" {
		if wanted, err := strconv.ParseBool(strings.ToLower(tunnel)); err != nil || wanted {
			t.fault("ssh_required can only be false: there are no SSH tunnels; open one beside this process, and give its address as the host")
		}
	}
	return net.JoinHostPort(host, text)
}

// allowed reports whether a host is in a list, by its name or by its address.
func allowed(host string, addr netip.Addr, list []string) bool {
	if list == nil {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(list, func(entry string) bool {
		if network, err := netip.ParsePrefix(entry); err == nil {
			return network.Contains(addr)
		}
		if own, err := netip.ParseAddr(entry); err == nil {
			return own.Unmap() == addr
		}
		entry = strings.ToLower(entry)
		if below, ok := strings.CutPrefix(entry, "*."); ok {
			return strings.HasSuffix(host, "."+below)
		}
		return host == entry
	})
}

// mode returns the SSL mode in the words of the driver.
func (t *target) mode(standard string, words map[string]string) string {
	name := strings.ReplaceAll(strings.ToLower(cmp.Or(t.secrets["ssl_mode"], standard)), "_", "-")
	word, ok := words[name]
	if !ok {
		known := make([]string, 0, len(words))
		for name := range words {
			known = append(known, name)
		}
		slices.Sort(known)
		t.fault("there is no such ssl_mode; there are: %s", strings.Join(known, ", "))
	}
	return word
}

// postgresAddress is a URL as pgx reads it
// (https://pkg.go.dev/github.com/jackc/pgx/v5/pgconn#ParseConfig). Everything is
// spelt out that pgx would otherwise take from the environment and the files of
// this process, whose passwords are not for whoever defines connections.
func (t *connectionType) postgresAddress(to *target) string {
	host := to.host(t.opts.Allow, "5432")
	mode := to.mode(cmp.Or(t.opts.SSLMode, "prefer"), map[string]string{
		"disable": "disable", "allow": "allow", "prefer": "prefer", "require": "require", "verify-ca": "verify-ca", "verify-full": "verify-full",
	})
	user := to.secrets["username"]
	query := url.Values{
		"user": {user}, "password": {to.secrets["password"]}, "passfile": {os.DevNull},
		"database": {cmp.Or(to.secrets["dbname"], user)}, "sslmode": {mode}, "connect_timeout": {seconds(t.opts.Timeout)},
	}
	escaped := strings.ReplaceAll(query.Encode(), "+", "%20") // as libpq reads it, a plus is one
	return (&url.URL{Scheme: "postgres", Host: host, Path: "/", RawQuery: escaped}).String()
}

// mysqlAddress is a data source name of go-sql-driver
// (https://github.com/go-sql-driver/mysql#dsn-data-source-name): the name ends
// at the first colon, the password at the last "@" before the last slash, and
// neither is escaped.
func (t *connectionType) mysqlAddress(to *target) string {
	host := to.host(t.opts.Allow, "3306")
	mode := to.mode(cmp.Or(t.opts.SSLMode, "preferred"), map[string]string{
		"disable": "false", "disabled": "false", "prefer": "preferred", "preferred": "preferred",
		"require": "skip-verify", "required": "skip-verify", "verify-full": "true", "verify-identity": "true",
	})
	user := to.secrets["username"]
	if strings.Contains(user, ":") {
		to.fault("the driver takes no username with a colon")
	}
	return user + ":" + to.secrets["password"] + "@tcp(" + host + ")/" + url.PathEscape(to.secrets["dbname"]) +
		"?parseTime=true&timeout=" + seconds(t.opts.Timeout) + "s&tls=" + mode
}

// seconds rounds up to whole seconds.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// sqliteAddress is a URI of SQLite (https://sqlite.org/uri.html) with pragmas as
// modernc.org/sqlite reads them. A file that is not there is not made.
func (t *connectionType) sqliteAddress(to *target) string {
	path := to.secrets["path"]
	if t.opts.Dir == "" {
		to.fault("the host names no directory for files of SQLite (TypeOptions.Dir)")
	}
	if !filepath.IsLocal(path) || strings.ContainsRune(path, 0) {
		to.fault("the path must be that of a file below the host's directory, such as \"shop.db\"")
	}
	whole, err := filepath.Abs(filepath.Join(t.opts.Dir, path))
	if err != nil {
		to.fault("the host's directory cannot be found")
	}
	if err := inside(t.opts.Dir, path); to.faults == nil && err != nil && !errors.Is(err, dsr.ErrUnavailable) {
		to.fault("%s", strings.TrimPrefix(err.Error(), "sqlconn: "))
	}
	whole = filepath.ToSlash(whole)
	if !strings.HasPrefix(whole, "/") {
		whole = "/" + whole
	}
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)", "foreign_keys(1)"}}
	return (&url.URL{Scheme: "file", Path: whole, RawQuery: query.Encode()}).String()
}

// inside refuses a path of which a symbolic link leads out of a directory, and
// what is no file. One that is not there is the database's to tell.
func inside(dir, path string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return &Error{Operation: "open", reason: "the directory of the database's file cannot be opened", passing: true}
	}
	defer root.Close() //nolint:errcheck // nothing was written
	switch info, err := root.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return &Error{Operation: "open", reason: "the path is not that of a file"}
	case err != nil && !os.IsNotExist(err):
		return &Error{Operation: "open", reason: "the path leads out of the host's directory, or may not be opened", cause: fs.ErrPermission}
	}
	return nil
}
