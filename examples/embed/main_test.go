package main

import (
	"bufio"
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The service serves, says where, and stops cleanly when it is asked to.
func TestServeAndStop(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in, out := io.Pipe()
	stopped := make(chan error, 1)
	dir := filepath.Join(t.TempDir(), "new")
	settings := settings{addr: "127.0.0.1:0", dir: dir}
	go func() { stopped <- run(ctx, settings, out, io.Discard) }()
	first, err := bufio.NewReader(in).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, in) }()
	base := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(first)
	require.NotEmpty(t, base)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/orders/1", http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/privacy/requests",
		strings.NewReader(`{"policy": "access", "email": "nia.vale@example.com"}`))
	require.NoError(t, err)
	resp, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	var mails []string
	require.Eventually(t, func() bool { // it is sent in the background
		mails, err = filepath.Glob(filepath.Join(dir, "outbox", "*.txt")) // it has another name until it is whole
		return err == nil && len(mails) == 1
	}, time.Minute, 10*time.Millisecond)
	mail, err := os.ReadFile(mails[0])
	require.NoError(t, err)
	require.Regexp(t, `(?s)^To: nia\.vale@example\.com\nSubject: Please confirm your privacy request\n\n.*\n  \d{6}\n.*Request number: `, string(mail))
	stop()
	require.NoError(t, <-stopped)

	var report strings.Builder
	require.NoError(t, verifyAudit(t.Context(), settings, &report, io.Discard))
	require.Equal(t, "1 requests, 2 entries, 0 of them since the last of 1 checkpoints\n", report.String())
	db, err := sql.Open("sqlite", filepath.Join(dir, "requests.db"))
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), "UPDATE audit SET action = 'canceled' WHERE seq = 2")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	report.Reset()
	require.ErrorContains(t, verifyAudit(t.Context(), settings, &report, io.Discard), "the audit trail has ")
	require.Contains(t, report.String(), " 2 edited: ")
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), settings{addr: "127.0.0.1:nowhere", dir: t.TempDir()}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "nowhere")
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings settings
		want     string
	}{
		"another product": {settings{db: "oracle://shop"}, "-db: it is neither a postgres:// nor a mysql:// address"},
		"no URL":          {settings{db: "mysql://root:secret@[/shop"}, "-db: it is no URL"},
		"no PostgreSQL":   {settings{store: "mysql://shop"}, "-store: it is no postgres:// address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.settings.dir = t.TempDir()
			_, err := newApp(t.Context(), c.settings, nil, io.Discard)
			require.EqualError(t, err, c.want)
		})
	}
	require.Error(t, verifyAudit(t.Context(), settings{dir: filepath.Join(t.TempDir(), "nowhere")}, io.Discard, io.Discard))
}

func TestMySQLAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"mysql://shop:p%40ss@db:3306/orders":    "shop:p@ss@tcp(db:3306)/orders?parseTime=true",
		"mysql://shop@/orders?socket=/run/sock": "shop@unix(/run/sock)/orders?parseTime=true",
	} {
		got, err := mysqlAddress(address)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
