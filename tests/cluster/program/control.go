package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long a part may take to be ready after a restart.
const readyWithin = 90 * time.Second

// Control answers requests at a socket of the instance's folder: one line each, `VERB PART`. The answer is
// text, and begins with `error:` when it was refused.
func (held *parts) control(socket string, ready func(string) error) error {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			line, _ := bufio.NewReader(connection).ReadString('\n')
			answer, err := held.obey(strings.Fields(line), ready)
			if err != nil {
				answer = "error: " + err.Error() + "\n"
			}
			io.WriteString(connection, answer)
		}()
	}
}

func (held *parts) obey(words []string, ready func(string) error) (string, error) {
	if len(words) == 1 && words[0] == "status" {
		return held.status(), nil
	}
	if len(words) != 2 {
		return "", fmt.Errorf("use: status | start PART | stop PART | restart PART | pause PART | resume PART")
	}
	verb, name := words[0], words[1]
	switch verb {
	case "stop":
		return "", held.kill(name)
	case "pause":
		_, err := held.signal(name, syscall.SIGSTOP)
		return "", err
	case "resume":
		_, err := held.signal(name, syscall.SIGCONT)
		return "", err
	case "restart":
		if err := held.kill(name); err != nil {
			return "", err
		}
		fallthrough
	case "start":
		if err := held.start(name); err != nil {
			return "", err
		}
		return "", ready(name)
	}
	return "", fmt.Errorf("no verb is called `%s`", verb)
}

// Ctl sends one request to an instance.
func ctl(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("use: ctl FOLDER VERB [PART]")
	}
	connection, err := net.Dial("unix", filepath.Join(args[0], "control"))
	if err != nil {
		return fmt.Errorf("no instance runs in %s: %w", args[0], err)
	}
	defer connection.Close()
	fmt.Fprintln(connection, strings.Join(args[1:], " "))
	answer, err := io.ReadAll(connection)
	if text, refused := strings.CutPrefix(string(answer), "error: "); refused {
		return fmt.Errorf("%s", strings.TrimSpace(text))
	}
	os.Stdout.Write(answer)
	return err
}
