package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The service address of the API server, which pods use. It lives on the loopback device of the instance's
// network namespace, since no proxy of services runs.
const serviceAddress = "10.96.0.1"

// An instance is one cluster: its folder, what kind of node it has, and the number that tells its addresses
// from those of the others on the machine.
type instance struct {
	folder  string
	program string
	real    bool
	number  int
	token   string
	held    *parts
}

// Serve is the first process of an instance, in PID, mount and network namespaces of its own: when it ends,
// however it ends, the kernel ends and unmounts all the rest.
func serve(args []string) error {
	if len(args) != 3 || os.Getpid() != 1 {
		return fmt.Errorf("serve FOLDER real|fake NUMBER is started by `up`, in namespaces of its own")
	}
	number, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	secret := make([]byte, 16)
	rand.Read(secret)
	program, err := os.Executable()
	if err != nil {
		return err
	}
	it := &instance{folder: args[0], program: program, real: args[1] == "real", number: number}
	it.token, it.held = hex.EncodeToString(secret), newParts(filepath.Join(args[0], "log"))
	begin := time.Now()
	if err := it.begin(); err != nil {
		os.WriteFile(it.path("failed"), []byte(err.Error()), 0o644)
		return err
	}
	fmt.Printf("ready after %.1f s\n", time.Since(begin).Seconds())
	if err := os.WriteFile(it.path("ready"), nil, 0o644); err != nil {
		return err
	}
	return it.held.control(it.path("control"), it.ready)
}

func (it *instance) path(names ...string) string {
	return filepath.Join(append([]string{it.folder}, names...)...)
}

// The address of the node, and of the API server as seen from outside.
func (it *instance) address() string { return fmt.Sprintf("10.99.%d.2", it.number) }

func (it *instance) run(args ...string) error { return it.held.processes.run(args...) }

func (it *instance) begin() error {
	for _, step := range []func() error{it.network, it.keys, it.configure, it.startControlPlane, it.startNodes} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Network waits for the other end of the pair that `up` puts into this namespace, and gives it its addresses.
func (it *instance) network() error {
	if err := until(func() error { return it.run("ip", "link", "show", "eth0") }); err != nil {
		return err
	}
	for _, line := range []string{
		"link set lo up", "addr add " + serviceAddress + "/32 dev lo",
		"addr add " + it.address() + "/30 dev eth0", "link set eth0 up",
		fmt.Sprintf("route add default via 10.99.%d.1", it.number),
	} {
		if err := it.run(append([]string{"ip"}, strings.Fields(line)...)...); err != nil {
			return err
		}
	}
	return nil
}

// Keys makes what signs the tokens of service accounts, and the tokens of users.
func (it *instance) keys() error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return err
	}
	private := x509.MarshalPKCS1PrivateKey(key)
	for name, block := range map[string]*pem.Block{
		"sa.key": {Type: "RSA PRIVATE KEY", Bytes: private}, "sa.pub": {Type: "PUBLIC KEY", Bytes: public},
	} {
		if err := os.WriteFile(it.path(name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return os.WriteFile(it.path("tokens"), []byte(it.token+",admin,admin,system:masters\n"), 0o600)
}

func (it *instance) startControlPlane() error {
	for _, name := range []string{"etcd", "apiserver"} {
		if err := it.held.start(name); err != nil {
			return err
		}
	}
	if it.real {
		go registry(it.path("..", "..", "images"))
		if err := it.held.start("containerd"); err != nil {
			return err
		}
	}
	if err := it.ready("apiserver"); err != nil {
		return err
	}
	for _, name := range []string{"controllers", "scheduler"} {
		if err := it.held.start(name); err != nil {
			return err
		}
	}
	return nil
}

func (it *instance) startNodes() error {
	names := []string{"fake"}
	if it.real {
		answers := func() error { return it.run("ctr", "-a", it.path("containerd.sock"), "version") }
		if err := until(answers); err != nil {
			return err
		}
		names = append(names, "kubelet")
	}
	for _, name := range names {
		if err := it.held.start(name); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := it.ready(name); err != nil {
			return err
		}
	}
	return until(it.serviceAccount)
}

// Ready waits until a part does its work; of most parts nothing is to be waited for.
func (it *instance) ready(name string) error {
	switch name {
	case "etcd", "apiserver":
		return until(func() error { _, err := it.get("/readyz"); return err })
	case "kubelet":
		return until(func() error { return it.nodeIsReady("node1") })
	case "fake":
		return until(func() error { return it.nodeIsReady("fake") })
	}
	return nil
}

func (it *instance) nodeIsReady(name string) error {
	text, err := it.get("/api/v1/nodes/" + name)
	if err != nil {
		return err
	}
	var node struct {
		Status struct {
			Conditions []struct{ Type, Status string }
		}
	}
	if err := json.Unmarshal(text, &node); err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return nil
		}
	}
	return fmt.Errorf("node %s is not ready", name)
}

// A pod is refused until its namespace has a service account, which a controller makes.
func (it *instance) serviceAccount() error {
	_, err := it.get("/api/v1/namespaces/default/serviceaccounts/default")
	return err
}

func (it *instance) get(path string) ([]byte, error) {
	request, err := http.NewRequest("GET", "https://"+serviceAddress+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+it.token)
	// The certificate was made a moment ago by the other end; the namespace has no other machine in it.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, answer.Status, text)
	}
	return text, err
}

// Until asks again and again, for as long as a part may take to be ready.
func until(holds func() error) error {
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := holds()
		if err == nil || time.Since(begin) > readyWithin {
			return err
		}
	}
}
