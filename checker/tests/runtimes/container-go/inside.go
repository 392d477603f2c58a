package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"unsafe"
)

// inside makes the container from within, as PID 1 of its namespaces, and becomes the
// command. Descriptor 3 is run's.
func inside(args []string) error {
	container, hostname, overlay, command := args[0], args[1], args[2], args[3:]
	syscall.CloseOnExec(3)
	if err := syscall.Sethostname([]byte(hostname)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	umask := syscall.Umask(0)
	if err := mounts(container+"/root", overlay); err != nil {
		return err
	}
	if err := pivot(container + "/root"); err != nil {
		return err
	}
	syscall.Umask(umask)
	if err := joinGroup(); err != nil {
		return err
	}
	return exec(command)
}

// joinGroup asks run to put this process into its group. From here on Go must not start a
// thread, since the limit may be one process: no garbage collection, and system calls that
// Go's scheduler doesn't see.
func joinGroup() error {
	debug.SetGCPercent(-1)
	sign := [1]byte{'r'}
	at := uintptr(unsafe.Pointer(&sign))
	if _, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, 3, at, 1); errno != 0 {
		return errno
	}
	count, _, errno := syscall.RawSyscall(syscall.SYS_READ, 3, at, 1)
	if errno != 0 || count != 1 {
		return errors.New("the runtime is gone")
	}
	return nil
}

func mounts(root, overlay string) error {
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	// Where it is known, in a user namespace (Linux 5.11).
	if err := mount("overlay", root, "overlay", 0, overlay+",userxattr"); err != nil {
		if err := mount("overlay", root, "overlay", 0, overlay); err != nil {
			return err
		}
	}
	const safe = syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC
	for _, m := range []struct {
		kind, at string
		flags    uintptr
		data     string
	}{
		{"proc", "/proc", safe, ""},
		{"sysfs", "/sys", safe | syscall.MS_RDONLY, ""},
		{"tmpfs", "/dev", syscall.MS_NOSUID, "mode=0755"},
		{"devpts", "/dev/pts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"},
		{"tmpfs", "/dev/shm", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777"},
		{"mqueue", "/dev/mqueue", safe, ""},
	} {
		if err := os.MkdirAll(root+m.at, 0o755); err != nil {
			return err
		}
		if err := mount(m.kind, root+m.at, m.kind, m.flags, m.data); err != nil {
			return err
		}
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		f, err := os.Create(root + "/dev/" + name)
		if err != nil {
			return err
		}
		f.Close()
		if err := mount("/dev/"+name, root+"/dev/"+name, "", syscall.MS_BIND, ""); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(target, root+"/dev/"+name); err != nil {
			return err
		}
	}
	return nil
}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := syscall.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", source, target, err)
	}
	return nil
}

func pivot(root string) error {
	if err := syscall.Chdir(root); err != nil {
		return err
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("umount2 of the old root: %w", err)
	}
	return syscall.Chdir("/")
}

func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP}
	copy(request.name[:], "lo")
	at := uintptr(unsafe.Pointer(&request))
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, at)
	if errno != 0 {
		return fmt.Errorf("ioctl SIOCSIFFLAGS lo: %w", errno)
	}
	return nil
}

// exec only comes back when it fails.
func exec(command []string) error {
	name := command[0]
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if dir == "" {
				dir = "."
			}
			candidates = append(candidates, dir+"/"+name)
		}
	}
	found := error(syscall.ENOENT)
	for _, candidate := range candidates {
		err := syscall.Exec(candidate, command, os.Environ())
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR) {
			found = err
		}
	}
	status := 126
	if found == error(syscall.ENOENT) {
		status = 127
	}
	return failure{status, fmt.Errorf("execute %q: %w", name, found)}
}
