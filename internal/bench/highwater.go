package bench

import (
	"bufio"
	"errors"
	"os"
	"strconv"
	"strings"
)

// HighWater reads the largest resident size of a process, or of "self", in KiB.
//
// Getrusage does not tell it: Linux begins the maximum of a child with that of
// the process that started it.
func HighWater(pid string) (int, error) {
	status, err := os.Open("/proc/" + pid + "/status")
	if err != nil {
		return 0, err
	}
	defer func() { _ = status.Close() }()
	for in := bufio.NewScanner(status); in.Scan(); {
		if rest, ok := strings.CutPrefix(in.Text(), "VmHWM:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
		}
	}
	return 0, errors.New("the status of the process has no VmHWM")
}
