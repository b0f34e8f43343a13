package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

// What stands in for the real images: a name of a manifest, and the root file system that it gets.
var (
	busyboxNames = "busybox:latest alpine:3.23 argoproj/argosay:v1 argoproj/argosay:v2"
	debianNames  = "python:alpine3.23 python:alpine3.6 python:3.9 python:3.10 python:3.11 python:3.12 " +
		"alpine:latest alpine:3.6 debian:latest debian:8.9 debian:9.1 debian:9.4 ubuntu:17.10 node:9.1-alpine " +
		"curlimages/curl:latest docker/whalesay:latest stedolan/jq:latest"
)

// The test image's entrypoint, with the few verbs that manifests use.
const argosay = `#!/bin/sh
case "$1" in
echo) shift; if [ $# -ge 2 ]; then mkdir -p "$(dirname "$2")"; echo "$1" > "$2"; else echo "$1"; fi;;
cat) shift; cat "$@";;
sleep) sleep "$(echo "$2" | sed s/s$//)";;
exit) exit "${2:-0}";;
assert_contains) grep -F -- "$3" "$2";;
"") echo hello argo;;
*) echo "$@";;
esac
`

const cowsay = "#!/bin/sh\necho \"$@\"\n"

// Images makes the images in FOLDER/images: blobs by digest, and an index from names to manifests. The file
// system of Debian stands in FOLDER/debian.tar.
func images(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("use: images FOLDER")
	}
	folder := filepath.Join(args[0], "images")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	busybox, err := busyboxLayer()
	if err != nil {
		return err
	}
	// No folders: one that stood in the place of Debian's link `/bin` would hide what is below it.
	tools, err := archive(nil, []file{{"usr/bin/argosay", argosay}, {"argosay", argosay}, {"usr/bin/cowsay", cowsay}}, nil)
	if err != nil {
		return err
	}
	debian, err := os.ReadFile(filepath.Join(args[0], "debian.tar"))
	if err != nil {
		return err
	}
	index := map[string]string{}
	for _, image := range []struct {
		names  string
		layers [][]byte
		config map[string]any
	}{
		// A sandbox is ended by a kill, so that what it runs need not know signals.
		{"pause:1", [][]byte{busybox}, map[string]any{"Entrypoint": []string{"/bin/busybox", "sleep", "2147483647"}}},
		{"nginx:1.13", [][]byte{busybox}, map[string]any{"Entrypoint": []string{"/bin/busybox", "httpd", "-f", "-h", "/root"}}},
		{busyboxNames, [][]byte{busybox}, map[string]any{"Env": []string{"PATH=/bin:/usr/bin"}, "Cmd": []string{"sh"}}},
		{debianNames, [][]byte{debian, tools}, map[string]any{
			"Env": []string{"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, "Cmd": []string{"bash"}}},
	} {
		digest, err := writeImage(folder, image.layers, image.config)
		if err != nil {
			return err
		}
		for _, name := range strings.Fields(image.names) {
			index[name] = digest
		}
	}
	text, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "index.json"), text, 0o644)
}

func writeImage(folder string, layers [][]byte, config map[string]any) (string, error) {
	var differences []string
	var entries []any
	for _, layer := range layers {
		digest, err := writeBlob(folder, layer)
		if err != nil {
			return "", err
		}
		differences = append(differences, digest)
		entries = append(entries, descriptor(layerType, digest, len(layer)))
	}
	text, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": differences},
	})
	if err != nil {
		return "", err
	}
	digest, err := writeBlob(folder, text)
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": descriptor(configType, digest, len(text)), "layers": entries,
	})
	if err != nil {
		return "", err
	}
	return writeBlob(folder, manifest)
}

func descriptor(kind, digest string, size int) map[string]any {
	return map[string]any{"mediaType": kind, "digest": digest, "size": size}
}

func writeBlob(folder string, data []byte) (string, error) {
	sum := sha256.Sum256(data)
	name := hex.EncodeToString(sum[:])
	return "sha256:" + name, os.WriteFile(filepath.Join(folder, name), data, 0o644)
}

type file struct{ name, text string }

// The machine's own static busybox, with a link for each of its programs.
func busyboxLayer() ([]byte, error) {
	const path = "/bin/busybox"
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(path, "--list").Output()
	if err != nil {
		return nil, err
	}
	links := []file{{"usr/bin/env", path}}
	for _, name := range strings.Fields(string(list)) {
		if name != "busybox" {
			links = append(links, file{"bin/" + name, path})
		}
	}
	folders := strings.Fields("bin etc root run tmp usr usr/bin var")
	return archive(folders, []file{
		{"bin/busybox", string(program)}, {"argosay", argosay}, {"bin/argosay", argosay}, {"bin/cowsay", cowsay},
		{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"},
		{"etc/group", "root:x:0:\n"}, {"root/index.html", "<title>nginx</title>\nwelcome to nginx\n"},
	}, links)
}

// Archive makes a layer: folders, programs, and symbolic links.
func archive(folders []string, files, links []file) ([]byte, error) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	var headers []tar.Header
	for _, name := range folders {
		mode := int64(0o755)
		if name == "tmp" {
			mode = 0o1777
		}
		headers = append(headers, tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: mode})
	}
	for _, it := range files {
		headers = append(headers, tar.Header{Name: it.name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(it.text))})
	}
	for _, it := range links {
		headers = append(headers, tar.Header{Name: it.name, Typeflag: tar.TypeSymlink, Linkname: it.text, Mode: 0o777})
	}
	texts := map[string]string{}
	for _, it := range files {
		texts[it.name] = it.text
	}
	for _, header := range headers {
		if err := writer.WriteHeader(&header); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(writer, texts[header.Name]); err != nil {
			return nil, err
		}
	}
	err := writer.Close()
	return out.Bytes(), err
}
