package dbtest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
)

// Proxy is a TCP address of a server behind which the network can fail: it
// passes everything on until it is told to hang.
type Proxy struct {
	server   *Server
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex
	wake   chan struct{} // closed when it does not hang any more; nil while it passes on
	conns  map[net.Conn]struct{}
	closed bool
}

// Proxy starts a proxy before the server, which need not run. The caller closes
// it.
func (s *Server) Proxy() (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it outlives every context
	if err != nil {
		return nil, fmt.Errorf("start a proxy of %s: %w", s.engine.name, err)
	}
	p := &Proxy{server: s, listener: listener, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.accept)
	return p, nil
}

// DSN is the connection string of a database through the proxy; see
// [Server.DSN].
func (p *Proxy) DSN(database string) string {
	return p.server.engine.tcp(p.listener.Addr().(*net.TCPAddr), database)
}

// Hang lets nothing through any more. Connections stay open, new ones are
// accepted, and what is sent over either is swallowed.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake == nil {
		p.wake = make(chan struct{})
	}
}

// Deliver ends a hang as a slow network does: what was sent meanwhile comes
// late.
func (p *Proxy) Deliver() { p.recover(false) }

// Lose ends a hang as a network does that has lost its packets: connections
// from before are cut, and what was sent over them never comes.
func (p *Proxy) Lose() { p.recover(true) }

func (p *Proxy) recover(lose bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake == nil {
		return
	}
	if lose {
		for c := range p.conns {
			_ = c.Close()
		}
	}
	close(p.wake)
	p.wake = nil
}

// Close cuts all connections and returns when nothing of the proxy runs.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.recover(true)
	err := p.listener.Close()
	p.wg.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(client) })
	}
}

// hold keeps a connection among those that are cut; false when it is too late.
func (p *Proxy) hold(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close()
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.Close()
}

// await returns when nothing hangs.
func (p *Proxy) await() {
	for {
		p.mu.Lock()
		wake := p.wake
		p.mu.Unlock()
		if wake == nil {
			return
		}
		<-wake
	}
}

func (p *Proxy) serve(client net.Conn) {
	if !p.hold(client) {
		return
	}
	defer p.drop(client)
	p.await()
	server, err := net.Dial("unix", filepath.Join(p.server.dir, p.server.engine.socket)) //nolint:noctx // closed by Close
	if err != nil || !p.hold(server) {
		return
	}
	defer p.drop(server)
	var wg sync.WaitGroup
	wg.Go(func() { p.pass(server, client) })
	wg.Go(func() { p.pass(client, server) })
	wg.Wait()
}

// pass hands on what it reads, also the end.
func (p *Proxy) pass(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.await()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				_ = from.Close()
			}
			return
		}
	}
}
