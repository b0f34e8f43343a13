package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	nodeName = "fake"
	// The taint of the node where it stands beside a real one.
	taintKey = "wf.test/fake"
	// How many pods are patched at once.
	workers = 32
	// What a manifest may say of a pod that runs on this node.
	secondsKey = "wf.test/seconds"
	codeKey    = "wf.test/exit-code"
	messageKey = "wf.test/message"
)

// A fakeKubelet ends every pod of its node at once, by the two patches of its status that a kubelet makes.
type fakeKubelet struct {
	client  *kubernetes.Clientset
	tainted bool
	started chan *core.Pod
	deleted chan *core.Pod
}

func fake(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("use: fake KUBECONFIG [tainted]")
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	config.QPS = -1
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = config.ContentType
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	// Far more than a test has pods at once: a full queue only makes the watch wait.
	it := &fakeKubelet{client, len(args) > 1, make(chan *core.Pod, 100_000), make(chan *core.Pod, 100_000)}
	for range workers {
		go it.work()
	}
	go it.watch()
	for ; ; time.Sleep(10 * time.Second) {
		if err := it.beat(); err != nil {
			fmt.Println("node:", err)
		}
	}
}

// Beat makes the node, and says that it is alive.
func (it *fakeKubelet) beat() error {
	node := &core.Node{ObjectMeta: meta.ObjectMeta{Name: nodeName, Labels: map[string]string{"wf.test/node": nodeName}}}
	node.Spec.Taints = it.taints()
	_, err := it.client.CoreV1().Nodes().Create(context.Background(), node, meta.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	node, err = it.client.CoreV1().Nodes().Get(context.Background(), nodeName, meta.GetOptions{})
	if err != nil {
		return err
	}
	// A node that was away has got taints by the controllers.
	if len(node.Spec.Taints) != len(it.taints()) {
		node.Spec.Taints = it.taints()
		if node, err = it.client.CoreV1().Nodes().Update(context.Background(), node, meta.UpdateOptions{}); err != nil {
			return err
		}
	}
	node.Status.Capacity = core.ResourceList{
		core.ResourceCPU: resource.MustParse("100000"), core.ResourceMemory: resource.MustParse("100000Gi"),
		core.ResourcePods: resource.MustParse("100000"),
	}
	node.Status.Allocatable = node.Status.Capacity
	node.Status.Conditions = []core.NodeCondition{{
		Type: core.NodeReady, Status: core.ConditionTrue, Reason: "Fake", Message: "runs nothing",
		LastHeartbeatTime: meta.Now(), LastTransitionTime: meta.Now(),
	}}
	_, err = it.client.CoreV1().Nodes().UpdateStatus(context.Background(), node, meta.UpdateOptions{})
	return err
}

func (it *fakeKubelet) taints() []core.Taint {
	if !it.tainted {
		return nil
	}
	return []core.Taint{{Key: taintKey, Effect: core.TaintEffectNoSchedule}}
}

func (it *fakeKubelet) watch() {
	pods := cache.NewListWatchFromClient(it.client.CoreV1().RESTClient(), "pods", meta.NamespaceAll,
		fields.OneTermEqualSelector("spec.nodeName", nodeName))
	_, controller := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: pods, ObjectType: &core.Pod{}, Handler: cache.ResourceEventHandlerFuncs{
			AddFunc:    func(seen any) { it.see(seen.(*core.Pod), true) },
			UpdateFunc: func(_, seen any) { it.see(seen.(*core.Pod), false) },
		},
	})
	controller.Run(make(chan struct{}))
}

func (it *fakeKubelet) see(pod *core.Pod, isNew bool) {
	if pod.DeletionTimestamp != nil {
		it.deleted <- pod
	} else if isNew && pod.Status.Phase != core.PodSucceeded && pod.Status.Phase != core.PodFailed {
		it.started <- pod
	}
}

func (it *fakeKubelet) work() {
	for {
		select {
		case pod := <-it.started:
			it.start(pod)
		case pod := <-it.deleted:
			now := int64(0)
			options := meta.DeleteOptions{GracePeriodSeconds: &now, Preconditions: meta.NewUIDPreconditions(string(pod.UID))}
			it.do(pod, func() error {
				return it.client.CoreV1().Pods(pod.Namespace).Delete(context.Background(), pod.Name, options)
			})
		}
	}
}

func (it *fakeKubelet) start(pod *core.Pod) {
	running := core.ContainerState{Running: &core.ContainerStateRunning{StartedAt: meta.Now()}}
	it.patch(pod, core.PodRunning, running)
	seconds, err := strconv.ParseFloat(pod.Annotations[secondsKey], 64)
	if err != nil || seconds <= 0 {
		it.end(pod, running.Running.StartedAt)
		return
	}
	wait := time.Duration(seconds * float64(time.Second))
	time.AfterFunc(wait, func() { it.end(pod, running.Running.StartedAt) })
}

func (it *fakeKubelet) end(pod *core.Pod, begin meta.Time) {
	code, _ := strconv.Atoi(pod.Annotations[codeKey])
	phase, reason := core.PodSucceeded, "Completed"
	if code != 0 {
		phase, reason = core.PodFailed, "Error"
	}
	it.patch(pod, phase, core.ContainerState{Terminated: &core.ContainerStateTerminated{
		ExitCode: int32(code), Reason: reason, Message: pod.Annotations[messageKey], StartedAt: begin, FinishedAt: meta.Now(),
	}})
}

func (it *fakeKubelet) patch(pod *core.Pod, phase core.PodPhase, state core.ContainerState) {
	status := core.PodStatus{Phase: phase, PodIP: "10.127.0.1", PodIPs: []core.PodIP{{IP: "10.127.0.1"}}}
	started := state.Running != nil
	now := meta.Now()
	status.StartTime = &now
	if state.Terminated != nil {
		status.StartTime = &state.Terminated.StartedAt
	}
	for _, container := range pod.Spec.InitContainers {
		status.InitContainerStatuses = append(status.InitContainerStatuses, statusOf(container, state, started))
	}
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, statusOf(container, state, started))
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": pod.UID}, "status": status})
	if err != nil {
		fmt.Printf("%s/%s: %v\n", pod.Namespace, pod.Name, err)
		return
	}
	it.do(pod, func() error {
		_, err := it.client.CoreV1().Pods(pod.Namespace).Patch(
			context.Background(), pod.Name, types.MergePatchType, body, meta.PatchOptions{}, "status")
		return err
	})
}

func statusOf(container core.Container, state core.ContainerState, started bool) core.ContainerStatus {
	return core.ContainerStatus{
		Name: container.Name, Image: container.Image, State: state, Ready: started, Started: &started,
	}
}

// Do makes a call about a pod, again and again while a busy server cannot answer: nobody else would. A pod
// that is gone is nobody's concern.
func (it *fakeKubelet) do(pod *core.Pod, call func() error) {
	for wait := 100 * time.Millisecond; ; wait *= 2 {
		err := call()
		if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return
		}
		fmt.Printf("%s/%s: %v\n", pod.Namespace, pod.Name, err)
		if wait > time.Minute {
			return
		}
		time.Sleep(wait)
	}
}
