//go:build dsrcrash && unix

package fault

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
)

// What a program built with the tag dsrcrash obeys.
const (
	// crashAt is the point at which the process kills itself, by name or by
	// its number from 1. Where it is set, every point is told on the
	// standard error as "point " and its name.
	crashAt = "DSR_CRASH_AT"
	// noJournal switches the journal off.
	noJournal = "DSR_CRASH_WITHOUT_JOURNAL"
)

var passed atomic.Int64

func crash(name string) {
	at, ok := os.LookupEnv(crashAt)
	if !ok {
		return
	}
	n := passed.Add(1)
	fmt.Fprintf(os.Stderr, "point %s\n", name)
	if at == name || at == strconv.FormatInt(n, 10) {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	}
}

func journalOff() bool { return os.Getenv(noJournal) != "" }
