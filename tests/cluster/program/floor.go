package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// Floor runs bare Jobs as fast as a script could, and prints the seconds that it took: N of them one after
// the other (`chain`), each started when the pod of the one before has ended, or all at once (`wide`).
func floor(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("use: floor KUBECONFIG NAMESPACE chain|wide N")
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	config.QPS = -1
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	label := fmt.Sprintf("floor=%d", time.Now().UnixNano())
	begin := time.Now()
	watch, err := client.CoreV1().Pods(args[1]).Watch(context.Background(), meta.ListOptions{LabelSelector: label})
	if err != nil {
		return err
	}
	create := func(number int) {
		if _, err := client.BatchV1().Jobs(args[1]).Create(context.Background(), bareJob(label, number), meta.CreateOptions{}); err != nil {
			fail(err)
		}
	}
	started := 1
	if args[2] == "wide" {
		started = count
	}
	for number := range started {
		go create(number)
	}
	ended := map[string]bool{}
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*core.Pod)
		if !ok || pod.Status.Phase != core.PodSucceeded || ended[pod.Name] {
			continue
		}
		ended[pod.Name] = true
		if len(ended) == count {
			fmt.Printf("%.3f\n", time.Since(begin).Seconds())
			return nil
		}
		if started < count {
			create(started)
			started++
		}
	}
	return fmt.Errorf("the watch ended after %d pods", len(ended))
}

func bareJob(label string, number int) *batch.Job {
	zero, value := int32(0), label[len("floor="):]
	pod := core.PodTemplateSpec{ObjectMeta: meta.ObjectMeta{Labels: map[string]string{"floor": value}}}
	pod.Spec.RestartPolicy = core.RestartPolicyNever
	pod.Spec.Containers = []core.Container{{Name: "main", Image: "alpine:3.23", Command: []string{"true"}}}
	return &batch.Job{
		ObjectMeta: meta.ObjectMeta{Name: fmt.Sprintf("floor-%s-%d", value, number)},
		Spec:       batch.JobSpec{BackoffLimit: &zero, Template: pod},
	}
}
