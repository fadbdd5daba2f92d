package crash_test

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// checkTrail lets the service verify its audit trail.
func (w *shopWorld) checkTrail(ctx context.Context, v *violations) {
	verify := exec.CommandContext(ctx, w.program, w.args("-verify")...)
	verify.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	output, err := verify.CombinedOutput()
	if err != nil || !strings.Contains(string(output), ", 0 of them since the last of ") {
		v.add("the audit trail: %v: %s", err, output)
	}
}

// checkTraces looks for what is personal in what the service wrote, but for
// the shop's database, packages and the e-mails.
func (w *shopWorld) checkTraces(ctx context.Context, v *violations) {
	if w.storeDSN != "" {
		v.failed("dump the store", w.dump(ctx, w.path("tmp", "store.dump")))
	}
	var places []string
	v.failed("list the files", filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(w.dir, path)
		switch {
		case err != nil, path == w.dir:
			return err
		case name == "packages", name == "outbox", strings.HasPrefix(name, "shop.db"):
		default:
			places = append(places, path)
		}
		if d.IsDir() {
			return filepath.SkipDir
		}
		return nil
	}))
	found, err := leaks(places...)
	v.failed("look for leaks", err)
	for _, path := range found {
		v.add("%s holds a canary", path)
	}
}

// dump writes all rows of a store in PostgreSQL to a file, bytes in
// hexadecimal digits.
func (w *shopWorld) dump(ctx context.Context, path string) error {
	b := &backend{dialect: w.shop.dialect, dsn: w.storeDSN}
	var names []string
	err := b.query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'dsr'", 1, func(v []sql.NullString) error {
		names = append(names, v[0].String)
		return nil
	})
	var text strings.Builder
	for _, name := range names {
		if err != nil {
			return err
		}
		err = b.query(ctx, `SELECT t::text FROM dsr."`+name+`" t`, 1, func(v []sql.NullString) error {
			text.WriteString(v[0].String + "\n")
			return nil
		})
	}
	if err != nil {
		return err
	}
	if !strings.Contains(text.String(), "identity verified") {
		return fmt.Errorf("the dump of %v lacks the audit trail", names)
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}
