package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// run makes a container, waits for its command, and leaves nothing. It gives the
// command's status.
func run(o options) (status int, err error) {
	if err := sweep(); err != nil {
		return 0, err
	}
	lower, err := unpacked(o)
	if err != nil {
		return 0, err
	}
	container, err := newContainer(o.containerDir, lower)
	if err != nil {
		return 0, err
	}
	defer func() { err = first(err, os.RemoveAll(container)) }()
	id := filepath.Base(container)
	group, err := newGroup(id, o.limits)
	if err != nil {
		return 0, err
	}
	defer func() { err = first(err, group.remove()) }()
	hostname := id
	if o.hostname != nil {
		hostname = *o.hostname
	}
	return start(lower, container, hostname, group, o.command)
}

func newContainer(dir, lower string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	random := make([]byte, 6)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	container := filepath.Join(dir, fmt.Sprintf("%x", random))
	for _, d := range []string{"", "/upper", "/work", "/root"} {
		if err := os.Mkdir(container+d, 0o755); err != nil {
			return "", err
		}
	}
	var root syscall.Stat_t
	if err := syscall.Stat(lower, &root); err != nil {
		return "", err
	}
	return container, syscall.Chmod(container+"/upper", root.Mode&0o7777)
}

func start(lower, container, hostname string, g group, command []string) (int, error) {
	closeOnExec()
	// Where the two wait for each other: man 7 unix.
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	process, err := os.StartProcess("/proc/self/exe",
		append([]string{"container", "inside", container, hostname, overlayOptions(lower, container)}, command...),
		&os.ProcAttr{
			Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, theirs},
			Sys: &syscall.SysProcAttr{
				Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS |
					syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
				Pdeathsig: syscall.SIGKILL,
			},
		})
	theirs.Close()
	if err != nil {
		return 0, err
	}
	// Its threads count as processes, and exec leaves one of them: so it joins its group
	// at the very last, when all else is done.
	var ready [1]byte
	if n, _ := ours.Read(ready[:]); n == 1 {
		if err := g.add(process.Pid); err != nil {
			process.Kill()
			process.Wait()
			return 0, err
		}
		ours.Write(ready[:])
	}
	state, err := process.Wait()
	if err != nil {
		return 0, err
	}
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return status.ExitStatus(), nil
}

// closeOnExec keeps from children what we inherited. Marked, not closed: some of these
// are the Go runtime's own.
func closeOnExec() {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if fd, _ := strconv.Atoi(entry.Name()); fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// first is the error that came first.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
