// fork_exec run -- CMD [ARG...]
//
// Level 00 in Go. A Go program has several threads, and fork copies only the one that
// calls it: so Go offers no fork, but os.StartProcess, which does fork and exec in one.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) < 4 || os.Args[1] != "run" || os.Args[2] != "--" {
		fail(125, "usage: fork_exec run -- CMD [ARG...]")
	}
	command := os.Args[3:]

	// With a handler of our own, Ctrl-C doesn't end us before the command. The command
	// doesn't inherit it: execve sets caught signals back to the default.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)

	path, err := exec.LookPath(command[0])
	if err != nil {
		fail(statusOf(err), err.Error())
	}
	closeOnExec()
	child, err := os.StartProcess(path, command, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		fail(statusOf(err), err.Error())
	}
	state, err := child.Wait()
	if err != nil {
		fail(125, err.Error())
	}
	// Not ExitCode(), which is -1 for every signal.
	status := state.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		os.Exit(128 + int(status.Signal()))
	}
	os.Exit(status.ExitStatus())
}

// closeOnExec keeps what we inherited from the command, whose business are 0, 1 and 2
// only. Marked, not closed: some of these are the Go runtime's own.
func closeOnExec() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fail(125, err.Error())
	}
	for _, entry := range entries {
		if fd, _ := strconv.Atoi(entry.Name()); fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

func statusOf(err error) int {
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, syscall.ENOTDIR) {
		return 127
	}
	return 126
}

func fail(status int, why string) {
	fmt.Fprintln(os.Stderr, "fork_exec:", why)
	os.Exit(status)
}
