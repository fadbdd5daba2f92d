package dbtest

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// threads lists the threads of this process.
func threads(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// No thread ends with a server, since children that it started before would die
// with it.
func TestThreadsOutliveServers(t *testing.T) {
	t.Parallel()
	for range 5 {
		cmd := exec.CommandContext(t.Context(), "/bin/cat")
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		_, err := cmd.StdinPipe() // it waits for its end
		require.NoError(t, err)
		p, err := launch(cmd)
		require.NoError(t, err)
		before := threads(t)
		require.NoError(t, p.kill())
		require.Subset(t, threads(t), before)
	}
}
