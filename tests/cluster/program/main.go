// Command cluster is a whole Kubernetes in one program: the parts of a control plane, a node's kubelet,
// kubectl, and what tests need beside them (an instant kubelet, a registry, images). The first argument
// names the part.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// The parts that are Kubernetes' own, as their authors build them.
var components = map[string]func() *cobra.Command{
	"apiserver":   apiserver.NewAPIServerCommand,
	"controllers": controllers.NewControllerManagerCommand,
	"scheduler":   func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":     func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kubectl":     kubectl.NewDefaultKubectlCommand,
}

// The parts that are written here. Each takes the arguments after its name.
var own = map[string]func([]string) error{
	"serve":  serve,  // serve FOLDER real|fake NUMBER: the first process of an instance
	"ctl":    ctl,    // ctl FOLDER VERB [PART]: asks the first process to do something to a part
	"fake":   fake,   // fake KUBECONFIG [tainted]: an instant kubelet
	"images": images, // images FOLDER: makes the images of the registry
	"floor":  floor,  // floor KUBECONFIG NAMESPACE chain|wide N: bare Jobs, to compare with
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("which part? See main.go"))
	}
	name := os.Args[1]
	os.Args = os.Args[1:]
	if command, ok := components[name]; ok {
		os.Exit(cli.Run(command()))
	}
	if name == "etcd" {
		etcdmain.Main(os.Args)
		return
	}
	run, ok := own[name]
	if !ok {
		fail(fmt.Errorf("no part is called `%s`", name))
	}
	if err := run(os.Args[1:]); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "cluster:", err)
	os.Exit(1)
}
