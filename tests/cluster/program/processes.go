package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// A process is a child of the first process of an instance.
type process struct {
	pid int
	// Closed when the process has ended; the status is there from then on.
	ended  chan struct{}
	status syscall.WaitStatus
}

// Processes are the children of the first process of a PID namespace. It inherits those whose parents are
// gone, such as the shims of containerd, so it waits for any child, and `os/exec` must not wait beside it.
type processes struct {
	mutex   sync.Mutex
	running map[int]*process
}

func newProcesses() *processes {
	held := &processes{running: map[int]*process{}}
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	go func() {
		for range children {
			held.reap()
		}
	}()
	return held
}

// Reap waits for every child that has ended, known or inherited.
func (held *processes) reap() {
	held.mutex.Lock()
	defer held.mutex.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if known, ok := held.running[pid]; ok {
			delete(held.running, pid)
			known.status = status
			close(known.ended)
		}
	}
}

// Spawn starts a program whose output goes to `output`.
func (held *processes) spawn(args []string, output *os.File) (*process, error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return nil, err
	}
	held.mutex.Lock()
	defer held.mutex.Unlock()
	files := []*os.File{nil, output, output}
	child, err := os.StartProcess(path, args, &os.ProcAttr{Files: files, Env: os.Environ()})
	if err != nil {
		return nil, err
	}
	started := &process{pid: child.Pid, ended: make(chan struct{})}
	held.running[started.pid] = started
	return started, child.Release()
}

// Run runs a command to its end.
func (held *processes) run(args ...string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	child, err := held.spawn(args, write)
	write.Close()
	if err != nil {
		return err
	}
	text, _ := io.ReadAll(read)
	<-child.ended
	if child.status.ExitStatus() != 0 {
		return fmt.Errorf("%s: %s: %s", strings.Join(args, " "), describe(child.status), text)
	}
	return nil
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return status.Signal().String()
	}
	return fmt.Sprintf("exit %d", status.ExitStatus())
}
