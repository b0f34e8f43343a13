package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// Parts are the processes of an instance by name: how each is started, and the one that runs.
type parts struct {
	processes *processes
	logs      string
	mutex     sync.Mutex
	args      map[string][]string
	running   map[string]*process
}

func newParts(logs string) *parts {
	return &parts{processes: newProcesses(), logs: logs, args: map[string][]string{}, running: map[string]*process{}}
}

// Define says how a part is started; the first argument is a program.
func (held *parts) define(name string, args ...string) { held.args[name] = args }

// Start starts a part that does not run.
func (held *parts) start(name string) error {
	held.mutex.Lock()
	defer held.mutex.Unlock()
	args, ok := held.args[name]
	if !ok {
		return fmt.Errorf("no part is called `%s`", name)
	}
	if held.running[name] != nil {
		return fmt.Errorf("`%s` runs already", name)
	}
	path := filepath.Join(held.logs, name+".log")
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	started, err := held.processes.spawn(args, log)
	if err != nil {
		return err
	}
	held.running[name] = started
	go held.note(name, started)
	return nil
}

// Note waits for the end of a part.
func (held *parts) note(name string, started *process) {
	<-started.ended
	fmt.Printf("%s ended: %s\n", name, describe(started.status))
	held.mutex.Lock()
	defer held.mutex.Unlock()
	if held.running[name] == started {
		delete(held.running, name)
	}
}

// Signal sends a signal to a part that runs, and returns its process.
func (held *parts) signal(name string, signal syscall.Signal) (*process, error) {
	held.mutex.Lock()
	defer held.mutex.Unlock()
	running := held.running[name]
	if running == nil {
		return nil, fmt.Errorf("`%s` does not run", name)
	}
	return running, syscall.Kill(running.pid, signal)
}

// Kill ends a part as a crash would, and returns when it has ended.
func (held *parts) kill(name string) error {
	running, err := held.signal(name, syscall.SIGKILL)
	if err != nil {
		return err
	}
	<-running.ended
	held.mutex.Lock()
	defer held.mutex.Unlock()
	delete(held.running, name)
	return nil
}

// Status has a line for each part.
func (held *parts) status() string {
	held.mutex.Lock()
	defer held.mutex.Unlock()
	var lines []string
	for name := range held.args {
		state := "stopped"
		if running := held.running[name]; running != nil {
			state = fmt.Sprintf("process %d", running.pid)
		}
		lines = append(lines, fmt.Sprintf("%s: %s\n", name, state))
	}
	slices.Sort(lines)
	text := ""
	for _, line := range lines {
		text += line
	}
	return text
}
