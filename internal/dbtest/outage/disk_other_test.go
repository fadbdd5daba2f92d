//go:build !linux

package outage_test

import (
	"syscall"
	"testing"
)

func ownMounts() *syscall.SysProcAttr { return nil }

// mayMount says no: disks in memory are mounted on Linux only.
func mayMount() bool { return false }

func mount(t *testing.T, _ string, _ int) {
	t.Helper()
	t.Fatal("disks are mounted on Linux only")
}
