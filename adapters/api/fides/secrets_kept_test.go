package fides_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr"
	"github.com/godsr/dsr/adapters/memory"
	"github.com/godsr/dsr/storage"
)

// ear is a server that keeps what it is sent.
type ear struct {
	listener net.Listener
	done     sync.WaitGroup

	mu    sync.Mutex
	heard []string
}

func listen(t testing.TB) *ear {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &ear{listener: l}
	e.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			text, _ := io.ReadAll(conn)
			e.mu.Lock()
			e.heard = append(e.heard, string(text))
			e.mu.Unlock()
			_ = conn.Close() // which who tells waits for
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return e
}

// all is what it was sent; it listens no more.
func (e *ear) all(t testing.TB) []string {
	t.Helper()
	require.NoError(t, e.listener.Close())
	e.done.Wait()
	return e.heard
}

// tell sends a secret to an address, as who logs in does, and returns when it was
// heard.
func tell(ctx context.Context, address, secret string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if _, err = io.WriteString(conn, secret); err == nil {
		err = conn.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // it was dialled so
	}
	if err == nil {
		_, err = io.Copy(io.Discard, conn)
	}
	if closed := conn.Close(); err == nil {
		err = closed
	}
	return err
}

// talkative databases and destinations log in wherever they are sent.
type talkativeDatabase struct {
	*memory.Connector
	secrets dsr.Secrets
}

func (d *talkativeDatabase) Ping(ctx context.Context) error {
	return tell(ctx, d.secrets["host"], d.secrets["password"])
}

type talkativeDestination struct {
	storage.Destination
	settings dsr.DestinationSettings
}

func (d *talkativeDestination) Open(ctx context.Context, _ string) (storage.File, error) {
	if err := tell(ctx, d.settings.Details["endpoint"], d.settings.Secrets["key"]); err != nil {
		return nil, err
	}
	return nil, io.ErrUnexpectedEOF
}

func talkative(t testing.TB) *caller {
	t.Helper()
	return configurable(t, func(k *desk) {
		k.config.ConnectionTypes["postgres"] = dsr.ConnectionType{
			Fields: []dsr.SecretField{
				{Name: "host"}, {Name: "ssl", Optional: true}, {Name: "password", Sensitive: true}, {Name: "token", Sensitive: true, Optional: true},
			},
			Connect: func(s dsr.ConnectionSettings) (dsr.Connector, error) {
				return &talkativeDatabase{memory.NewConnector(nil, nil), s.Secrets}, nil
			},
		}
		k.config.DestinationTypes["s3"] = dsr.DestinationType{
			Details: []dsr.SecretField{{Name: "endpoint"}}, Fields: []dsr.SecretField{{Name: "id", Optional: true}, {Name: "key", Sensitive: true}},
			Open: func(s dsr.DestinationSettings) (storage.Destination, error) {
				return &talkativeDestination{settings: s}, nil
			},
		}
	}).caller(t)
}

// Whoever may configure cannot have the password of a database, which they do
// not know, sent to a host of their own.
func TestAKeptPasswordIsNotSentElsewhere(t *testing.T) {
	t.Parallel()
	c, right, wrong := talkative(t), listen(t), listen(t)
	here, there := right.listener.Addr().String(), wrong.listener.Addr().String()
	c.does(t, "PATCH", "/connection", crmBody)
	c.does(t, "PUT", "/connection/crm/secret", `{"host":"`+here+`","password":"`+canary+`"}`)
	const anew = `{"type":"value_error","loc":["body","password"],"msg":"Value error, It is not kept when others change: give it anew."}`
	for _, body := range []string{`{"host":"` + there + `"}`, `{"ssl":"off"}`, `{"token":"mine"}`, `{"host":"` + there + `","token":"mine"}`, `{"password":null,"host":"` + there + `"}`} {
		c.wants(t, 422, `{"detail":[`+anew+`]}`, "PATCH", "/connection/crm/secret", body)
	}
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body","password"],"msg":"Field required"}]}`, "PUT", "/connection/crm/secret", `{"host":"`+there+`"}`)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body",0,"secrets","password"],"msg":"Field required"}]}`,
		"PATCH", "/connection", `[{"key":"crm","connection_type":"postgres","access":"write","secrets":{"host":"`+there+`"}}]`)
	c.does(t, "GET", "/connection/crm/test", nil)
	c.does(t, "PATCH", "/connection/crm/secret", `{"host":"`+here+`"}`) // which stays as it is
	c.does(t, "PATCH", "/connection/crm/secret", `{"password":"another"}`)
	c.does(t, "PATCH", "/connection/crm/secret", `{"host":"`+there+`","password":"my own"}`)
	require.Equal(t, []string{canary, canary, canary, "another"}, right.all(t))
	require.Equal(t, []string{"my own"}, wrong.all(t))
}

// So it is with the keys of a bucket, by other details.
func TestKeptKeysAreNotSentElsewhere(t *testing.T) {
	t.Parallel()
	c, right, wrong := talkative(t), listen(t), listen(t)
	here, there := right.listener.Addr().String(), wrong.listener.Addr().String()
	at := func(address, more string) string {
		return `"type":"s3","details":{"endpoint":"` + address + `"}` + more
	}
	c.does(t, "PATCH", "/storage/config", `[{"name":"Bucket",`+at(here, "")+`}]`)
	c.does(t, "PUT", "/storage/config/bucket/secret", `{"key":"`+canary+`"}`)
	c.does(t, "PUT", "/storage/default", `{`+at(here, "")+`}`)
	c.does(t, "PUT", "/storage/default/s3/secret", `{"key":"`+canary+`"}`)
	const refused = "The details cannot be changed while these secrets are kept: key. Give all secrets anew with the details, in 'secrets'."
	c.wants(t, ok, `{"succeeded":[],"failed":[{"message":"`+refused+`","data":{"details":{"endpoint":"`+there+`"},"key":"bucket","name":"Bucket","type":"s3"}}]}`,
		"PATCH", "/storage/config", `[{"name":"Bucket","key":"bucket",`+at(there, "")+`}]`)
	c.wants(t, 422, detail(refused), "PUT", "/storage/default", `{`+at(there, "")+`}`)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body","secrets","key"],"msg":"Field required"}]}`, "PUT", "/storage/default", `{`+at(there, `,"secrets":{"id":"x"}`)+`}`)
	c.wants(t, 422, `{"detail":[{"type":"missing","loc":["body","key"],"msg":"Field required"}]}`, "PUT", "/storage/config/bucket/secret", `{"id":"x"}`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Renamed","key":"bucket","format":"csv",`+at(here, "")+`}]`)
	c.does(t, "PATCH", "/storage/config", `[{"name":"Renamed","key":"bucket",`+at(there, `,"secrets":{"key":"my own"}`)+`}]`)
	require.ErrorIs(t, c.engine.Catalogue().PingDestination(t.Context(), "bucket"), io.ErrUnexpectedEOF)
	require.Equal(t, []string{canary, canary}, right.all(t))
	require.Equal(t, []string{"my own"}, wrong.all(t))
	require.NotContains(t, c.logs.String(), canary)
}

// What is sent back as it was answered changes nothing, also where no secret of it
// is masked.
func TestAConnectionThatIsSentBackStaysAsItIs(t *testing.T) {
	t.Parallel()
	k := configurable(t, nil)
	c := k.caller(t)
	c.does(t, "PATCH", "/connection", `[{"name":"Ask","key":"ask","connection_type":"https","access":"write","secrets":{"url":"https://example.com"}}]`)
	shown := c.does(t, "GET", "/connection/ask", nil)
	require.Contains(t, shown, `"secrets":{"url":"https://example.com"}`)
	version := func() int64 {
		v, err := k.store.CatalogueVersion(t.Context())
		require.NoError(t, err)
		return v
	}
	before := version()
	k.wait(time.Second)
	require.Contains(t, c.does(t, "PATCH", "/connection", `[`+shown+`]`), `"failed":[]`)
	c.does(t, "PUT", "/connection/ask/secret?verify=false", `{"url":"https://example.com"}`)
	c.does(t, "PATCH", "/connection/ask/secret?verify=false", `{"url":"https://example.com"}`)
	require.Equal(t, before, version())
	require.Equal(t, shown, c.does(t, "GET", "/connection/ask", nil))

	c.does(t, "PUT", "/connection/ask/secret?verify=false", `{"url":"https://example.org"}`)
	require.Equal(t, before+1, version())
	require.Contains(t, c.does(t, "GET", "/connection/ask", nil), `"secrets":{"url":"https://example.org"}`)
}
