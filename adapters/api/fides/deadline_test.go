package fides_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// narrow is a listener whose connections hold little that was not read.
type narrow struct{ net.Listener }

func (l narrow) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetWriteBuffer(4096)
	}
	return conn, err
}

func TestACallerWhoDoesNotReadIsCutOff(t *testing.T) {
	t.Parallel()
	for name, request := range map[string]string{
		"a large answer": "GET /openapi.json HTTP/1.1\r\nHost: desk\r\n\r\n",
		"many answers":   "GET /nowhere HTTP/1.1\r\nHost: desk\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newDesk(t, func(k *desk) { k.options.Limits.Timeout = 100 * time.Millisecond })
			closed := make(chan struct{})
			server := httptest.NewUnstartedServer(k.door)
			server.Listener = narrow{server.Listener}
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					close(closed)
				}
			}
			server.Start()
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			defer server.Close()
			defer conn.Close()
			tcp, ok := conn.(*net.TCPConn)
			require.True(t, ok)
			require.NoError(t, tcp.SetReadBuffer(4096))
			go func() { // until nobody takes any more
				for err := error(nil); err == nil; {
					_, err = io.WriteString(conn, request)
				}
			}()
			select {
			case <-closed:
			case <-time.After(time.Minute):
				require.Fail(t, "the connection is held for ever")
			}
		})
	}
}
