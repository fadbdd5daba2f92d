package outbound_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/godsr/dsr/internal/outbound"
)

func TestCall(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent, err := io.ReadAll(r.Body)
		if err != nil || string(sent) != "sent" || r.UserAgent() != "dsr" || r.Header.Get("Accept-Encoding") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = w.Write([]byte("answer"))
	})
	c := client(t, outbound.Options{})
	res, err := c.Do(post(t, server, "sent"))
	require.NoError(t, err)
	require.NoError(t, res.Err())
	require.Equal(t, "answer", string(res.Body))
	res, err = c.Send(post(t, server, "sent"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.Status)
	require.Nil(t, res.Body)
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", r.Header.Get("After"))
		status, err := strconv.Atoi(r.Header.Get("Status"))
		if err != nil {
			panic(err)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("canary"))
	})
	c := client(t, outbound.Options{})
	for _, test := range []struct {
		status    int
		after     string
		want      string // empty for no error
		temporary bool
	}{
		{200, "", "", false},
		{202, "", "", false},
		{299, "5", "", false},
		{301, "", "301 Moved Permanently", false}, // without an address
		{304, "", "304 Not Modified", false},
		{400, "", "400 Bad Request", false},
		{401, "5", "401 Unauthorized", false},
		{404, "", "404 Not Found", false},
		{408, "", "408 Request Timeout", true},
		{410, "", "410 Gone", false},
		{425, "", "425 Too Early", true},
		{429, "120", "429 Too Many Requests, and asks to be called again in 2m0s", true},
		{499, "", "499", false},
		{500, "", "500 Internal Server Error", true},
		{503, "Fri, 31 Dec 2027 23:59:59 GMT", "503 Service Unavailable, and asks to be called again after 2027-12-31T23:59:59Z", true},
		{503, "-5", "503 Service Unavailable", true},
		{503, "5 canary", "503 Service Unavailable", true},
		{503, "99999999999999999999", "503 Service Unavailable", true},
		{599, "0", "599, and asks to be called again in 0s", true},
	} {
		req := post(t, server+"/secret?key=canary", "")
		req.Header.Set("Status", strconv.Itoa(test.status))
		req.Header.Set("After", test.after)
		res, err := c.Do(req)
		require.NoError(t, err)
		require.Equal(t, test.temporary, outbound.Temporary(res.Err()), test.status)
		if test.want == "" {
			require.NoError(t, res.Err())
			continue
		}
		require.EqualError(t, res.Err(), "POST "+server+": it answered with status "+test.want)
	}
}

// What the other side does to the connection. Each fault may pass, and quotes
// nothing.
func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ answer, want string }{
		"nothing":     {"", "it broke the connection off"},
		"no HTTP":     {"canary canary canary\r\n\r\n", "it does not answer as HTTP demands"},
		"half header": {"HTTP/1.1 200 OK\r\nX-Canary: ca", "it broke the connection off"},
		"bad header":  {"HTTP/1.1 200 OK\r\ncanary\r\n\r\n", "it does not answer as HTTP demands"},
		"large header": {
			"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("canary", 100_000) + "\r\n\r\n",
			"it does not answer as HTTP demands",
		},
		"truncated body":  {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncanary", "it broke the connection off"},
		"truncated chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ncanary", "it broke the connection off"},
		"bad redirect":    {"HTTP/1.1 302 Found\r\nLocation: http://[canary\r\nContent-Length: 0\r\n\r\n", "it does not answer as HTTP demands"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, outbound.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
				mine, theirs := net.Pipe()
				go func() {
					_, _ = http.ReadRequest(newReader(theirs))
					_, _ = io.WriteString(theirs, test.answer)
					_ = theirs.Close()
				}()
				return mine, nil
			}})
			_, err := c.Do(post(t, "http://hooks.shop.example/canary?key=canary", "canary"))
			require.EqualError(t, err, "POST http://hooks.shop.example: "+test.want)
			require.True(t, outbound.Temporary(err))
		})
	}
}

func TestConnectionReset(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	})
	_, err := client(t, outbound.Options{}).Do(post(t, server, "canary"))
	require.EqualError(t, err, "POST "+server+": connection reset by peer")
	require.True(t, outbound.Temporary(err))
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	const nobody = "http://127.0.0.1:1" // a port that no system gives to whoever asks for any
	_, err := client(t, outbound.Options{}).Do(post(t, nobody, ""))
	require.EqualError(t, err, "POST "+nobody+": connection refused")
	require.True(t, outbound.Temporary(err))
}

// An answer without an end is not read any further than its limit, whether it
// is compressed or not.
func TestEndlessAnswers(t *testing.T) {
	t.Parallel()
	const (
		limit   = 10_000
		buffers = 32 << 20 // more than what the buffers of both ends may hold
	)
	for _, compressed := range []bool{false, true} {
		var written atomic.Int64
		stopped := make(chan struct{})
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(stopped)
			if compressed {
				w.Header().Set("Content-Encoding", "gzip")
			}
			block := make([]byte, 1<<16)
			for written.Load() < 10<<30 {
				n, err := w.Write(block)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		c := client(t, outbound.Options{MaxBody: limit})
		_, err := c.Do(post(t, server, ""))
		require.ErrorIs(t, err, outbound.ErrTooLarge)
		require.EqualError(t, err, "POST "+server+": its answer is too large: it has more than 10000 bytes")
		require.False(t, outbound.Temporary(err))
		<-stopped
		require.Less(t, written.Load(), int64(buffers))
	}
}

func TestBodyOfTheLimit(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1<<20)) })
	c := client(t, outbound.Options{})
	res, err := c.Do(post(t, server, ""))
	require.NoError(t, err)
	require.Len(t, res.Body, 1<<20)
	c = client(t, outbound.Options{MaxBody: 1<<20 - 1})
	_, err = c.Do(post(t, server, ""))
	require.ErrorIs(t, err, outbound.ErrTooLarge)
}

// A small answer that would unpack to a large one is not unpacked.
func TestGzipBomb(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	_, err := w.Write(make([]byte, 16<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.Less(t, bomb.Len(), 1<<20)
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	_, err = client(t, outbound.Options{}).Do(post(t, server, ""))
	require.EqualError(t, err, "POST "+server+": it is refused: its answer is compressed, which was not asked for")
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	known := &tls.Config{RootCAs: roots}

	_, err := client(t, outbound.Options{TLS: known}).Do(post(t, server.URL, ""))
	require.NoError(t, err)

	_, err = client(t, outbound.Options{}).Do(post(t, server.URL, ""))
	require.EqualError(t, err, "POST "+server.URL+": its certificate is not accepted: x509: certificate signed by unknown authority")
	require.True(t, outbound.Temporary(err))

	other := "https://other.shop.test:" + port
	_, err = client(t, outbound.Options{TLS: known, Resolver: resolver("127.0.0.1")}).Do(post(t, other, ""))
	require.EqualError(t, err, "POST "+other+": its certificate is not accepted: x509: certificate is valid for example.com, *.example.com, not other.shop.test")

	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err = client(t, outbound.Options{}).Do(post(t, strings.Replace(plain, "http:", "https:", 1), ""))
	require.EqualError(t, err, "POST "+strings.Replace(plain, "http:", "https:", 1)+": it does not speak TLS")
}

// slow is a server on pipes that does with each connection what it is told.
func slow(t *testing.T, opts outbound.Options, behave func(net.Conn)) *outbound.Client {
	opts.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		mine, theirs := net.Pipe()
		go behave(theirs)
		return mine, nil
	}
	return client(t, opts)
}

func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts   outbound.Options
		behave func(net.Conn)
		after  time.Duration
	}{
		"hangs at once": {outbound.Options{}, func(net.Conn) {}, 30 * time.Second},
		"hangs before its headers": {outbound.Options{HeaderTimeout: 5 * time.Second}, func(c net.Conn) {
			_, _ = io.Copy(io.Discard, c)
		}, 5 * time.Second},
		"trickles headers":  {outbound.Options{HeaderTimeout: 5 * time.Second}, trickle("HTTP/1.1 200 OK\r\n", "X: y\r\n"), 5 * time.Second},
		"trickles its body": {outbound.Options{}, trickle("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "x"), 30 * time.Second},
		"hangs in its body": {outbound.Options{Timeout: 12 * time.Second}, func(c net.Conn) {
			_, _ = http.ReadRequest(newReader(c))
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\nx")
		}, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				c := slow(t, test.opts, func(conn net.Conn) {
					t.Cleanup(func() { _ = conn.Close() })
					test.behave(conn)
				})
				_, err := c.Do(post(t, "http://hooks.shop.example/canary", "canary"))
				require.EqualError(t, err, "POST http://hooks.shop.example: it did not answer in time")
				require.True(t, outbound.Temporary(err))
				require.Equal(t, test.after, time.Since(begin))
				c.Close()
			})
		})
	}
}

func TestSlowHandshake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		c := slow(t, outbound.Options{}, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		_, err := c.Do(post(t, "https://hooks.shop.example/", ""))
		require.EqualError(t, err, "POST https://hooks.shop.example: it did not answer in time")
		require.Equal(t, 10*time.Second, time.Since(begin))
	})
}

// Send does not wait for a body that nobody wants.
func TestSendLeavesTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		c := slow(t, outbound.Options{}, trickle("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", "x"))
		res, err := c.Send(post(t, "http://hooks.shop.example/", ""))
		require.NoError(t, err)
		require.NoError(t, res.Err())
		require.Zero(t, time.Since(begin))
	})
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := slow(t, outbound.Options{}, func(c net.Conn) {
			_, _ = http.ReadRequest(newReader(c))
			cancel()
			_, _ = io.Copy(io.Discard, c)
		})
		_, err := c.Do(post(t, "http://hooks.shop.example/", "").WithContext(ctx))
		require.ErrorIs(t, err, context.Canceled)
		require.EqualError(t, err, "POST http://hooks.shop.example: the caller did not wait any longer")
		require.True(t, outbound.Temporary(err))
	})
}

// trickle reads a call and answers with a beginning, and then with a little each
// second for as long as anybody listens.
func trickle(begin, more string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = http.ReadRequest(newReader(c))
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = io.Copy(io.Discard, c)
		}()
		for text := begin; ; text = more {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			select {
			case <-gone:
				return
			case <-time.After(time.Second):
			}
		}
	}
}

func client(t *testing.T, opts outbound.Options) *outbound.Client {
	t.Helper()
	opts.Insecure, opts.Allow = true, loopback()
	c := outbound.New(&opts)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

func post(t *testing.T, address, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(t, err)
	return req
}
