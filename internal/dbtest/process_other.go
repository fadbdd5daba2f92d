//go:build unix && !linux

package dbtest

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
)

// dieWithParent has no counterpart here: the reaper kills the child instead.
func dieWithParent(*syscall.SysProcAttr) {}

// childrenOf lists the running children of a process.
func childrenOf(parent int) ([]int, error) {
	output, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []int
	for line := range strings.Lines(string(output)) {
		var pid, ppid int
		if n, err := fmt.Sscan(line, &pid, &ppid); err == nil && n == 2 && ppid == parent {
			children = append(children, pid)
		}
	}
	return children, nil
}
