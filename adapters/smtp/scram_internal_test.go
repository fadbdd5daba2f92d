package smtp

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/wneessen/go-mail/smtp"

	"github.com/godsr/dsr"
)

// heard is a mechanism that writes down what the server said.
type heard struct{ messages []string }

func (h *heard) Start(*smtp.ServerInfo) (string, []byte, error) { return "SCRAM-SHA-256", nil, nil }

func (h *heard) Next(fromServer []byte, _ bool) ([]byte, error) {
	h.messages = append(h.messages, string(fromServer))
	return []byte("hashed"), nil
}

const tooManyRounds = "AUTH: the server does not ask for 1 to 1000000 iterations of SCRAM; check Host and Port, or have it store the password with fewer"

func TestScramIsBounded(t *testing.T) {
	t.Parallel()
	for message, refused := range map[string]bool{
		"":                                    false,
		"r=abc,s=YWJj,i=4096":                 false,
		"r=abc,s=YWJj,i=1000000":              false,
		"r=abc,s=YWJj,i=1,x=y":                false,
		"v=abc":                               false,
		"r=abc,s=YWJj,i=1000001":              true,
		"r=abc,s=YWJj,i=1000001,x=y":          true,
		"r=abc,s=YWJj,i=+40000000":            true,
		"r=abc,s=YWJj,i=9000000000000000":     true,
		"r=abc,s=YWJj,i=99999999999999999999": true,
		"r=abc,s=YWJj,i=0":                    true,
		"r=abc,s=YWJj,i=-1":                   true,
		"r=abc,s=YWJj,i=":                     true,
		"r=abc,s=YWJj,i=1,i=1000001":          true,
	} {
		h := &heard{}
		answer, err := boundedScram{h}.Next([]byte(message), true)
		if refused {
			require.EqualError(t, err, "smtp: "+tooManyRounds, message)
			require.ErrorIs(t, err, dsr.ErrUnavailable)
			require.Empty(t, answer)
			require.Empty(t, h.messages)
			continue
		}
		require.NoError(t, err, message)
		require.Equal(t, "hashed", string(answer))
		require.Equal(t, []string{message}, h.messages)
	}
	h := &heard{}
	_, err := boundedScram{h}.Next([]byte("2.7.0 welcome,i=0"), false)
	require.NoError(t, err)
	require.Len(t, h.messages, 1, "that is no challenge")
}

// hashing is a server with a mechanism that asks for that many iterations, and
// refuses what comes of it.
func hashing(t *testing.T, mechanism string, rounds int) (port int) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewScanner(conn)
		say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
		challenge := func(text string) { say("334 %s", base64.StdEncoding.EncodeToString([]byte(text))) }
		say("220 test")
		for lines.Scan() {
			said, _ := base64.StdEncoding.DecodeString(lines.Text())
			_, nonce, began := strings.Cut(string(said), ",r=")
			switch {
			case strings.HasPrefix(lines.Text(), "EHLO"):
				say("250-test\r\n250 AUTH %s", mechanism)
			case strings.HasPrefix(lines.Text(), "AUTH "):
				challenge("")
			case began && strings.HasPrefix(string(said), "n,,"):
				challenge(fmt.Sprintf("r=%sx,s=YWJj,i=%d", nonce, rounds))
			default:
				say("535 5.7.8 no")
			}
		}
	}()
	addr, ok := listener.Addr().(*net.TCPAddr)
	require.True(t, ok)
	return addr.Port
}

func TestAServerThatAsksForTooManyRounds(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"SCRAM-SHA-1", "SCRAM-SHA-256"} {
		for rounds, want := range map[int]string{4096: "535 5.7.8", maxRounds + 1: tooManyRounds} {
			port := hashing(t, mechanism, rounds)
			n, err := New(&Options{
				Host: "127.0.0.1", Port: port, Security: StartTLS, Username: "u", Password: "p",
				From: mail.Address{Address: "a@example.com"}, Operators: []string{"b@example.com"},
			})
			require.NoError(t, err)
			n.opts.Security = Plaintext // New refuses that with a password; it saves a certificate here
			err = n.Notify(t.Context(), dsr.Notice{ID: "n1", Kind: dsr.NoticeFailed, RequestID: "r", Subject: "s", Text: "t"})
			require.ErrorContains(t, err, want)
			require.ErrorIs(t, err, dsr.ErrUnavailable)
		}
	}
}
