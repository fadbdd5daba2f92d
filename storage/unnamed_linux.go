package storage

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// See open(2) and linkat(2); package syscall lacks these.
const (
	oTmpfile        = 0x400000 | syscall.O_DIRECTORY
	atFDCWD         = -100
	atSymlinkFollow = 0x400
)

// openUnnamed opens a file in dir that has no name: if the process dies,
// nothing of it is left. Not every file system can.
func openUnnamed(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_WRONLY|oTmpfile, 0o600)
}

// giveName makes an unnamed file visible. It is syscall.EEXIST when the name is
// taken.
func giveName(f *os.File, name string) error {
	from, err := syscall.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return err
	}
	to, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	cwd := atFDCWD
	_, _, errno := syscall.Syscall6(syscall.SYS_LINKAT, uintptr(cwd), uintptr(unsafe.Pointer(from)),
		uintptr(cwd), uintptr(unsafe.Pointer(to)), atSymlinkFollow, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
