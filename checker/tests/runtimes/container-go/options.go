package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
)

type options struct {
	image, imageDir, containerDir, cacheDir string
	hostname                                *string
	limits                                  limits
	command                                 []string
}

type limits struct {
	memory  int64 // bytes; 0: no limit
	swap    int64 // bytes, memory and swap together; -1: any amount
	pids    int64
	cpus    float64
	shares  int64
	cpuset  string
	present bool
}

func parse(args []string) (options, error) {
	var o options
	end := -1
	for i, a := range args {
		if a == "--" {
			end = i
			break
		}
	}
	if end < 0 || end+1 == len(args) {
		return o, errors.New("usage: PROGRAM run [OPTIONS] -- CMD [ARG...]")
	}
	o.command = args[end+1:]

	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.image, "i", "base", "")
	flags.StringVar(&o.image, "image", "base", "")
	flags.StringVar(&o.imageDir, "image-dir", "/workshop/images", "")
	flags.StringVar(&o.containerDir, "container-dir", "/workshop/containers", "")
	flags.StringVar(&o.cacheDir, "cache-dir", "/workshop/cache", "")
	var swapGiven bool
	flags.Func("hostname", "", func(v string) error {
		if len(v) < 1 || len(v) > 64 {
			return errors.New("a host name has 1 to 64 bytes")
		}
		o.hostname = &v
		return nil
	})
	flags.Func("memory", "", func(v string) (err error) {
		o.limits.present = true
		if o.limits.memory, err = bytes(v); err != nil {
			return err
		}
		if o.limits.memory < 6<<20 {
			return errors.New("the least is 6m")
		}
		if total := machineMemory(); o.limits.memory > total {
			return fmt.Errorf("this machine has %d bytes", total)
		}
		return nil
	})
	flags.Func("memory-swap", "", func(v string) (err error) {
		swapGiven = true
		if v == "-1" {
			o.limits.swap = -1
			return nil
		}
		o.limits.swap, err = bytes(v)
		return err
	})
	flags.Func("pids-limit", "", func(v string) (err error) {
		o.limits.present = true
		o.limits.pids, err = strconv.ParseInt(v, 10, 64)
		if err == nil && o.limits.pids < 1 {
			err = errors.New("the least is 1")
		}
		return err
	})
	flags.Func("cpus", "", func(v string) (err error) {
		o.limits.present = true
		o.limits.cpus, err = strconv.ParseFloat(v, 64)
		if err == nil && !(o.limits.cpus > 0 && o.limits.cpus <= float64(len(onlineCPUs()))) {
			err = fmt.Errorf("wanted: more than 0, at most %d", len(onlineCPUs()))
		}
		return err
	})
	flags.Func("cpu-shares", "", func(v string) (err error) {
		o.limits.present = true
		o.limits.shares, err = strconv.ParseInt(v, 10, 64)
		if err == nil && (o.limits.shares < 2 || o.limits.shares > 262144) {
			err = errors.New("wanted: 2 to 262144")
		}
		return err
	})
	flags.Func("cpuset-cpus", "", func(v string) error {
		o.limits.present = true
		o.limits.cpuset = v
		wanted, err := cpuList(v)
		if err != nil {
			return err
		}
		online := onlineCPUs()
		for cpu := range wanted {
			if !online[cpu] {
				return fmt.Errorf("there is no CPU %d", cpu)
			}
		}
		return nil
	})
	if err := flags.Parse(args[:end]); err != nil {
		return o, errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument: %q", flags.Arg(0))
	}
	if swapGiven {
		if o.limits.memory == 0 {
			return o, errors.New("--memory-swap needs --memory")
		}
		if o.limits.swap != -1 && o.limits.swap < o.limits.memory {
			return o, errors.New("--memory-swap is less than --memory")
		}
	} else {
		o.limits.swap = 2 * o.limits.memory
	}
	return o, nil
}

func bytes(v string) (int64, error) {
	unit := int64(1)
	if v != "" {
		switch v[len(v)-1] {
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		case 'g', 'G':
			unit = 1 << 30
		}
		if unit > 1 {
			v = v[:len(v)-1]
		}
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > math.MaxInt64/2/unit {
		return 0, fmt.Errorf("out of range")
	}
	return n * unit, nil
}

func machineMemory() int64 {
	text, _ := os.ReadFile("/proc/meminfo")
	for _, line := range strings.Split(string(text), "\n") {
		var kib int64
		if _, err := fmt.Sscanf(line, "MemTotal: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	return math.MaxInt64
}

func onlineCPUs() map[int]bool {
	text, _ := os.ReadFile("/sys/devices/system/cpu/online")
	cpus, _ := cpuList(strings.TrimSpace(string(text)))
	return cpus
}

func cpuList(list string) (map[int]bool, error) {
	cpus := map[int]bool{}
	for _, part := range strings.Split(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 16)
		if err != nil {
			return nil, err
		}
		last, err := strconv.ParseUint(to, 10, 16)
		if err != nil {
			return nil, err
		}
		if last < first {
			return nil, fmt.Errorf("%q is no range", part)
		}
		for cpu := first; cpu <= last; cpu++ {
			cpus[int(cpu)] = true
		}
	}
	return cpus, nil
}
