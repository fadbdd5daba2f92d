package dbtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// SMTPOptions say what a mail server is like.
type SMTPOptions struct {
	// ImplicitTLS speaks TLS from the first byte on; NoSTARTTLS never.
	// Defaults to STARTTLS.
	ImplicitTLS, NoSTARTTLS bool
	// WrongCertificate is for another host.
	WrongCertificate bool
	// Username and Password have to be given before mail is taken. Empty for
	// none.
	Username, Password string
	// Mechanisms are offered of PLAIN, LOGIN, XOAUTH2, whose token is the
	// password, and SCRAM with SHA-1 and SHA-256. Defaults to the first two.
	Mechanisms []string
	// MaxBytes is how long a message may be. Defaults to 10 MB.
	MaxBytes int64
	// NoUTF8 leaves out the extension SMTPUTF8.
	NoUTF8 bool
}

// SMTPFault is what is wrong with a mail server for the moment. Its refusals
// quote the address that they are about, as servers do.
type SMTPFault string

// The faults.
const (
	SMTPHealthy SMTPFault = ""
	// SMTPSilent accepts connections and says nothing, not even later.
	SMTPSilent SMTPFault = "silent"
	// SMTPSlow greets when the fault has ended.
	SMTPSlow SMTPFault = "slow"
	// SMTPEndless greets without an end.
	SMTPEndless SMTPFault = "endless"
	// SMTPTurnsAway greets with 554 and hangs up.
	SMTPTurnsAway SMTPFault = "turns away"
	// SMTPDeferAuth answers 454 to AUTH, and SMTPRefuseSender 550 to MAIL.
	SMTPDeferAuth    SMTPFault = "defer auth"
	SMTPRefuseSender SMTPFault = "refuse sender"
	// SMTPDeferRecipient answers 450 to RCPT, SMTPRefuseRecipient 550.
	SMTPDeferRecipient  SMTPFault = "defer recipient"
	SMTPRefuseRecipient SMTPFault = "refuse recipient"
	// SMTPRefuseRelay answers 554 to RCPT, as to one who has to log in.
	SMTPRefuseRelay SMTPFault = "refuse relay"
	// SMTPCloseRecipient answers 421 to RCPT and hangs up.
	SMTPCloseRecipient SMTPFault = "close recipient"
	// SMTPDeferData answers 451 to a message, SMTPRefuseData 554.
	SMTPDeferData  SMTPFault = "defer data"
	SMTPRefuseData SMTPFault = "refuse data"
	// SMTPHangData reads a message and never answers; see [SMTPServer.Hung].
	SMTPHangData SMTPFault = "hang data"
	// SMTPLoseAnswer takes a message, and hangs up before it says so.
	SMTPLoseAnswer SMTPFault = "lose answer"
)

// SMTPMessage is a message that a server took.
type SMTPMessage struct {
	// From and To are what the client said, not the headers.
	From, To string
	Data     []byte
	// User has authenticated by Mechanism; TLS and UTF8 say what was asked
	// for.
	User, Mechanism string
	TLS, UTF8       bool
}

// SMTPServer is a mail server in this process that keeps what it is handed. Its
// methods may be called from several goroutines.
type SMTPServer struct {
	opts     SMTPOptions
	listener net.Listener
	server   *smtp.Server
	tls      *tls.Config
	pool     *x509.CertPool
	ready    chan net.Conn // to be served
	done     chan struct{}
	hung     chan struct{}
	wg       sync.WaitGroup

	mu       sync.Mutex
	messages []SMTPMessage
	fault    SMTPFault
	only     []string      // recipients that the fault is for; nil for all
	ended    chan struct{} // closed when the fault ends
	held     []net.Conn    // that nothing is said to
}

// SMTP starts a mail server on a free port of the loopback address. It is
// closed when the test ends.
func SMTP(tb testing.TB, opts *SMTPOptions) *SMTPServer {
	tb.Helper()
	s, err := StartSMTP(opts)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("dbtest: close the mail server: %v", err)
		}
	})
	return s
}

// StartSMTP starts a mail server on a free port of the loopback address.
func StartSMTP(opts *SMTPOptions) (*SMTPServer, error) {
	s := &SMTPServer{ready: make(chan net.Conn), done: make(chan struct{}), hung: make(chan struct{}, 1000), ended: make(chan struct{})}
	if opts != nil {
		s.opts = *opts
	}
	if s.opts.MaxBytes == 0 {
		s.opts.MaxBytes = 10_000_000
	}
	if s.opts.Mechanisms == nil {
		s.opts.Mechanisms = []string{"PLAIN", "LOGIN"}
	}
	if err := s.certify(); err != nil {
		return nil, fmt.Errorf("start a mail server: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it outlives every context
	if err != nil {
		return nil, fmt.Errorf("start a mail server: %w", err)
	}
	s.listener = listener
	s.server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &smtpSession{server: s, conn: c}, nil
	}))
	s.server.Domain = "mail.example.com"
	s.server.MaxMessageBytes = s.opts.MaxBytes
	s.server.EnableSMTPUTF8 = !s.opts.NoUTF8
	s.server.AllowInsecureAuth = s.opts.NoSTARTTLS
	s.server.ErrorLog = quiet{}
	if !s.opts.ImplicitTLS && !s.opts.NoSTARTTLS {
		s.server.TLSConfig = s.tls
	}
	s.wg.Go(s.accept)
	s.wg.Go(func() { _ = s.server.Serve(smtpListener{s}) })
	return s, nil
}

// certify makes a certificate that nobody knows but [SMTPServer.TLSConfig].
func (s *SMTPServer) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if s.opts.WrongCertificate {
		template.IPAddresses, template.DNSNames = nil, []string{"another.example.com"}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	s.pool = x509.NewCertPool()
	s.pool.AddCert(leaf)
	s.tls = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return nil
}

// Host is the address to connect to, and Port its port.
func (s *SMTPServer) Host() string { return "127.0.0.1" }

// Port is the port to connect to.
func (s *SMTPServer) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// TLSConfig is that of a client who trusts the server.
func (s *SMTPServer) TLSConfig() *tls.Config { return &tls.Config{RootCAs: s.pool} }

// Messages are those that the server took, oldest first.
func (s *SMTPServer) Messages() []SMTPMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Hung receives once for each connection that is held by [SMTPSilent],
// [SMTPSlow] or [SMTPHangData].
func (s *SMTPServer) Hung() <-chan struct{} { return s.hung }

// Fail makes the server fail, for the recipients that are named or for all, in
// place of any fault before. Connections that [SMTPSilent] held are cut.
func (s *SMTPServer) Fail(fault SMTPFault, recipients ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.held {
		_ = c.Close()
	}
	s.held = nil
	close(s.ended)
	s.ended = make(chan struct{})
	s.fault, s.only = fault, recipients
}

// failing reports whether the server has a fault for a recipient, and when that
// ends.
func (s *SMTPServer) failing(fault SMTPFault, recipient string) (bool, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault == fault && (len(s.only) == 0 || slices.Contains(s.only, recipient)), s.ended
}

// Close cuts all connections and returns when nothing of the server runs.
func (s *SMTPServer) Close() error {
	err := s.listener.Close()
	close(s.done)
	s.Fail(SMTPHealthy)
	if closed := s.server.Close(); !errors.Is(closed, smtp.ErrServerClosed) {
		err = errors.Join(err, closed)
	}
	s.wg.Wait()
	return err
}

// accept receives every connection, and serves those that no fault keeps.
func (s *SMTPServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		fault, ended := s.fault, s.ended
		if fault == SMTPSilent {
			s.held = append(s.held, conn)
		}
		s.mu.Unlock()
		switch fault {
		case SMTPSilent:
			s.hung <- struct{}{}
		case SMTPSlow:
			s.hung <- struct{}{}
			s.wg.Go(func() {
				<-ended
				s.serve(conn)
			})
		case SMTPEndless:
			s.wg.Go(func() { endless(conn) })
		case SMTPTurnsAway:
			_, _ = conn.Write([]byte("554 5.3.2 no service for you\r\n"))
			_ = conn.Close()
		default:
			s.serve(conn)
		}
	}
}

func (s *SMTPServer) serve(conn net.Conn) {
	if s.opts.ImplicitTLS {
		conn = tls.Server(conn, s.tls)
	}
	select {
	case s.ready <- conn:
	case <-s.done:
		_ = conn.Close()
	}
}

// endless greets until the other side hangs up.
func endless(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	line := []byte("220-welcome to a server that has much to say\r\n")
	for range 10 << 30 / len(line) { // ten gigabytes
		if _, err := conn.Write(line); err != nil {
			return
		}
	}
}

// smtpListener gives the server the connections that it is to serve.
type smtpListener struct{ *SMTPServer }

func (l smtpListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.ready:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l smtpListener) Close() error   { return nil } // SMTPServer.Close did
func (l smtpListener) Addr() net.Addr { return l.listener.Addr() }

// quiet drops what the server logs: connections that end are what tests are for.
type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
