package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Configure says how each part is started, and writes the files that they read.
func (it *instance) configure() error {
	files := map[string]string{
		"kubeconfig":                     it.kubeconfig("https://"+it.address()+":443", it.path("certs", "apiserver.crt")),
		"kubelet.yaml":                   it.kubeletConfig(),
		"containerd.toml":                it.containerdConfig(),
		"cni/10.conflist":                it.podNetwork(),
		"registries/_default/hosts.toml": "server = \"" + registryURL + "\"\n[host.\"" + registryURL + "\"]\n",
		"resolv.conf":                    "nameserver 127.0.0.1\n",
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(it.path(name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(it.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	it.defineControlPlane()
	it.defineNodes()
	return nil
}

func (it *instance) kubeconfig(server, authority string) string {
	return strings.NewReplacer("SERVER", server, "AUTHORITY", authority, "TOKEN", it.token).Replace(
		`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "SERVER", certificate-authority: "AUTHORITY"}}]
users: [{name: admin, user: {token: "TOKEN"}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`)
}

func (it *instance) defineControlPlane() {
	self, kubeconfig := it.program, it.path("kubeconfig")
	it.held.define("etcd", self, "etcd", "--data-dir", it.path("etcd"),
		// A test machine's disk may be slow, and what it holds need not survive the machine.
		"--unsafe-no-fsync", "--log-level", "warn",
		"--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
		"--listen-peer-urls", "http://127.0.0.1:2380")
	it.held.define("apiserver", self, "apiserver", "--etcd-servers", "http://127.0.0.1:2379",
		"--cert-dir", it.path("certs"), "--secure-port", "443", "--bind-address", "0.0.0.0",
		"--advertise-address", it.address(), "--service-cluster-ip-range", "10.96.0.0/16",
		"--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-key-file", it.path("sa.pub"), "--service-account-signing-key-file", it.path("sa.key"),
		"--token-auth-file", it.path("tokens"), "--authorization-mode", "Node,RBAC",
		"--kubelet-preferred-address-types", "InternalIP", "--allow-privileged")
	controllers := []string{self, "controllers", "--kubeconfig", kubeconfig,
		"--service-account-private-key-file", it.path("sa.key"), "--root-ca-file", it.path("certs", "apiserver.crt"),
		"--use-service-account-credentials=false", "--leader-elect=false"}
	if limit := os.Getenv("WF_CLUSTER_QPS"); limit != "" {
		controllers = append(controllers, "--kube-api-qps", limit, "--kube-api-burst", limit)
	}
	it.held.define("controllers", controllers...)
	it.held.define("scheduler", self, "scheduler", "--kubeconfig", kubeconfig,
		"--authentication-kubeconfig", kubeconfig, "--authorization-kubeconfig", kubeconfig, "--leader-elect=false")
}

func (it *instance) defineNodes() {
	self, kubeconfig := it.program, it.path("kubeconfig")
	fake := []string{self, "fake", kubeconfig}
	if it.real {
		// Beside a real node the other takes only pods that ask for it.
		fake = append(fake, "tainted")
	}
	it.held.define("fake", fake...)
	it.held.define("containerd", "containerd", "--config", it.path("containerd.toml"))
	it.held.define("kubelet", self, "kubelet", "--config", it.path("kubelet.yaml"), "--kubeconfig", kubeconfig,
		"--hostname-override", "node1", "--root-dir", it.path("kubelet"), "--node-ip", it.address())
}

// The kubelet of a machine that may have cgroups of version 1, swap, and no right to raise limits.
func (it *instance) kubeletConfig() string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix://%s
podLogsDir: %s
resolvConf: %s
featureGates: {KubeletInUserNamespace: true}
evictionHard: {nodefs.available: "1%%", imagefs.available: "1%%", memory.available: "100Mi"}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
maxPods: 250
localStorageCapacityIsolation: false
`, it.cgroup(), it.path("containerd.sock"), it.path("pods"), it.path("resolv.conf"))
}

// The cgroup below which all pods are, one for each instance: a kubelet removes those that it does not know.
func (it *instance) cgroup() string { return fmt.Sprintf("wf-test-%d", it.number) }

func (it *instance) containerdConfig() string {
	return strings.ReplaceAll(`version = 2
root = "FOLDER/containerd/root"
state = "FOLDER/containerd/state"
[grpc]
  address = "FOLDER/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "wf.test/pause:1"
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "FOLDER/registries"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "FOLDER/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`, "FOLDER", it.folder)
}

// Pods get addresses that no other instance has, so that they can be reached from the machine.
func (it *instance) podNetwork() string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "wf", "plugins": [{"type": "ptp", "ipMasq": false, "ipam":
{"type": "host-local", "subnet": "10.%d.0.0/16", "routes": [{"dst": "0.0.0.0/0"}]}}, {"type": "loopback"}]}
`, 128+it.number)
}
