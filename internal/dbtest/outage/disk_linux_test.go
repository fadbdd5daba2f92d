package outage_test

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownMounts gives a child process mounts of its own. It is killed when the
// thread that starts it ends, so the caller keeps that.
func ownMounts() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
}

// mayMount reports whether this process may give mounts to a child.
func mayMount() bool {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = ownMounts()
	return os.Geteuid() == 0 && cmd.Run() == nil
}

// mount puts a disk of some megabytes, in memory, on a folder.
func mount(t *testing.T, dir string, megabytes int) {
	t.Helper()
	require.NoError(t, syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", megabytes)))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
}
