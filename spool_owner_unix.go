//go:build unix

package dsr

import (
	"io/fs"
	"os"
	"syscall"
)

// ownedByUser reports whether a file belongs to the user of this process.
func ownedByUser(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Geteuid())
}

// closedToOthers reports whether neither the group nor others may do anything.
func closedToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
