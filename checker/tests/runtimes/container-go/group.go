package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const top = "/sys/fs/cgroup"

// A group is one container's: a directory in each tree in which something is limited.
type group struct {
	dirs  map[string]string // by controller
	locks []*os.File        // held for as long as run lives
}

func version2() bool {
	_, err := os.Stat(top + "/cgroup.controllers")
	return err == nil
}

// home is the group that all containers' groups are made in, by controller.
func home(controller string) (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) != 3 {
			continue
		}
		if version2() && parts[0] == "0" {
			return filepath.Join(top, filepath.Dir(parts[2]), "go"), nil
		}
		for _, c := range strings.Split(parts[1], ",") {
			if c == controller {
				return filepath.Join(top, controller, parts[2], "go"), nil
			}
		}
	}
	return "", fmt.Errorf("no control group with %s in /proc/self/cgroup", controller)
}

func newGroup(id string, l limits) (g group, err error) {
	g.dirs = map[string]string{}
	if !l.present {
		return g, nil
	}
	defer func() {
		if err != nil {
			g.remove()
		}
	}()
	for _, controller := range l.controllers() {
		home, err := home(controller)
		if err != nil {
			return g, err
		}
		if err := prepare(home, controller); err != nil {
			return g, err
		}
		dir := filepath.Join(home, id)
		g.dirs[controller] = dir
		lock, err := makeLocked(home, dir)
		if err != nil {
			return g, err
		}
		if lock != nil {
			g.locks = append(g.locks, lock)
		}
	}
	return g, g.set(l)
}

func (l limits) controllers() []string {
	list := []string{}
	if !version2() {
		list = append(list, "freezer")
	}
	if l.memory > 0 {
		list = append(list, "memory")
	}
	if l.pids > 0 {
		list = append(list, "pids")
	}
	if l.cpus > 0 || l.shares > 0 {
		list = append(list, "cpu")
	}
	if l.cpuset != "" {
		list = append(list, "cpuset")
	}
	return list
}

// prepare makes home, and lets the groups below it have the controller.
func prepare(home, controller string) error {
	if version2() {
		if err := write(filepath.Dir(home), "cgroup.subtree_control", "+"+controller); err != nil {
			return err
		}
	}
	if err := os.Mkdir(home, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if version2() {
		return write(home, "cgroup.subtree_control", "+"+controller)
	}
	if controller == "cpuset" {
		return inherit(home)
	}
	return nil
}

// inherit fills a new cpuset: on version 1 it begins empty, and takes no process then.
func inherit(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(dir, "..", name))
		if err != nil {
			return err
		}
		if err := write(dir, name, strings.TrimSpace(string(text))); err != nil {
			return err
		}
	}
	return nil
}

// makeLocked makes the group, and marks it as used by a lock that ends with this process.
func makeLocked(home, dir string) (*os.File, error) {
	all, err := lockDir(home, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer all.Close()
	if err := os.Mkdir(dir, 0o755); errors.Is(err, os.ErrExist) {
		return nil, nil // the same tree, for another controller
	} else if err != nil {
		return nil, err
	}
	return lockDir(dir, syscall.LOCK_EX)
}

func (g group) set(l limits) error {
	set := func(err error, controller, file, value string) error {
		if err != nil {
			return err
		}
		return write(g.dirs[controller], file, value)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	var err error
	if l.memory > 0 && version2() {
		err = set(err, "memory", "memory.max", number(l.memory))
		swap := "max"
		if l.swap >= 0 {
			swap = number(l.swap - l.memory)
		}
		if exists(g.dirs["memory"], "memory.swap.max") {
			err = set(err, "memory", "memory.swap.max", swap)
		}
	} else if l.memory > 0 {
		err = set(err, "memory", "memory.limit_in_bytes", number(l.memory))
		if exists(g.dirs["memory"], "memory.memsw.limit_in_bytes") {
			err = set(err, "memory", "memory.memsw.limit_in_bytes", number(l.swap))
		}
	}
	if l.pids > 0 {
		err = set(err, "pids", "pids.max", number(l.pids))
	}
	if l.cpus > 0 {
		period := 100_000.0
		if l.cpus < 0.01 {
			period = 1_000_000
		}
		quota := number(int64(l.cpus*period + 0.5))
		if version2() {
			err = set(err, "cpu", "cpu.max", fmt.Sprintf("%s %.0f", quota, period))
		} else {
			err = set(err, "cpu", "cpu.cfs_period_us", fmt.Sprintf("%.0f", period))
			err = set(err, "cpu", "cpu.cfs_quota_us", quota)
		}
	}
	if l.shares > 0 && version2() {
		err = set(err, "cpu", "cpu.weight", number(1+(l.shares-2)*9999/262142))
	} else if l.shares > 0 {
		err = set(err, "cpu", "cpu.shares", number(l.shares))
	}
	if l.cpuset != "" {
		if !version2() && err == nil {
			err = inherit(g.dirs["cpuset"])
		}
		err = set(err, "cpuset", "cpuset.cpus", l.cpuset)
	}
	return err
}

func (g group) add(pid int) error {
	for _, dir := range g.dirs {
		if err := write(dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

func (g group) remove() error {
	for _, dir := range g.dirs {
		if err := removeGroup(dir); err != nil {
			return err
		}
	}
	return nil
}

func removeGroup(dir string) error {
	for try := 0; ; try++ {
		err := os.Remove(dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if !errors.Is(err, syscall.EBUSY) || try == 500 {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// sweep removes the groups whose run was killed, and the processes in them.
func sweep() error {
	swept := map[string]bool{}
	for _, controller := range []string{"freezer", "memory", "pids", "cpu", "cpuset"} {
		home, err := home(controller)
		if err != nil || swept[home] {
			continue
		}
		swept[home] = true
		all, err := lockDir(home, syscall.LOCK_EX)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		defer all.Close()
		entries, err := os.ReadDir(home)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if !entry.IsDir() {
				continue
			}
			dir := filepath.Join(home, entry.Name())
			lock, err := lockDir(dir, syscall.LOCK_EX|syscall.LOCK_NB)
			if err != nil {
				continue // in use, or gone
			}
			lock.Close()
			if exists(dir, "freezer.state") {
				write(dir, "freezer.state", "THAWED")
			}
			text, _ := os.ReadFile(dir + "/cgroup.procs")
			for _, word := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
			if err := removeGroup(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func freeze(id string, stop bool) error {
	if strings.Contains(id, "/") || id == "" || id == "." || id == ".." {
		return fmt.Errorf("no such container: %q", id)
	}
	home, err := home("freezer")
	if err != nil {
		return err
	}
	dir := filepath.Join(home, id)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("no such container: %q", id)
	}
	if lock, err := lockDir(dir, syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		lock.Close()
		return fmt.Errorf("container %q isn't running", id)
	}
	file, value, state, wanted := "freezer.state", "THAWED", "freezer.state", "THAWED\n"
	if stop {
		value, wanted = "FROZEN", "FROZEN\n"
	}
	if version2() {
		file, value, state, wanted = "cgroup.freeze", "0", "cgroup.events", "frozen 0\n"
		if stop {
			value, wanted = "1", "frozen 1\n"
		}
	}
	if err := write(dir, file, value); err != nil {
		return err
	}
	for {
		text, err := os.ReadFile(filepath.Join(dir, state))
		if err != nil {
			return err
		}
		if strings.HasSuffix(string(text), wanted) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

func exists(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

func write(dir, file, value string) error {
	name := filepath.Join(dir, file)
	if err := os.WriteFile(name, []byte(value), 0o644); err != nil {
		return fmt.Errorf("write %q: %w", value, err)
	}
	return nil
}
