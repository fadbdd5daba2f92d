package dbtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"syscall"
)

// owner is the user that servers run as; nil means the current one.
type owner struct{ uid, gid uint32 }

// serverOwner is nobody for root, since neither server runs as root.
func serverOwner() (*owner, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("find the user that servers run as: %w", err)
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		return nil, fmt.Errorf("read the ids of the user nobody: %w", err)
	}
	return &owner{uid: uint32(uid), gid: uint32(gid)}, nil
}

// own gives a directory to the owner.
func (o *owner) own(dir string) error {
	if o == nil {
		return nil
	}
	return os.Chown(dir, int(o.uid), int(o.gid))
}

// command prepares a program that runs as the owner in dir, in a process
// group of its own so that a Ctrl-C at the terminal does not reach it.
func (o *owner) command(dir, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...) //nolint:noctx // a server outlives every context
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if o != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: o.uid, Gid: o.gid}
	}
	return cmd
}

// process is a running server.
type process struct {
	os   *os.Process
	done chan struct{} // closed when it has ended and was waited for
}

// launch starts cmd and keeps the starting thread until it ends, because the
// kernel's parent-death signal follows the thread. The thread is given back
// then, not ended: another child of this process may have been started by it
// before, and would die with it.
func launch(cmd *exec.Cmd) (*process, error) {
	dieWithParent(cmd.SysProcAttr)
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.os = cmd.Process
		started <- nil
		_ = cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop asks the process to end and waits until it is gone.
func (p *process) stop(signal os.Signal) error {
	if err := p.os.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// kill ends the process and its children at one blow, so that no backend of
// a killed server answers for a moment longer: the stopped parent makes no new
// ones while they are listed.
func (p *process) kill() error {
	if err := p.os.Signal(syscall.SIGSTOP); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	children, err := childrenOf(p.os.Pid)
	err = errors.Join(err, p.os.Kill())
	for _, child := range children {
		if killErr := syscall.Kill(child, syscall.SIGKILL); !errors.Is(killErr, syscall.ESRCH) {
			err = errors.Join(err, killErr)
		}
	}
	<-p.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// pidFile holds the number of the running server for the reaper.
const pidFile = "dbtest.pid"

// reapScript waits until the process that started it is gone, then kills the
// server and removes its directory. A backend that outlives its server by a
// moment may still write, hence the further tries.
const reapScript = `cat >/dev/null
if read pid 2>/dev/null <"$1/` + pidFile + `"; then kill -9 "$pid" 2>/dev/null; fi
if [ "$2" = remove ]; then
	for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" 2>/dev/null && exit; sleep 1; done
	rm -rf "$1"
fi`

// reap starts the shell that cleans up after this process, however it ends.
// Closing what it returns lets the shell do its work now; wait returns when
// the shell has.
func reap(dir string, remove bool) (hold io.Closer, wait func() error, err error) {
	mode := "keep"
	if remove {
		mode = "remove"
	}
	cmd := exec.Command("/bin/sh", "-c", reapScript, "reaper", dir, mode) //nolint:noctx // it outlives this process
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, err = cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start the reaper of %s: %w", dir, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start the reaper of %s: %w", dir, err)
	}
	return hold, cmd.Wait, nil
}
