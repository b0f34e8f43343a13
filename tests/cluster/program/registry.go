package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Where containerd finds every image, whatever registry its name has.
const registryURL = "http://127.0.0.1:5000"

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// Registry serves the images that `images` made, for pulling only.
func registry(folder string) {
	handler := func(answer http.ResponseWriter, request *http.Request) {
		path := strings.TrimPrefix(request.URL.Path, "/v2/")
		if path == "" {
			return
		}
		if name, reference, ok := cut(path, "/manifests/"); ok {
			serveManifest(answer, request, folder, name, reference)
			return
		}
		if _, reference, ok := cut(path, "/blobs/"); ok && digest.MatchString(reference) {
			http.ServeFile(answer, request, blob(folder, reference))
			return
		}
		http.NotFound(answer, request)
	}
	if err := http.ListenAndServe(strings.TrimPrefix(registryURL, "http://"), http.HandlerFunc(handler)); err != nil {
		fmt.Println("registry:", err)
	}
}

func cut(path, between string) (string, string, bool) {
	at := strings.LastIndex(path, between)
	if at < 0 {
		return "", "", false
	}
	return path[:at], path[at+len(between):], true
}

func serveManifest(answer http.ResponseWriter, request *http.Request, folder, name, reference string) {
	if !digest.MatchString(reference) {
		var index map[string]string
		text, err := os.ReadFile(filepath.Join(folder, "index.json"))
		if err == nil {
			err = json.Unmarshal(text, &index)
		}
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		reference = index[strings.TrimPrefix(name, "library/")+":"+reference]
		if reference == "" {
			http.NotFound(answer, request)
			return
		}
	}
	answer.Header().Set("Content-Type", manifestType)
	answer.Header().Set("Docker-Content-Digest", reference)
	http.ServeFile(answer, request, blob(folder, reference))
}

func blob(folder, digest string) string {
	return filepath.Join(folder, strings.TrimPrefix(digest, "sha256:"))
}
