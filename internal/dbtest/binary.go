package dbtest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// MissingError says that the machine lacks a program that a server needs.
type MissingError struct {
	// Server is the product, for example "PostgreSQL".
	Server string
	// Programs are the names that were looked for; one folder must hold one
	// alternative of each.
	Programs []string
	// Searched are the folders that were looked through.
	Searched []string
}

// Error names the programs, the folders and the command that installs them.
func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not installed: no %s in %s; install it with %q (make test does so)",
		e.Server, strings.Join(e.Programs, " and "), strings.Join(e.Searched, ", "), installCommand(e.Server))
}

// Is makes a MissingError match fs.ErrNotExist.
func (e *MissingError) Is(target error) bool { return target == fs.ErrNotExist }

// program is what a server needs of the machine: for each entry one of the
// alternatives, the preferred one first.
type program struct {
	server   string
	needs    [][]string
	patterns []string
}

var (
	postgresProgram = program{
		server: "PostgreSQL",
		needs:  [][]string{{"initdb"}, {"postgres"}},
		patterns: []string{
			"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/libexec/postgresql*",
			"/usr/local/pgsql/bin", "/usr/local/bin", "/usr/bin",
			"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
			"/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
		},
	}
	mariadbProgram = program{
		server: "MariaDB",
		needs:  [][]string{{"mariadb-install-db", "mysql_install_db"}, {"mariadbd"}},
		patterns: []string{
			"/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin",
			"/usr/local/mysql/bin", "/usr/local/mysql/scripts",
			"/opt/homebrew/opt/mariadb*/bin", "/usr/local/opt/mariadb*/bin",
			"/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/opt/mariadb*/bin",
		},
	}
)

// find returns the path of each needed program. The folders of PATH come
// first, then the usual ones, of several versions the highest.
func (p program) find(path string) ([]string, error) {
	folders := filepath.SplitList(path)
	for _, pattern := range p.patterns {
		matches, err := filepath.Glob(pattern)
		if err != nil {
			return nil, fmt.Errorf("look for %s in %s: %w", p.server, pattern, err)
		}
		slices.SortStableFunc(matches, func(a, b string) int { return cmp.Compare(versionOf(b), versionOf(a)) })
		folders = append(folders, matches...)
	}
	found := make([]string, len(p.needs))
	var missing []string
	for i, names := range p.needs {
		if found[i] = findIn(folders, names); found[i] == "" {
			missing = append(missing, names[0])
		}
	}
	if missing != nil {
		return nil, &MissingError{Server: p.server, Programs: missing, Searched: slices.Concat([]string{"PATH"}, p.patterns)}
	}
	return found, nil
}

func findIn(folders, names []string) string {
	for _, name := range names {
		for _, folder := range folders {
			if !filepath.IsAbs(folder) {
				continue
			}
			candidate := filepath.Join(folder, name)
			if info, err := os.Stat(candidate); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return candidate
			}
		}
	}
	return ""
}

var versionNumber = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// versionOf is the last number in a folder's path, 0 without one.
func versionOf(folder string) float64 {
	numbers := versionNumber.FindAllString(folder, -1)
	if numbers == nil {
		return 0
	}
	version, err := strconv.ParseFloat(numbers[len(numbers)-1], 64)
	if err != nil {
		return 0
	}
	return version
}

// installCommand is what a person types on this machine to install a server.
func installCommand(server string) string {
	if server == s3Name {
		return "make servers"
	}
	packages := map[string]map[string]string{
		"apt-get": {"PostgreSQL": "apt-get install -y postgresql", "MariaDB": "apt-get install -y mariadb-server", "Chromium": "apt-get install -y chromium"},
		"dnf":     {"PostgreSQL": "dnf install -y postgresql-server", "MariaDB": "dnf install -y mariadb-server", "Chromium": "dnf install -y chromium"},
		"apk":     {"PostgreSQL": "apk add postgresql", "MariaDB": "apk add mariadb mariadb-server-utils", "Chromium": "apk add chromium"},
		"brew":    {"PostgreSQL": "brew install postgresql@17", "MariaDB": "brew install mariadb", "Chromium": "brew install chromium"},
	}
	order := []string{"apt-get", "dnf", "apk", "brew"}
	if runtime.GOOS == "darwin" {
		order = []string{"brew"}
	}
	for _, manager := range order {
		_, err := exec.LookPath(manager)
		if err == nil || errors.Is(err, exec.ErrDot) {
			return packages[manager][server]
		}
	}
	return packages[order[0]][server]
}
