package main

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// unpacked gives the directory of an image's files, unpacking it when it is new.
func unpacked(o options) (string, error) {
	archive, err := os.Open(filepath.Join(o.imageDir, o.image+".tar"))
	if err != nil {
		return "", err
	}
	defer archive.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, archive); err != nil {
		return "", err
	}
	if _, err := archive.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	if err := os.MkdirAll(o.cacheDir, 0o755); err != nil {
		return "", err
	}
	image := filepath.Join(o.cacheDir, fmt.Sprintf("%x", sum.Sum(nil)))

	lock, err := lockDir(o.cacheDir, syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if _, err := os.Stat(image); err == nil {
		return image, nil
	}
	unfinished := filepath.Join(o.cacheDir, "unfinished")
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	if err := os.Mkdir(unfinished, 0o755); err != nil {
		return "", err
	}
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return "", err
	}
	if err := unpack(archive, unfinished); err != nil {
		os.RemoveAll(unfinished)
		return "", err
	}
	return image, os.Rename(unfinished, image)
}

// unpack lets another process do it, whose root is the directory: no name leads out of it.
func unpack(archive *os.File, dir string) error {
	said, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer said.Close()
	process, err := os.StartProcess("/proc/self/exe", []string{"container", "unpack"}, &os.ProcAttr{
		Files: []*os.File{archive, tell, nil},
		Dir:   dir,
		Sys:   &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL},
	})
	tell.Close()
	if err != nil {
		return err
	}
	message, _ := io.ReadAll(said)
	state, err := process.Wait()
	if err != nil {
		return err
	}
	if !state.Success() {
		return fmt.Errorf("unpack %s: %s (%v)", archive.Name(), message, state)
	}
	return nil
}

// unpackHere says on descriptor 1, which is a pipe, why it can't.
func unpackHere() error {
	syscall.Umask(0)
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	if err := extract(tar.NewReader(bufio.NewReaderSize(os.Stdin, 1<<20))); err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	return nil
}

func extract(archive *tar.Reader) error {
	modes := map[string]uint32{}
	entries := 0
	for {
		entry, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		entries++
		name := path.Clean("/" + entry.Name)
		mode := uint32(entry.Mode & 0o7777)
		if entry.Typeflag == tar.TypeDir {
			if err := os.Mkdir(name, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
			modes[name] = mode
			continue
		}
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		switch entry.Typeflag {
		case tar.TypeReg, tar.TypeRegA, tar.TypeGNUSparse:
			err = file(archive, name, mode)
		case tar.TypeSymlink:
			err = os.Symlink(entry.Linkname, name)
		case tar.TypeLink:
			err = os.Link(path.Clean("/"+entry.Linkname), name)
		}
		if err != nil {
			return err
		}
	}
	if entries == 0 {
		return errors.New("no archive, or an empty one")
	}
	for name, mode := range modes {
		if err := syscall.Chmod(name, mode); err != nil {
			return err
		}
	}
	return nil
}

func file(archive io.Reader, name string, mode uint32) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, archive); err != nil {
		return err
	}
	return syscall.Fchmod(int(f.Fd()), mode)
}

// lockDir holds the directory's lock until the file is closed, or the process has ended.
func lockDir(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("flock %s: %w", dir, err)
	}
	return f, nil
}

func overlayOptions(lower, container string) string {
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`, `:`, `\:`).Replace
	return fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", escape(lower),
		escape(container+"/upper"), escape(container+"/work"))
}
