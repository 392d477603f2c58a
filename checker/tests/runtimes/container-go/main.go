// container run [OPTIONS] -- CMD [ARG...]
//
// All levels in Go, with its standard library alone. No code of a Go program can run
// between fork and exec, so this program starts itself again for what has to be done
// there: `unpack`, whose root is a new directory, and `inside`, which becomes the command.
// Read run.go first, then inside.go; image.go, group.go and options.go are the parts.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// failure is an error with the exit status that it ends the runtime with.
type failure struct {
	status int
	error
}

func main() {
	// Pdeathsig is about the thread that has started a container, not about the process.
	runtime.LockOSThread()
	status, err := command(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "container: %v\n", err)
		status = 125
		var f failure
		if errors.As(err, &f) {
			status = f.status
		}
	}
	os.Exit(status)
}

func command(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("usage: PROGRAM run [OPTIONS] -- CMD [ARG...]")
	}
	switch args[0] {
	case "run":
		options, err := parse(args[1:])
		if err != nil {
			return 0, err
		}
		return run(options)
	case "pause", "unpause":
		if len(args) != 2 {
			return 0, fmt.Errorf("usage: PROGRAM %s ID", args[0])
		}
		return 0, freeze(args[1], args[0] == "pause")
	case "unpack": // run starts it: this program again
		return 0, unpackHere()
	case "inside": // run starts it: this program again, as PID 1
		return 0, inside(args[1:])
	}
	return 0, fmt.Errorf("no such command: %q", args[0])
}
