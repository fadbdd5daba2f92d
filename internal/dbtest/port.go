package dbtest

import (
	"syscall"
	"testing"
)

// RefusingPort is a port of 127.0.0.1 that refuses connections until the test
// ends: nobody listens on it, and nobody else can get it.
func RefusingPort(tb testing.TB) int {
	tb.Helper()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	tb.Cleanup(func() { _ = syscall.Close(socket) })
	if err := syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	bound, err := syscall.Getsockname(socket)
	if err != nil {
		tb.Fatalf("dbtest: %v", err)
	}
	return bound.(*syscall.SockaddrInet4).Port
}
