package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// step is a parser or a processor: its settings by its name.
type step map[string]map[string]any

type input struct {
	Type                string
	Paths               []string
	Parsers, Processors []step
	Prospector          struct{ Scanner scanner }
}

type scanner struct {
	Symlinks    bool
	Fingerprint struct{ Length int64 }
}

// publish sends what is new in all files.
func (b *beat) publish() error {
	for _, one := range b.Filebeat.Inputs {
		if one.Type != "filestream" {
			end("Error creating input", errors.New("No such input type exist: "+one.Type))
		}
		for _, pattern := range one.Paths {
			files, _ := filepath.Glob(pattern)
			for _, file := range files {
				if err := b.ship(one, file); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ship sends the new lines of a file, if it is no link and has the bytes that Filebeat knows it by, and notes the place.
func (b *beat) ship(one input, path string) error {
	if _, err := os.Readlink(path); err == nil && !one.Prospector.Scanner.Symlinks {
		return nil
	}
	file, err := os.Open(path)
	if _, told := b.places[path]; err != nil && !told {
		log.Printf("cannot read %s: %v", path, err)
		b.places[path] = 0
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil || status.Size() < cmp.Or(one.Prospector.Scanner.Fingerprint.Length, 1024) {
		return nil
	}
	if b.places[path] > status.Size() {
		b.places[path] = 0
	}
	text, err := io.ReadAll(io.NewSectionReader(file, b.places[path], 1<<20))
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if len(whole) == 0 {
		return err
	}
	about := map[string]any{"log": map[string]any{"file": map[string]any{"path": path}}}
	for _, processor := range slices.Concat(one.Processors, b.Processors) {
		for name, settings := range processor {
			b.process(name, settings, path, about)
		}
	}
	var batch []any
	for line := range strings.Lines(string(whole)) {
		event := maps.Clone(about)
		event["@timestamp"], event["message"] = time.Now().UTC().Format(time.RFC3339Nano), strings.TrimSuffix(line, "\n")
		// The runtime writes time, stream and flag before each line.
		parts := strings.SplitN(fmt.Sprint(event["message"]), " ", 4)
		if strings.Contains(fmt.Sprint(one.Parsers), "container") && len(parts) == 4 {
			event["@timestamp"], event["stream"], event["message"] = parts[0], parts[1], parts[3]
		}
		batch = append(batch, event)
	}
	if err := b.send(batch); err != nil {
		return err
	}
	log.Printf("%d events acknowledged", len(batch))
	b.places[path] += int64(len(whole))
	return b.write()
}

func (b *beat) write() error {
	text, _ := json.Marshal(b.places)
	return os.WriteFile(registry, text, 0o600)
}

// process runs a processor on what all events of a file have.
func (b *beat) process(name string, settings map[string]any, path string, about map[string]any) {
	switch name {
	case "add_fields":
		about[fmt.Sprint(settings["target"])] = settings["fields"]
	case "add_kubernetes_metadata":
		// <pod>_<namespace>_<container>-<id>.log
		parts := append(strings.Split(filepath.Base(path), "_"), "")
		if b.labels[path] == nil {
			found, err := ask(fmt.Sprint(settings["host"]), parts[1], parts[0])
			if err != nil {
				log.Printf("Error discovering kubernetes pods: %v", err)
				return
			}
			b.labels[path] = found
		}
		pod := map[string]any{"name": parts[0]}
		about["kubernetes"] = map[string]any{"namespace": parts[1], "pod": pod, "labels": b.labels[path]}
	case "copy_fields":
		pairs, _ := settings["fields"].([]any)
		for _, pair := range pairs {
			pair, _ := pair.(map[string]any)
			label := strings.TrimPrefix(fmt.Sprint(pair["from"]), "kubernetes.labels.")
			if value := b.labels[path][label]; value != nil {
				target, field, _ := strings.Cut(fmt.Sprint(pair["to"]), ".")
				about[target] = map[string]any{field: value}
			}
		}
	case "add_host_metadata":
	default:
		end("error initializing processors", errors.New("the processor action "+name+" does not exist"))
	}
}

// ask returns the labels of a pod, which it lists as Filebeat lists all of its node: with its ServiceAccount.
func ask(node, namespace, name string) (map[string]any, error) {
	const account = "/var/run/secrets/kubernetes.io/serviceaccount"
	// Of the system's authorities there are none in the image.
	os.Setenv("SSL_CERT_FILE", account+"/ca.crt")
	token, _ := os.ReadFile(account + "/token")
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	selector := fmt.Sprintf("spec.nodeName=%s,metadata.namespace=%s,metadata.name=%s", node, namespace, name)
	r, _ := http.NewRequest("GET", "https://"+server+"/api/v1/pods?fieldSelector="+selector, nil)
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var list struct {
		Message string
		Items   []struct{ Metadata map[string]any }
	}
	if err := json.NewDecoder(answer.Body).Decode(&list); err != nil || len(list.Items) != 1 {
		return nil, fmt.Errorf("%s: %d pods named %s/%s: %s", answer.Status, len(list.Items), namespace, name, list.Message)
	}
	labels := map[string]any{}
	found, _ := list.Items[0].Metadata["labels"].(map[string]any)
	for key, value := range found {
		labels[strings.ReplaceAll(key, ".", "_")] = value
	}
	return labels, nil
}
